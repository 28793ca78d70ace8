import { expect, test } from "vitest";
import { saidBy, sharedStage } from "../support/shared-stage.ts";
import { actionOf, approvalOf, diligence, planRule, rejectRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const shared = sharedStage({
  agents: taskCrew,
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: { tasks: { plan_approval: "always" } },
  script: [
    planRule([{ id: "lexer" }, { id: "parser", after: ["lexer"] }, { id: "docs" }]),
    rejectRule("parser"),
    ...diligence,
  ],
});

test(
  "a person asks for a task, approves its plan, follows work, review and rework in threads, and has the last word",
  { timeout: 180_000 },
  async () => {
    const { crew } = shared.stage;
    const agents = taskCrew.map(({ id }) => crew.agent(id));
    const anna = await shared.someone("anna");
    const chat = await anna.createDirectRoom(crew.bot);
    await anna.waitForMember(chat, crew.bot, "join");
    const task = await TaskRoom.open(anna, crew, chat, "Build a CSV parser — with tests");
    const { client } = anna;

    // The room is known by its alias, in the Space, and the asker's.
    const opened = task.state("dev.crewroom.room");
    const number = Number(opened?.["task"]);
    expect(opened).toMatchObject({ kind: "task", task: number, coordinator: crew.bot, v: 1 });
    const server = anna.userId.split(":")[1] ?? "";
    await expect(client.getRoomIdForAlias(`#crewroom-task-${number}:${server}`)).resolves.toMatchObject({
      room_id: task.room,
    });
    const space = (await client.getRoomIdForAlias(`#crewroom:${server}`)).room_id;
    expect(task.state("m.space.parent", space)).toMatchObject({ canonical: true });
    const boss = await shared.stage.person("boss");
    await boss.join(space);
    await expect(boss.client.getStateEvent(space, "m.space.child", task.room)).resolves.toMatchObject({
      via: [server],
    });
    const powers = await Promise.all([anna.userId, ...agents].map((user) => task.powerOf(user)));
    expect(powers).toEqual([100, ...agents.map(() => 0)]);
    const { events: levels } = task.state("m.room.power_levels") as { events: Record<string, number> };
    for (const type of ["room", "task", "subtask"]) expect(levels[`dev.crewroom.${type}`]).toBe(100);

    // Nothing is worked on before the plan is approved.
    const plan = await task.waitForAsk("plan");
    expect(plan).toMatchObject({ sender: crew.bot, mentions: [anna.userId] });
    expect(plan.text).toMatch(/`parser`.*after `lexer`/);
    expect(approvalOf(plan)).toMatchObject({ id: "a1", state: "open", options: [{ id: "approve" }, { id: "deny" }] });
    expect(task.task).toMatchObject({
      id: number,
      title: "Build a CSV parser",
      brief: "with tests",
      state: "planning",
    });
    expect(task.state("m.room.name")).toEqual({ name: `📝 #${number} Build a CSV parser` });
    expect(task.subtask("lexer")).toBeUndefined();
    await anna.react(task.room, plan.id, "✅");
    const approved = await task.waitForAnswered(plan);
    expect(approvalOf(approved)).toMatchObject({ option: "approve", by: anna.userId });
    expect(approved.text).toContain(`by ${anna.userId}`);

    // At the end a person is asked, with what was delivered in front of them.
    const final = await task.waitForAsk("final");
    expect(task.task).toMatchObject({ state: "approval", progress: { done: 3, total: 3 } });
    for (const delivered of ["First draft of lexer", "Mended parser", "First draft of docs"])
      expect(final.text).toContain(delivered);
    await anna.react(task.room, final.id, "✅");
    await task.waitForTask("done");
    await anna.waitForMessage(task.room, /is done\*\*, says @anna.*3 of 3 subtasks/, { from: crew.bot });
    await anna.waitFor(task.room, "the name and the topic of a done task", {}, () => {
      const name = String(task.state("m.room.name")?.["name"]);
      return name.startsWith("✅") && task.state("m.room.topic")?.["topic"] === "done · 3 of 3 done" ? true : undefined;
    });

    // What waits for something is done after it.
    const timeline = await anna.timeline(task.room);
    const done = timeline.filter((said) => ["submit", "review"].includes(String(actionOf(said)["kind"])));
    const place = (id: string, kind: string): number =>
      done.findIndex((said) => actionOf(said)["subtask"] === id && actionOf(said)["kind"] === kind);
    expect(place("lexer", "review")).toBeGreaterThan(place("lexer", "submit"));
    expect(place("parser", "submit")).toBeGreaterThan(place("lexer", "review"));
    const parser = await task.history("parser");
    expect(parser.at(-1)).toMatchObject({ state: "done", rework: 1, review: { verdict: "approve", score: 4 } });
    const worker = parser.at(-1)?.submission?.by;
    expect([crew.agent("bo"), crew.agent("cleo")]).toContain(worker);
    expect([crew.agent("dan"), crew.agent("eve")]).toContain(parser.at(-1)?.review.reviewer);

    // The thread tells the same in words, and its root what came of it.
    for (const id of ["lexer", "parser", "docs"]) {
      const root = timeline.find((said) => said.id === task.subtask(id)?.thread);
      expect(root).toMatchObject({ sender: crew.bot, thread: undefined, mentions: [] });
      expect(root?.text).toMatch(new RegExp(`^✅ .*${id}.* done by`));
      expect(root?.edits).toBeGreaterThan(0);
    }
    const told = timeline.filter(
      (said) => said.thread === task.subtask("parser")?.thread && actionOf(said)["kind"] !== undefined,
    );
    expect(told.map((said) => [actionOf(said)["kind"], actionOf(said)["verdict"]])).toEqual([
      ["submit", undefined],
      ["review", "reject"],
      ["submit", undefined],
      ["review", "approve"],
    ]);
    expect(told.map((said) => said.sender === worker)).toEqual([true, false, true, false]);
    expect(actionOf(told[1] ?? final)).toMatchObject({ score: 2, issues: ["an empty line is lost"] });
    expect(told[1]?.text).toContain("an empty line is lost");
    expect(actionOf(told[1] ?? final)["submission"]).toBe(actionOf(told[0] ?? final)["submission"]);
    expect(actionOf(told[3] ?? final)["submission"]).toBe(actionOf(told[2] ?? final)["submission"]);

    // All of this costs few events, the questions and the edits of the roots included: a room is read by people.
    const events = await anna.events(task.room);
    const begun = events.findIndex(({ event_id: id }) => id === plan.id);
    expect(events.length - begun).toBeLessThanOrEqual(70);
    expect((await saidBy(anna, chat, crew.bot)).length).toBeLessThanOrEqual(2);
  },
);
