/** Leave for what agents do, asked of people in a real room: for hosts that commands reach, and for what they write. */
import { expect, test } from "vitest";
import { poll } from "../../src/demo/poll.ts";
import { wallsWork } from "../files/sandbox/helpers.ts";
import { handIn, quiet, run, toolResults, uses, write } from "../support/files.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { approvalOf, diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const walls = await wallsWork();

/** A request by way of the sandbox's proxy, to a host that is there on every machine and never let in by its address. */
const host = "localhost:9";
const reach = `node -e "require('http').get({ host: '127.0.0.1', port: 3128, path: 'http://${host}/' }, async (answer) => console.log(answer.statusCode, (await answer.toArray()).join('')))"`;

const shared = sharedStage({
  agents: taskCrew,
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: {
    tasks: { plan_approval: "never" },
    policy: [
      { tool: "network", about: "*.forbidden.example:*", do: "deny" },
      { tool: "network", do: "ask" },
      { tool: "write_file", about: "asked.txt", do: "ask" },
    ],
  },
  script: [
    planRule([{ id: "fetch" }], "Fetch it"),
    ...uses("executor", "/Your subtask `fetch`/", [
      run(reach),
      run(reach.replaceAll(host, "a.forbidden.example:443")),
      run(reach.replaceAll(host, "127.0.0.1:9")),
    ]),
    { when: { role: "executor", last: "/Your subtask `fetch`/" }, answer: { text: "I wait." } },
    // Once only: the second time a person is asked again.
    ...uses("executor", "/allows it this once: `network`/", [run(reach), run(reach)]),
    { when: { role: "executor", last: "/allows it this once: `network`/" }, answer: { text: "Reached." } },
    ...uses("executor", "/allows it from now on: `network`/", [run(reach), run(reach), handIn("fetch")]),
    planRule([{ id: "note" }], "Note it"),
    ...uses("executor", "/Your subtask `note`/", [write("asked.txt", "harmless\n")]),
    { when: { role: "executor", last: "/Your subtask `note`/" }, answer: { text: "I wait." } },
    ...uses("executor", "/allows it this once: `write_file`/", [
      write("asked.txt", "harmful\n"),
      write("asked.txt", "harmless\n"),
    ]),
    { when: { role: "executor", last: "/allows it this once: `write_file`/" }, answer: { text: "I wait." } },
    ...uses("executor", "/`write_file` with .* is not done/", [handIn("note")]),
    planRule([{ id: "much" }], "Note much"),
    ...uses("executor", "/Your subtask `much`/", [write("asked.txt", "line\n".repeat(8_000))]),
    { when: { role: "executor", last: "/Your subtask `much`/" }, answer: { text: "I wait." } },
    ...diligence,
    quiet,
  ],
});

test.skipIf(!walls)(
  "a person is asked about a host that a command wants to reach, and the answer holds for what it says",
  { timeout: 240_000 },
  async () => {
    const { crew, rehearsal } = shared.stage;
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Fetch it");

    const asked = await task.waitForAsk("permission");
    expect(asked.text).toContain("wants to use `network`");
    expect(asked.text).toContain(`for \`fetch\`: \`${host}\``);
    // What is asked about is all there: the host, and the command that reaches for it.
    expect(asked.text).toContain(reach);
    expect(asked.reactions.map(({ key }) => key).toSorted()).toEqual(["✅", "❌", "♾️"].toSorted());
    const first = await until(() => {
      const results = toolResults(rehearsal, /Your subtask `fetch`/);
      return results.length === 3 ? results : undefined;
    });
    expect(first[0]).toContain(`403 ${host}: Not done yet: a person is asked`);
    expect(first[0]).toContain(`Not reached: ${host}. Not done yet: a person is asked`);
    expect(first[1]).toContain(
      "Not reached: a.forbidden.example:443. Not done: network is not allowed to you here (policy 1).",
    );
    // Nobody is asked about this machine itself.
    expect(first[2]).toContain("403 127.0.0.1:9 is not outside of this machine");
    expect(anna.seen(task.room).filter((said) => approvalOf(said)["matter"] === "permission")).toHaveLength(1);

    await anna.react(task.room, asked.id, "✅");
    await task.waitForAnswered(asked);
    const again = await task.waitForAsk("permission", { ...patient, except: asked.id });
    const once = toolResults(rehearsal, /allows it this once: `network`/);
    // It was let in, and only then looked up.
    expect(once[0]).toContain("403 localhost has no address outside of this machine");
    expect(once[0]).not.toContain("Not reached");
    await anna.reply(task.room, again, "always");
    await task.waitForAnswered(again);
    await task.waitForAsk("final");
    for (const result of toolResults(rehearsal, /allows it from now on: `network`/).slice(0, 2))
      expect(result).not.toContain("Not reached");
    expect(await task.command("grants")).toContain(`may use \`network\` always, by ${anna.userId}: \`${host}\``);
    const audit = await task.command("audit tool");
    expect(audit).toMatch(/`network` of `fetch`: `localhost:9` \(`grant g1`\)/);
    expect(await task.command("audit refusal")).toMatch(
      /`network` of `fetch`: `a\.forbidden\.example:443` \(`policy 1`\)/,
    );
  },
);

test(
  "what is written once is what the person was shown, and nothing else under its name",
  { timeout: 240_000 },
  async () => {
    const { crew, rehearsal } = shared.stage;
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Note it");
    const asked = await task.waitForAsk("permission");
    expect(asked.text).toContain("asked.txt\n\nharmless");
    await anna.react(task.room, asked.id, "✅");
    const other = await task.waitForAsk("permission", { ...patient, except: asked.id });
    expect(other.text).toContain("asked.txt\n\nharmful");
    const results = await until(() => {
      const now = toolResults(rehearsal, /allows it this once: `write_file`/);
      return now.length === 2 ? now : undefined;
    });
    expect(results[0]).toContain("a person is asked");
    expect(results[1]).toMatch(/^Created: asked.txt/);
    await anna.reply(task.room, other, "deny keep it harmless");
    await task.waitForAsk("final");
    const shown = await task.fileAfter("show asked.txt");
    expect(shown.bytes.toString()).toBe("harmless\n");
  },
);

test("a question that is too long for a message is one all the same, with all of it in a file before", async () => {
  const { crew } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await TaskRoom.openByBot(anna, crew, "Note much");
  const asked = await task.waitForAsk("permission");
  expect(asked.text).toMatch(/wants to use `write_file`[^]*in the file above[^]*React/);
  expect(asked.text.length).toBeLessThan(1_000);
  const file = await anna.waitForMessage(task.room, "whole.md");
  expect(approvalOf(file)).toEqual({});
  await anna.reply(task.room, asked, "deny");
  const answered = await task.waitForAnswered(asked);
  expect(answered.text).toMatch(/wants to use `write_file`[^]*“no”, said/);
});

async function until<T>(probe: () => T | undefined): Promise<T> {
  return poll(async () => probe(), { everyMs: 100, signal: AbortSignal.timeout(patient.timeoutMs) });
}
