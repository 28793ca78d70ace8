/** The demo's script, with a task that it does not play by itself: whoever tries one in Element gets on with it. */
import { expect, test } from "vitest";
import { loadRehearsal } from "../../src/models/rehearsal/script.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { patient, TaskRoom } from "../support/tasks.ts";

const { rules } = await loadRehearsal("config/rehearsal/demo.yaml");
const shared = sharedStage({
  agents: [
    { id: "ada", name: "Ada", roles: ["planner"] },
    { id: "bo", name: "Bo", roles: ["executor", "writer"] },
    { id: "cleo", name: "Cleo", roles: ["reviewer"] },
  ],
  permissions: (home) => ({ [home]: "task" }),
  // The script's own commands only, also where there is no sandbox.
  config: {
    tasks: { plan_approval: "always" },
    sandbox: { mode: "none" },
    policy: [{ tool: "run_command", do: "allow" }],
  },
  script: rules,
});

test("a task of any title is planned, planned again, widened, reworked once and finished, with a file from each subtask", async () => {
  const anna = await shared.someone("anna");
  const task = await TaskRoom.openByBot(anna, shared.stage.crew, "Write a song — about the rain");
  const first = await task.waitForAsk("plan");
  expect(first.text).toContain("What was asked for: Write a song");
  await anna.reply(task.room, first, "deny it has to rhyme");
  await task.waitForAnswered(first);
  expect((await task.answer("plan")).text).toContain("What was asked for: it has to rhyme");

  await anna.say(task.room, "please also add an umbrella");
  expect((await task.answer("plan")).text).toContain("It settles this: add an umbrella");
  const final = await task.waitForAsk("final");
  expect(task.subtask("result")).toMatchObject({ state: "done", rework: 1 });
  const [rejected] = await task.actions("review", "result");
  expect(rejected?.text).toContain("“How one knows that it is done” is in outline.md, but not in result.md.");
  await anna.reply(task.room, final, "deny the chorus is missing");
  expect((await task.answer("plan")).text).toContain("the chorus is missing");
  await task.answer("final", "✅", { ...patient, except: final.id });
  expect((await task.waitForTask("done")).progress).toEqual({ done: 5, total: 5 });
  const files = await task.command("files");
  for (const name of ["outline", "result", "guide"]) expect(files).toContain(`\`${name}.md\``);
  expect(files.match(/`more-\d+\.md`/g)).toHaveLength(2);
}, 120_000);
