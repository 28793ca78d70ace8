/** What happens to a task when its agents are removed, fall silent, or talk nonsense. */
import { expect, test } from "vitest";
import type { Person } from "../support/person.ts";
import { sharedStage } from "../support/shared-stage.ts";
import {
  approvalOf,
  diligence,
  part,
  patient,
  planRule,
  type SubtaskContent,
  taskCrew,
  TaskRoom,
} from "../support/tasks.ts";

/** The first agent that gets the subtask says a word and never ends its turn. */
const hangs = (role: string, last: string) => ({
  when: { role, last },
  times: 1,
  answer: { text: "Let me think.", hang: true },
});
const plans = (last: string, step: number, subtasks: readonly Record<string, unknown>[]) => ({
  when: { role: "planner", last, step },
  answer: { tools: [{ name: "plan_task", arguments: { subtasks } }] },
});
/** A plan that fails three times in one turn. */
const badPlans = (title: string) => {
  const last = `/${title}[\\s\\S]*Plan it with plan_task/`;
  return [
    plans(last, 1, [part({ id: "egg", after: ["hen"] }), part({ id: "hen", after: ["egg"] })]),
    plans(last, 2, [part({ id: "egg", after: ["rooster"] })]),
    plans(last, 3, [{ ...part({ id: "egg" }), acceptance: [] }]),
    { when: { role: "planner", last, step: 4 }, answer: { text: "I do not know." } },
  ];
};

const shared = sharedStage({
  agents: taskCrew.map((agent) => ({ ...agent, parallel: 9 })),
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: { tasks: { plan_approval: "never", final_approval: "none" } },
  script: [
    ...["kicked", "banned", "paused", "cancelled"].map((id) =>
      planRule([{ id }, { id: `${id}-next`, after: [id] }], id),
    ),
    ...["kicked", "banned"].map((id) => hangs("executor", `/Your subtask \`${id}\`/`)),
    // The first prompt of a conversation: in a second try of the test as well.
    ...["paused", "cancelled"].map((id) => ({
      when: { role: "executor", last: `/Your subtask \`${id}\`/`, turn: 1 },
      answer: { text: "Let me think.", hang: true },
    })),
    ...badPlans("Hens"),
    ...badPlans("Eggs"),
    {
      when: { role: "planner", last: "only one egg" },
      answer: { tools: [{ name: "plan_task", arguments: { subtasks: [part({ id: "egg" })] } }] },
    },
    planRule([{ id: "nonsense" }], "Nonsense"),
    {
      when: { role: "executor", last: "/Your subtask `nonsense`/", step: 1 },
      answer: {
        tools: [
          { name: "submit_work", arguments: "no JSON at all" },
          { name: "fly_to_the_moon", arguments: { fuel: true } },
          { name: "submit_work", arguments: { subtask: 7, summary: null } },
          { name: "review_work", arguments: { subtask: "nonsense", verdict: "approve", score: 5 } },
          { name: "plan_task", arguments: { subtasks: [] } },
          { name: "submit_work", arguments: { subtask: "another", summary: "done" } },
        ],
      },
    },
    {
      when: { role: "executor", last: "/Your subtask `nonsense`/", step: 2 },
      answer: {
        tools: [{ name: "submit_work", arguments: { subtask: "nonsense", summary: "First draft of sense." } }],
      },
    },
    ...diligence,
  ],
});

const opened = (person: Person, words: string): Promise<TaskRoom> =>
  TaskRoom.openByBot(person, shared.stage.crew, words);

/** Until somebody works on it and has said so. */
async function held(task: TaskRoom, id: string): Promise<{ readonly holder: string; readonly epoch: number }> {
  const { holder = "", lease } = await task.waitForSubtask(
    id,
    ({ state, lease: now }) => state === "working" && now !== undefined,
  );
  await task.person.waitForMessage(task.room, "Let me think.", { ...patient, from: holder });
  return { holder, epoch: lease?.epoch ?? 0 };
}

const doneBy = ({ submission }: SubtaskContent): string | undefined => submission?.by;

test("an agent that is kicked loses its work to another one, under a higher epoch", async () => {
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Be kicked");
  const { holder, epoch } = await held(task, "kicked");
  await anna.kick(task.room, holder, "too slow");
  const done = await task.waitForSubtask("kicked", "done");
  expect(done.epoch).toBeGreaterThan(epoch);
  expect(doneBy(done)).not.toBe(holder);
  await task.waitForTask("done");
  await anna.waitForMessage(task.room, /is done/, patient);
  expect(anna.client.getRoom(task.room)?.getMember(holder)?.membership).toBe("leave");
});

test("an agent that is banned gets no work there any more", async () => {
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Be banned");
  const { holder, epoch } = await held(task, "banned");
  await anna.ban(task.room, holder);
  const [first, next] = [await task.waitForSubtask("banned", "done"), await task.waitForSubtask("banned-next", "done")];
  expect(first.epoch).toBeGreaterThan(epoch);
  expect([doneBy(first), doneBy(next)]).not.toContain(holder);
  await task.waitForTask("done");
  expect(anna.client.getRoom(task.room)?.getMember(holder)?.membership).toBe("ban");
});

test("a paused task ends its turns and gives nothing out until it is resumed", async () => {
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Be paused");
  const { holder, epoch } = await held(task, "paused");
  await anna.waitForTyping(task.room, holder);
  expect(await task.command("pause lunch")).toMatch(/Paused/);
  await task.waitForTask("paused");
  await anna.waitForTyping(task.room, holder, { typing: false });
  expect(await task.waitForSubtask("paused", "ready")).not.toHaveProperty("lease");
  expect(task.task?.paused).toContain("lunch");
  expect(await task.command("resume")).toMatch(/goes on/);
  const done = await task.waitForSubtask("paused", "done");
  expect(done.epoch).toBeGreaterThan(epoch);
  await task.waitForTask("done");
});

test("a cancelled task ends its turns for good", async () => {
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Be cancelled");
  const { holder } = await held(task, "cancelled");
  await anna.waitForTyping(task.room, holder);
  expect(await task.command("cancel no longer needed")).toMatch(/Cancelled/);
  await task.waitForTask("cancelled");
  await anna.waitForTyping(task.room, holder, { typing: false });
  for (const id of ["cancelled", "cancelled-next"]) await task.waitForSubtask(id, "cancelled");
  expect(await task.command("resume")).toMatch(/The task is cancelled/);
  expect(await task.actions("submit")).toEqual([]);
});

test("a planner that fails three times has a person asked, whose words it gets with the next try", async () => {
  const { crew, rehearsal } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Hens");
  const asked = await task.waitForAsk("planner");
  expect(asked.text).toMatch(/no acceptance criteria/);
  const told = rehearsal.requests.filter(({ scene }) => scene.last.includes("Hens")).at(-1)?.body.messages ?? [];
  const refusals = told.filter(({ role }) => role === "tool").map(({ content }) => JSON.stringify(content));
  expect(refusals[0]).toMatch(/wait for each other/);
  expect(refusals[1]).toMatch(/rooster.*not in the plan/);
  await anna.reply(task.room, asked, "retry only one egg");
  expect(approvalOf(await task.waitForAnswered(asked))).toMatchObject({ option: "retry", by: anna.userId });
  await task.waitForSubtask("egg", "done");
  await task.waitForTask("done");
  expect((await task.actions("plan")).map(({ sender }) => sender)).toEqual([crew.bot]);
});

test("or the person cancels the task", async () => {
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Eggs");
  const asked = await task.answer("planner", "🗑️");
  expect(approvalOf(asked)).toMatchObject({ option: "cancel" });
  await task.waitForTask("cancelled");
});

test("tool calls that make no sense are refused in words, and change nothing", async () => {
  const { rehearsal } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Nonsense");
  const done = await task.waitForSubtask("nonsense", "done");
  expect(done.submission?.summary).toBe("First draft of sense.");
  expect(await task.actions("submit")).toHaveLength(1);
  const request = rehearsal.requests.find(({ scene }) => scene.last.includes("`nonsense`") && scene.step === 2);
  const results = (request?.body.messages ?? [])
    .filter(({ role }) => role === "tool")
    .map(({ content }) => JSON.stringify(content));
  expect(results).toHaveLength(6);
  for (const result of results) expect(result).toMatch(/Not \w+:|unavailable tool|Invalid input/);
  await task.waitForTask("done");
});
