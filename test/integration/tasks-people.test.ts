/** What people say and ask in the middle of a task. */
import { expect, test } from "vitest";
import type { Person } from "../support/person.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";
import { actionOf, approvalOf, diligence, part, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const shared = sharedStage({
  agents: taskCrew.map((agent) => ({ ...agent, parallel: 9 })),
  permissions: (home) => ({ [home]: "task", [`@tom:${home}`]: "talk", [`@boss:${home}`]: "admin" }),
  config: { tasks: { plan_approval: "never" } },
  script: [
    planRule([{ id: "notes" }], "Release"),
    planRule([{ id: "table" }], "Tidy"),
    planRule([{ id: "lexer" }, { id: "parser", after: ["lexer"] }], "Parse"),
    {
      when: { role: "executor", last: "/Your subtask `notes`/", step: 1 },
      answer: { tools: [{ name: "ask_human", arguments: { question: "Which version is it?" } }] },
    },
    {
      when: { role: "planner", last: "add a changelog" },
      answer: {
        tools: [
          {
            name: "revise_plan",
            arguments: { subtasks: [part({ id: "changelog", after: ["notes"] })], reason: "Anna wants a changelog." },
          },
        ],
      },
    },
    {
      when: { role: "planner", last: "mind the umlauts" },
      answer: {
        tools: [
          { name: "revise_plan", arguments: { subtasks: [part({ id: "umlauts" })], reason: "Umlauts are missing." } },
        ],
      },
    },
    {
      when: { role: "executor", last: "/it is version (\\S+)/" },
      answer: { tools: [{ name: "submit_work", arguments: { subtask: "notes", summary: "Notes of $1" } }] },
    },
    ...diligence,
  ],
});

const opened = (person: Person, words: string): Promise<TaskRoom> =>
  TaskRoom.openByBot(person, shared.stage.crew, words);

test("a requirement said in the middle changes the plan and shows in the result, and a word in a thread reaches its worker", async () => {
  const { crew, rehearsal } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Release notes");
  const asked = await task.waitForAsk("question");
  const { thread, holder } = await task.waitForSubtask("notes", "working");
  expect(asked).toMatchObject({ thread, mentions: [anna.userId] });

  await anna.say(task.room, "please add a changelog as well");
  await anna.waitForMessage(task.room, /changes the plan.*Anna wants a changelog/, patient);
  await task.waitForSubtask("changelog", "waiting");

  await anna.say(task.room, "by the way, it is version 1.2.3", { thread });
  const notes = await task.waitForSubtask("notes", "done");
  expect(notes.submission).toMatchObject({ by: holder, summary: "Notes of 1.2.3" });
  await task.waitForSubtask("changelog", "done");
  const final = await task.answer("final");
  expect(final.text).toContain("First draft of changelog");
  expect(final.text).toContain("Notes of 1.2.3");
  await task.waitForTask("done");
  // Only the one who works in the thread heard what was said there.
  const heard = rehearsal.requests.filter(({ scene }) => scene.last.includes("by the way"));
  expect([...new Set(heard.map(({ scene }) => crew.agent(scene.agent)))]).toEqual([holder]);
});

test("somebody who may only talk approves nothing, by reaction or reply, and is told so once", async () => {
  const { crew, rehearsal } = shared.stage;
  const anna = await shared.someone("anna");
  const tom = await shared.stage.person("tom");
  const task = await opened(anna, "Tidy up");
  await anna.invite(task.room, tom.userId);
  await tom.waitForInvite(anna.userId);
  await tom.join(task.room);
  const final = await task.waitForAsk("final");
  await tom.waitForMessage(task.room, (said) => said.id === final.id);

  await tom.react(task.room, final.id, "✅");
  await tom.reply(task.room, final, "approve");
  const refusal = await tom.waitForMessage(task.room, /you need the permission/, { from: crew.bot });
  expect(refusal.mentions).toEqual([tom.userId]);
  await tom.reply(task.room, final, "approve, I say");
  await tom.say(task.room, "planner, add a spell checker");
  await tom.say(task.room, "!crew cancel");
  await tom.say(task.room, "!crew status");
  await tom.waitForMessage(task.room, /is approval: 1 of 1 done/, { from: crew.bot });
  expect(task.task?.state).toBe("approval");
  expect(
    (await saidBy(tom, task.room, crew.bot)).filter(({ text }) => /you need the permission/.test(text)),
  ).toHaveLength(1);
  expect(rehearsal.requests.filter(({ scene }) => scene.last.includes("spell checker"))).toEqual([]);

  await anna.react(task.room, final.id, "✅");
  expect(approvalOf(await task.waitForAnswered(final))).toMatchObject({ option: "approve", by: anna.userId });
  await task.waitForTask("done");
});

test("who asked may deny the result with a reason, and what is missing is added before the next approval", async () => {
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Tidy the tables");
  const first = await task.waitForAsk("final");
  await anna.reply(task.room, first, "deny mind the umlauts");
  expect(approvalOf(await task.waitForAnswered(first))).toMatchObject({ option: "deny", why: "mind the umlauts" });
  await task.waitForSubtask("umlauts", "done");
  const second = await task.answer("final");
  expect(second.id).not.toBe(first.id);
  expect(second.text).toContain("First draft of umlauts");
  await task.waitForTask("done");
});

test("commands tell of tasks, status, plan and scores, in a task's room and elsewhere", async () => {
  const { crew } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await opened(anna, "Parse things");
  await task.waitForAsk("final");
  expect(await task.command("status")).toMatch(/Parse things.* is approval: 2 of 2 done/);
  expect(await task.command("status")).toMatch(/lexer.*done by (bo|cleo)/i);
  expect(await task.command("plan")).toMatch(/2\. .*parser.*after.*lexer/);
  expect(await task.command("scores")).toMatch(/(Bo|Cleo).* points: .*first_pass/);
  const elsewhere = task.as(anna).at(task.from);
  expect(await elsewhere.command("tasks")).toMatch(/Parse things: approval, 2 of 2 done, .*waits for a person/);
  expect(await elsewhere.command("status")).toMatch(/This is no task room/);
  expect(await task.command("approve")).toMatch(/Noted/);
  await task.waitForTask("done");
  expect((await task.actions("finished")).map(({ sender }) => sender)).toEqual([crew.bot]);
  expect(actionOf((await task.actions("opened"))[0] ?? (await task.waitForAsk("final")))).toMatchObject({
    task: task.task?.id,
  });
});
