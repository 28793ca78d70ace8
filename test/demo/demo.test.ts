import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { playConversation } from "../../src/demo/conversation.ts";
import { runDemo } from "../../src/demo/demo.ts";
import { DemoPerson } from "../../src/demo/demo-person.ts";
import { runOwnDemo } from "../../src/demo/own-demo.ts";
import { RoomView } from "../../src/demo/room-view.ts";
import { startRehearsal } from "../../src/models/rehearsal/server.ts";
import type { RehearsalInput } from "../../src/models/rehearsal/script.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import { sharedSynapse } from "../support/shared-synapse.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "crewroom-demo-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Asks before it plans, plans something else, and rejects nothing. */
const anotherModel: RehearsalInput = {
  rules: [
    {
      when: { last: "Plan it" },
      answer: { tools: [{ name: "ask_human", arguments: { question: "Which language?" } }] },
    },
    {
      when: { last: "Answer to your question" },
      answer: {
        tools: [
          {
            name: "plan_task",
            arguments: { subtasks: [{ id: "all", title: "All", deliverable: "All", acceptance: ["It is there."] }] },
          },
        ],
      },
    },
    {
      when: { last: "Your subtask" },
      answer: { tools: [{ name: "submit_work", arguments: { subtask: "all", summary: "Here." } }] },
    },
    {
      when: { last: "Review `all`" },
      answer: {
        tools: [{ name: "review_work", arguments: { subtask: "all", verdict: "approve", score: 3, issues: [] } }],
      },
    },
    { answer: { text: "Well." } },
  ],
};

describe("crewroom demo", { timeout: 240_000 }, () => {
  test("plays a whole task with a script to its end, and again on the same folder with a model that says other words", async () => {
    const folder = path.join(directory, "local");
    await using model = await startRehearsal({ scripts: [anotherModel] });
    const run = async (env: NodeJS.ProcessEnv): Promise<string> => {
      const lines: string[] = [];
      const code = await runDemo({ once: true, directory: folder, env, say: (line) => void lines.push(line) });
      const told = lines.join("\n");
      expect({ code, told }).toMatchObject({
        code: 0,
        told: expect.stringContaining("All answers came.") as unknown,
      });
      return told;
    };
    const first = await run({});
    expect(first).toContain("no model is asked");
    for (const said of [
      /You +!crew new Build a CSV parser/,
      /Ada's plan/,
      /You +\* put ✅ on “📋/,
      /You +\* put 1️⃣ on “❓ Bo asks: Which license/,
      /\+`node --test` runs the tests\. License: Apache-2\.0/,
      /Bo +↳ parser {2}📦/,
      /Crewroom +↳ parser {2}📝 Bo changed 1 file/,
      /Cleo +↳ parser {2}🔁/,
      /a comma in quotes stays in its field: expected `\[ \[ 'a,b', 'c' \] \]`/,
      /↳ parser {2}🔐 Bo wants to use `run_command` for `parser`: `npm\s+pack\s+--dry-run`\s+```\s+npm pack --dry-run\s+```/,
      /You +\* put ✅ on “🔐 Bo wants to use/,
      /Handed in `parser` [\s\S]*would\s+pack\s+3\s+files/,
      /Cleo +↳ parser {2}✅[^\n]*\n?[^\n]*5 tests\s+pass/,
      /📎 task-1-[0-9a-f]+\.zip/,
      /You +!crew show parse-csv\.js/,
      /📎 parse-csv\.js/,
      /\(now\) ✅ `parser` .* after 1 rework/,
      /Crewroom +✅ #1 Build a CSV parser is done/,
      /You +\* put 🛑 on “Gladly/,
      /question\s+answered`, on\s+`bo`: `a2: 1,\s+Apache-2\.0`/,
      /permission answered`, on\s+`bo`: `a3:\s+approve,\s+run_command npm pack --dry-run`/,
      /`npm pack --dry-run` \(`grant\s+g1`\)/,
      /command\s+`stop`, on `bo`/,
    ])
      expect(first).toMatch(said);
    expect(first.match(/↳ parser {2}🔐/g), "no other command is asked about").toHaveLength(1);
    expect(first).not.toContain("this is where the story ends");

    const second = await run({ OPENAI_BASE_URL: model.url, OPENAI_API_KEY: "none" });
    expect(second).toMatch(/You +Decide that as you think best\./);
    expect(second).toMatch(/Crewroom +✅ #2 Build a CSV parser is done/);
    const password = (told: string): string | undefined => /password +(\S+)/.exec(told)?.[1];
    expect(password(second)).toBe(password(first) ?? "a password");
  });

  test("names what did not come when there is no bridge", async () => {
    const synapse = await sharedSynapse();
    const stop = new AbortController();
    const account = await synapse.registerUser(uniqueName(), "a password");
    const view = new RoomView(account.userId, () => undefined);
    const person = new DemoPerson(synapse.url, account, stop.signal);
    const agent = (id: string): string => `@agent_${id}:localhost`;
    const missing = playConversation({ person, view, agent, scripted: true, signal: stop.signal });
    stop.abort();
    expect(await missing).toEqual(["the room #crewroom:localhost"]);
  });

  test("on one's own homeserver it says what to install, keeps it for the next run, and waits until it is known", async () => {
    const synapse = await sharedSynapse();
    const folder = path.join(directory, "own");
    const registrationFile = path.join(folder, "registration.yaml");
    const registrations: string[] = [];
    for (const _run of [1, 2]) {
      const stop = new AbortController();
      const lines: string[] = [];
      const say = (line: string): void => {
        lines.push(line);
        if (line.includes("does not know it yet")) stop.abort();
      };
      const options = {
        homeserver: synapse.url,
        person: "@me:localhost",
        directory: folder,
        env: {},
        say,
        signal: stop.signal,
      };
      await expect(runOwnDemo(options)).rejects.toMatchObject({ name: "AbortError" });
      expect(lines.join("\n")).toContain(`app_service_config_files:\n    - ${registrationFile}`);
      registrations.push(await readFile(registrationFile, "utf8"));
    }
    expect(registrations[1]).toBe(registrations[0]);
    expect((await stat(registrationFile)).mode & 0o777).toBe(0o600);
    const config = await readFile(path.join(folder, "crewroom.yaml"), "utf8");
    expect(config).toContain('"@me:localhost": admin');
    expect(config).not.toContain("@you:localhost");
  });

  test("a homeserver of one's own needs a person with a Matrix id", async () => {
    const homeserver = "http://127.0.0.1:9";
    await expect(runDemo({ once: false, homeserver })).rejects.toMatchObject({ code: "COMMAND_INVALID" });
    await expect(runDemo({ once: false, homeserver, person: "me" })).rejects.toMatchObject({ code: "COMMAND_INVALID" });
  });
});
