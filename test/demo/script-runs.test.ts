/** The demo's script judges by what its commands print: played here on a folder, without a bridge. */
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { fits } from "../../src/core/policy.ts";
import { operate } from "../../src/files/operations/operate.ts";
import type { CommandResult, Worktree } from "../../src/files/port.ts";
import { missingSandbox, openSandbox } from "../../src/files/sandbox/sandbox.ts";
import { fillDeep, match, type Scene } from "../../src/models/rehearsal/scene.ts";
import { loadRehearsal } from "../../src/models/rehearsal/script.ts";

const { rules } = await loadRehearsal("config/rehearsal/demo.yaml");
const { policy } = (await loadConfig("config/demo.yaml", { env: {} })).config;
const mostSteps = 8;
const signal = new AbortController().signal;

/** The script's own commands only. */
const sandbox = await openSandbox({
  mode: "none",
  network: false,
  seconds: 60,
  memoryBytes: 2 ** 30,
  processes: 64,
  outputBytes: 30_000,
  hidden: [],
  log: { debug: () => undefined, warn: () => undefined },
});

let root = "";
beforeEach(async () => {
  root = await realpath(await mkdtemp(path.join(tmpdir(), "crewroom-script-")));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
});

type Calls = Readonly<Record<string, unknown>>;
type Run = (command: string) => Promise<CommandResult>;

const really: Run = (command) => sandbox.run({ command, root, writable: true, readable: [], signal });

/** Whether the demo's policy asks a person about a command. */
const isAsked = (command: string): boolean =>
  policy.find(({ tool, about }) => fits(tool, "run_command") && fits(about, command))?.do === "ask";

/**
 * Plays one turn with real files, and gives what its agent said to the bridge in the end. A command that the policy asks
 * about runs when this is what the agent was told.
 */
async function turn(role: string, last: string, run: Run = really): Promise<{ tool: string; given: Calls }> {
  const worktree: Worktree = { root, gitDir: "", writable: role === "executor", branch: "subtask/parser" };
  const use = (request: Parameters<typeof operate>[1]): Promise<string> =>
    operate(worktree, request, {
      fileBytes: 100_000,
      secretIn: () => Promise.resolve(undefined),
      history: () => Promise.resolve(""),
      restore: () => Promise.resolve(""),
      record: () => Promise.resolve(),
      run,
      signal,
    });
  let asked: Calls = {};
  let before: Pick<Scene, "lastTool" | "result"> = { lastTool: undefined, result: "" };
  for (let step = 1; step <= mostSteps; step += 1) {
    const scene: Scene = { agent: "", roles: [role], session: "", last, ...before, turn: 1, step };
    const [tools] = rules.flatMap(({ when, answer }) => {
      const groups = match(when, scene, answer);
      return groups === undefined ? [] : [fillDeep(answer.tools ?? [], scene, groups)];
    }) as [readonly { readonly name: string; readonly arguments: Record<string, string> }[]];
    for (const { name, arguments: given } of tools) {
      const { path: file = "", command = "", content = "", old = "", new: text = "" } = given;
      const results: Readonly<Record<string, () => Promise<string>>> = {
        list_files: () => use({ kind: "list", path: file }),
        read_file: () => use({ kind: "read", path: file }),
        write_file: () => use({ kind: "write", path: file, content }),
        edit_file: () => use({ kind: "edit", path: file, old, new: text }),
        run_command: () => {
          if (!isAsked(command) || last === allows(command)) return use({ kind: "run", command });
          asked = { command };
          return Promise.resolve("Not done yet: a person is asked whether you may.");
        },
        report_progress: () => Promise.resolve("Told."),
      };
      const result = results[name];
      if (result === undefined) return { tool: name, given };
      before = { lastTool: name, result: await result() };
    }
    if (tools.length === 0) break;
  }
  return { tool: "none", given: asked };
}

const work = (subtask: string): string =>
  `Task #1: Build a CSV parser\nwith tests\n\nYour subtask \`${subtask}\`: Do it\nDeliverable: It.\nAcceptance:\n1. It is there.`;
const review = (subtask: string): string =>
  `Task #1: Build a CSV parser\nwith tests\n\nReview \`${subtask}\`: Do it\nDeliverable: It.`;
const answer = (words: string): string => `@you:localhost: Answer to your question: ${words}`;
const allows = (command: string): string =>
  `@you:localhost: @you:localhost allows it this once: \`run_command\` with \`${command}\`. Do it now.`;
const denies = (command: string, who: string): string =>
  `@you:localhost: ${who}: \`run_command\` with \`${command}\` is not done. Find another way, or say that you are blocked.`;
const pack = "npm pack --dry-run";
const rework = (subtask: string): string =>
  `\`${subtask}\` was rejected by cleo (score 2). To mend:\n- A comma.\n\nThen hand it in again with submit_work.`;

async function untilParser(): Promise<void> {
  expect(await turn("executor", work("rules"))).toMatchObject({ tool: "ask_human", given: { options: { length: 2 } } });
  for (const [subtask, told] of [
    ["rules", answer("MIT")],
    ["tests", work("tests")],
  ] as const) {
    expect(await turn("executor", told)).toMatchObject({ tool: "submit_work", given: { subtask } });
    expect(await turn("reviewer", review(subtask))).toMatchObject({
      tool: "review_work",
      given: { verdict: "approve" },
    });
  }
}

describe("the demo's task about a CSV parser", { timeout: 60_000 }, () => {
  test("the first parser really fails, and the review quotes how; the mended one really passes", async () => {
    await untilParser();
    expect(await turn("executor", work("parser"))).toMatchObject({ tool: "submit_work" });
    const { given: rejected } = await turn("reviewer", review("parser"));
    expect(rejected).toMatchObject({ verdict: "reject", comment: "I have run `node --test`: 2 tests pass, 3 fail." });
    expect(rejected["issues"]).toEqual([
      `a comma in quotes stays in its field: expected \`[ [ 'a,b', 'c' ] ]\`, got \`[ [ '"a', 'b"', 'c' ] ]\``,
      expect.stringContaining("a line break in quotes stays in its field") as unknown,
      expect.stringContaining("a doubled quote in quotes is one quote") as unknown,
    ]);
    expect(await turn("executor", rework("parser")), "a person is asked").toEqual({
      tool: "none",
      given: { command: pack },
    });
    const { given: mended } = await turn("executor", allows(pack));
    expect(mended["summary"]).toContain("All tests pass, and `npm pack --dry-run` would pack 3 files.");
    expect(await turn("reviewer", review("parser"))).toMatchObject({
      given: { verdict: "approve", comment: "I have run `node --test`: 5 tests pass, none fails." },
    });
  });

  test("the answer to Bo's question is in the file that it was about, and silence is one as well", async () => {
    const file = path.join(root, "README.md");
    await turn("executor", answer("MIT"));
    expect(await readFile(file, "utf8")).toMatch(/License: MIT$/m);
    await turn("executor", answer("whatever Ada likes"));
    expect(await readFile(file, "utf8")).toMatch(/License: whatever Ada likes$/m);
    const silence = "@crewroom:localhost: Nobody answered your question in time. Go on as you think best.";
    expect(await turn("executor", silence)).toMatchObject({ tool: "submit_work", given: { subtask: "rules" } });
    expect(await readFile(file, "utf8")).toMatch(/License: Nobody answered$/m);
  });

  test("who may not run a command hands in without it, and says so", async () => {
    for (const who of ["@you:localhost said no", "Nobody answered in time"])
      expect(await turn("executor", denies(pack, who))).toMatchObject({
        tool: "submit_work",
        given: {
          summary: expect.stringMatching(new RegExp(`I did not look what would be packed: ${who}\\.$`)) as unknown,
        },
      });
    expect(await turn("executor", allows(pack)), "there is nothing to pack").toMatchObject({
      tool: "submit_work",
      given: { summary: expect.stringContaining("ended with exit code") as unknown },
    });
  });

  test("a parser that passes at once is approved at once", async () => {
    await untilParser();
    await turn("executor", work("parser"));
    await turn("executor", rework("parser"));
    expect(await turn("reviewer", review("parser"))).toMatchObject({ given: { verdict: "approve" } });
  });

  test("another failure is quoted as well, and no test at all is no success", async () => {
    await untilParser();
    await turn("executor", work("parser"));
    await turn("executor", rework("parser"));
    const file = path.join(root, "parse-csv.js");
    await writeFile(file, (await readFile(file, "utf8")).replace("replaceAll", "replace"));
    expect(await turn("reviewer", review("parser"))).toMatchObject({
      given: { verdict: "reject", issues: ["This fails, the first of 1: a doubled quote in quotes is one quote"] },
    });
    await rm(path.join(root, "parse-csv.test.js"));
    expect(await turn("reviewer", review("parser"))).toMatchObject({
      given: { verdict: "reject", comment: "I have run `node --test`, and no test has passed." },
    });
  });

  test("a run that was ended is no success, and one that was refused no verdict", async () => {
    const ended: Run = () => Promise.resolve({ endedBy: "time", output: "", leftOut: 0, tookMs: 60_000 });
    expect(await turn("reviewer", review("parser"), ended)).toMatchObject({
      given: { verdict: "reject", issues: [expect.stringContaining("it took longer than it may") as unknown] },
    });
    const missing = missingSandbox("bubblewrap is not installed", "Install it.");
    const refused: Run = (command) => missing.run({ command, root, writable: true, readable: [], signal });
    expect(await turn("reviewer", review("parser"), refused)).toEqual({ tool: "none", given: {} });
  });

  test("a missing file is no success", async () => {
    expect(await turn("reviewer", review("rules"))).toMatchObject({
      given: { verdict: "reject", issues: [expect.stringContaining("there is no README.md") as unknown] },
    });
  });
});
