import { describe, expect, test } from "vitest";
import type { AuditEntry } from "../../src/core/audit.ts";
import type { EffectId, EventId, UserId } from "../../src/core/ids.ts";
import type { Message } from "../../src/core/input.ts";
import { ada, anna, bo, boss, bot, defined, Scene, stranger } from "./scene.ts";
import { planner, rae, spec, TaskScene } from "./tasks/task-scene.ts";

const power = { users: { [bot]: 100, [boss]: 100 } };

/** A chat with two agents. The boss is admin, Anna may talk, the stranger nothing. */
function chat(limits: ConstructorParameters<typeof Scene>[0] = {}): Scene {
  const scene = new Scene(limits);
  scene.enter([boss, anna, stranger], [bot, ada.user, bo.user], { power });
  return scene;
}

function works(scene: Scene): Message {
  const asked = scene.message("work", { mentions: [ada.user] });
  scene.put(asked);
  return asked;
}

function entries(scene: Scene): readonly AuditEntry[] {
  return scene.record.audit?.entries ?? [];
}

function react(scene: Scene, key: string, target: EventId, sender: UserId): EventId {
  const event = scene.fresh("reaction");
  scene.put({ kind: "reaction", event, sender, ts: scene.now, target, key });
  return event;
}

/** What somebody does, and the entry that it must leave beside the event that it returns. */
type Act = readonly [name: string, act: () => readonly [Scene, EventId | undefined], left: Partial<AuditEntry>];

const acts: readonly Act[] = [
  [
    "🛑 on an instruction",
    () => {
      const scene = chat();
      return [scene, react(scene, "🛑", works(scene).event, boss)];
    },
    { kind: "command", what: "stop", by: boss, agent: ada.id, because: "level talk" },
  ],
  [
    "🛑 of somebody who may not",
    () => {
      const scene = chat();
      return [scene, react(scene, "🛑", works(scene).event, stranger)];
    },
    { kind: "refusal", what: "reaction", by: stranger, because: "level talk" },
  ],
  [
    "!crew stop",
    () => {
      const scene = chat();
      works(scene);
      const said = scene.message("!crew stop");
      scene.put(said);
      return [scene, said.event];
    },
    { kind: "command", what: "stop", by: anna, agent: ada.id },
  ],
  [
    "a message of somebody who may not",
    () => {
      const scene = chat();
      const said = scene.message("work", { sender: stranger, mentions: [ada.user] });
      scene.put(said);
      return [scene, said.event];
    },
    { kind: "refusal", what: "message", by: stranger, because: "level talk" },
  ],
  [
    "a command of somebody who may not",
    () => {
      const scene = chat();
      const said = scene.message("!crew PING", { sender: stranger });
      scene.put(said);
      return [scene, said.event];
    },
    { kind: "refusal", what: "!crew ping", by: stranger, because: "level observe" },
  ],
  [
    "an edit",
    () => {
      const scene = chat();
      const { event: target } = works(scene);
      const event = scene.fresh("edit");
      scene.put({ kind: "edit", event, sender: anna, ts: scene.now, target, text: "work less" });
      return [scene, event];
    },
    { kind: "moderation", what: "edit", by: anna, agent: ada.id },
  ],
  [
    "a redaction",
    () => {
      const scene = chat();
      const { event: target } = works(scene);
      const event = scene.fresh("redaction");
      scene.put({ kind: "redaction", event, sender: boss, ts: scene.now, target });
      return [scene, event];
    },
    { kind: "moderation", what: "redact", by: boss, agent: ada.id },
  ],
  [
    "the release of the breaker",
    () => {
      const scene = chat({ breaker_hops: 1 });
      works(scene);
      for (const [from, to] of [
        [ada, bo],
        [bo, ada],
      ] as const) {
        const { session, turn } = defined(scene.turns.find(({ agent }) => agent === from.id));
        scene.put({ kind: "agentSays", session, turn, call: from.id as string as EffectId, to: to.user, text: "go" });
      }
      const said = scene.message("!crew release", { sender: boss });
      scene.put(said);
      return [scene, said.event];
    },
    { kind: "breaker", what: "release", by: boss, because: "level admin, power 100" },
  ],
  [
    "a command that steers",
    () => {
      const scene = new TaskScene({ crew: [planner, bo, rae] });
      const said = scene.message("!crew PAUSE for lunch", { sender: boss });
      scene.put(said);
      return [scene, said.event];
    },
    { kind: "command", what: "!crew pause", by: boss, detail: "for lunch", because: "level admin, power 100" },
  ],
  [
    "a budget that is set",
    () => {
      const scene = new TaskScene({ crew: [planner, bo, rae] });
      const said = scene.message("!crew budget 5k tokens", { sender: boss });
      scene.put(said);
      return [scene, said.event];
    },
    { kind: "budget", what: "set", by: boss, detail: "5 000 tokens" },
  ],
  [
    "an answer about a task's budget",
    () => {
      const scene = new TaskScene({ crew: [planner, bo, rae], budgets: { task: { tokens: 100 } } });
      scene.plan(spec("one"));
      scene.end(bo, "done", "answered", 100);
      scene.deliver();
      const target = defined(defined(scene.record.state.asks?.[0]).event);
      return [scene, react(scene, "✅", target, boss)];
    },
    { kind: "budget", what: "approve", by: boss },
  ],
  [
    "a reaction that is faster than the homeserver's answer",
    () => {
      const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: "always" } });
      scene.act(planner, { kind: "plan", subtasks: [spec("one")] });
      const { message } = defined(scene.record.state.asks?.[0]);
      const sent = scene.fresh("sent");
      const reaction = react(scene, "✅", sent, boss);
      scene.put({ kind: "done", effect: message, event: sent });
      return [scene, reaction];
    },
    { kind: "approval", what: "plan answered", by: boss },
  ],
  [
    "a tool that an agent uses for a person",
    () => {
      const scene = chat();
      const { event } = works(scene);
      const { session, turn } = defined(scene.turns[0]);
      const use = { session, turn, call: "call" as EffectId, tool: "run_command", about: "ls" };
      scene.put({ kind: "permit", ...use });
      return [scene, event];
    },
    { kind: "tool", what: "run_command", by: ada.id, because: "default", call: "call" as EffectId },
  ],
  [
    "a path that leads out of the files",
    () => {
      const scene = chat();
      const { event } = works(scene);
      const { session, turn } = defined(scene.turns[0]);
      const use = { session, turn, call: "call" as EffectId, tool: "read_file", about: "../x", because: "outside" };
      scene.put({ kind: "useRefused", ...use });
      return [scene, event];
    },
    { kind: "refusal", what: "read_file", by: ada.id, detail: "../x", because: "outside" },
  ],
  [
    "an action on a task, of the subtask's thread that it came from",
    () => {
      const scene = new TaskScene({ crew: [planner, bo, rae] });
      scene.plan(spec("one"));
      scene.act(bo, { kind: "submit", subtask: "one", summary: "done" });
      return [scene, scene.subtask("one").thread];
    },
    { kind: "action", what: "submit_work", by: bo.id, subtask: "one" },
  ],
  [
    "a question of an agent",
    () => {
      const scene = chat();
      const { event } = works(scene);
      const { session, turn } = defined(scene.turns[0]);
      const action = { kind: "ask", question: "Tabs?", options: [] } as const;
      scene.put({ kind: "act", session, turn, call: "call" as EffectId, action });
      return [scene, event];
    },
    { kind: "approval", what: "question asked", by: ada.id },
  ],
  [
    "a file that a person hands in",
    () => {
      const scene = new TaskScene({ crew: [planner, bo, rae] });
      const attachment = { mxc: "mxc://crew.test/a", name: "notes.md", size: 3, mimetype: "text/plain" };
      const said = scene.message("", { sender: boss, attachment: { ...attachment, encrypted: false } as never });
      scene.put(said);
      return [scene, said.event];
    },
    { kind: "command", what: "file", by: boss, detail: "notes.md" },
  ],
];

describe("the audit log has, with its event,", () => {
  test.each(acts)("%s", (_name, act, left) => {
    const [scene, event] = act();
    expect(entries(scene)).toContainEqual(expect.objectContaining({ ...left, event }));
  });
});

describe("what only tells, or is in nobody's way, leaves no trace:", () => {
  test.each(["budget", "rules", "audit", "status", "help", "grants", "files"])("!crew %s", (words) => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    const before = entries(scene).length;
    scene.say(`!crew ${words}`, { sender: boss });
    expect(entries(scene)).toHaveLength(before);
  });

  test.each(["files", "pause"])("!crew %s where there is no task", (words) => {
    const scene = chat();
    for (const _time of [1, 2]) scene.say(`!crew ${words}`, { sender: boss });
    expect(scene.says.filter(({ text }) => text.includes("no task room"))).toHaveLength(2);
    expect(entries(scene)).toEqual([]);
  });
});

test("!crew audit asks for what is of the task, in its room", () => {
  const scene = new TaskScene({ crew: [planner, bo, rae] });
  scene.say("!crew audit 3 bo tool", { sender: boss });
  const task = { number: 7, created: scene.task.created };
  expect(scene.due("recall")).toMatchObject([{ limit: 3, agent: bo.id, what: "tool", everywhere: true, task }]);
  const other = chat();
  other.say("!crew audit");
  expect(other.due("recall")).toMatchObject([{ limit: 20, everywhere: false }]);
  expect(other.due("recall")[0]).not.toHaveProperty("task");
});

test("somebody who is told how to use the bot has been refused nothing: a refusal is told later all the same", () => {
  const scene = new Scene({}, { permissions: { [anna]: "observe" } });
  scene.enter([anna], [bot]);
  for (const text of ["hi", "hello?"]) scene.say(text);
  expect(scene.says.filter(({ text }) => text.includes("I only understand commands"))).toHaveLength(1);
  expect(entries(scene)).toEqual([]);
  for (const title of ["one", "two"]) scene.say(`!crew new ${title}`);
  expect(scene.says.filter(({ text }) => text.includes("needs the permission `task`"))).toHaveLength(1);
  expect(entries(scene)).toHaveLength(1);
});

test("a person who has a permission but not the power is told once for each command, and fills no log", () => {
  const scene = new TaskScene({ crew: [planner, bo, rae] });
  Object.assign(scene.world.permissions, { [anna]: "supervise" });
  for (const words of ["pause", "pause now", "PAUSE", "cancel"]) scene.say(`!crew ${words}`, { sender: anna });
  expect(scene.says.map(({ text }) => text)).toEqual([
    "`!crew pause` needs power level 50 in this room.",
    "`!crew cancel` needs power level 50 in this room.",
  ]);
  expect(entries(scene).filter(({ kind }) => kind === "refusal")).toMatchObject([
    { what: "!crew pause", by: anna, because: "power 50" },
    { what: "!crew cancel", by: anna, because: "power 50" },
  ]);
});

test("a stranger who invites an agent again and again is refused each time, and fills no log", () => {
  const scene = new Scene();
  const invite = { kind: "member", sender: stranger, user: ada.user, membership: "invite", direct: true } as const;
  for (const _time of [1, 2, 3]) scene.put({ ...invite, event: scene.fresh("invite"), ts: scene.now });
  expect(scene.due("leave")).toHaveLength(3);
  expect(entries(scene)).toMatchObject([{ kind: "refusal", what: "invite", by: stranger, because: "level talk" }]);
});

describe("a correction", () => {
  const edit = (scene: Scene, target: EventId, sender: UserId): void => {
    scene.put({ kind: "edit", event: scene.fresh(), sender, ts: scene.now, target, text: "do evil" });
  };

  test("of another person's words is none, while they wait, are worked on, and were answered", () => {
    const scene = chat();
    const asked = works(scene);
    const second = scene.message("more", { mentions: [ada.user] });
    scene.put(second);
    for (const sender of [stranger, boss]) for (const { event } of [asked, second]) edit(scene, event, sender);
    scene.answer(scene.turns[0], "done");
    for (const sender of [stranger, boss]) edit(scene, asked.event, sender);
    scene.answer(scene.turns[0], "done too");
    scene.say("and now?", { mentions: [ada.user] });
    expect(JSON.stringify(scene.record.state.sessions)).not.toContain("do evil");
  });

  test("counts no more than a message of somebody who may not talk", () => {
    const scene = chat();
    const asked = works(scene);
    Object.assign(scene.world.permissions, { [anna]: "observe" });
    edit(scene, asked.event, anna);
    expect(JSON.stringify(scene.record.state.sessions)).not.toContain("do evil");
  });
});
