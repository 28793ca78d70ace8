import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { loadRolePrompts, promptsFor } from "../../../src/config/role-prompts.ts";
import { packagePath } from "../../../src/package.ts";
import { systemPrompt, userMessage } from "../../../src/runtimes/builtin/compose.ts";
import { opening } from "../support.ts";

test("the system prompt says who and where, and is the same bytes each time", () => {
  const { agent } = opening({ roles: ["planner", "reviewer"] });
  const prompt = systemPrompt(agent);
  expect(prompt).toContain("You are Ada, agent `ada`, with the roles planner, reviewer.\n");
  expect(prompt).toMatch(/@name:server\.\n\nBe brief\.$/);
  expect(systemPrompt({ ...agent })).toBe(prompt);
  expect(systemPrompt({ ...agent, roles: [], instructions: " " })).toMatch(/^You are Ada, agent `ada`\.\n[^\n]*$/);
});

test("after who and where come the roles' prompts, the crew's rules and the agent's own instructions", () => {
  const { agent } = opening({
    rolePrompts: ["Plan well.", "Review well.\n"],
    rules: "- Be kind.\n- Answer in German.\n",
  });
  expect(systemPrompt(agent)).toMatch(
    /@name:server\.\n\nPlan well\.\n\nReview well\.\n\nRules of the crew:\n- Be kind\.\n- Answer in German\.\n\nBe brief\.$/,
  );
});

test("an agent with all four roles has a system prompt below 4 KB, so that tools and the turn fit beside it", async () => {
  const roles = ["planner", "executor", "reviewer", "patrol"];
  const { config } = await loadConfig(packagePath("config/demo.yaml"), {
    env: {},
    overrides: { agents: [{ id: "ada", roles }] },
  });
  const rolePrompts = promptsFor(roles, await loadRolePrompts(config));
  expect(rolePrompts).toHaveLength(4);
  expect(Buffer.byteLength(systemPrompt(opening({ roles, rolePrompts }).agent))).toBeLessThan(4_096);
});

test("a file is fenced so that its own backticks cannot end it, and its name stays on one line", () => {
  const { content } = userMessage([
    { type: "text", text: "look" },
    { type: "resource", name: "a\nb.md", mimeType: "text/markdown", text: "one\n```js\n```\n" },
  ]);
  expect(content).toEqual([
    { type: "text", text: "look\n\nFile a b.md (text/markdown):\n````\none\n```js\n```\n````" },
  ]);
});

test("what cannot be included is told with the reason", () => {
  const { content } = userMessage([
    { type: "resource_link", name: "film.mp4", mimeType: "video/mp4", size: 9, why: "it is no text" },
    { type: "image", name: "x.svg", mimeType: "image/svg+xml", data: "" },
  ]);
  expect(content).toEqual([
    {
      type: "text",
      text:
        "[file film.mp4 (video/mp4, 9 bytes): not included, it is no text]\n\n" +
        "[image x.svg (image/svg+xml): not included, images of this kind cannot be shown]",
    },
  ]);
});
