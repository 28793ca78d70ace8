import { describe, expect, test } from "vitest";
import { answerAsk } from "../../src/core/answers.ts";
import { type Ask, ask, type Question, withdraw } from "../../src/core/asks.ts";
import { Draft } from "../../src/core/draft.ts";
import type { React, Say } from "../../src/core/effect.ts";
import type { EffectId, EventId, UserId } from "../../src/core/ids.ts";
import type { Permissions } from "../../src/core/permissions.ts";
import { ada, anna, boss, bot, event, Scene, user } from "./scene.ts";
import { bo, planner, rae, spec, TaskScene } from "./tasks/task-scene.ts";

const hour = 3_600_000;

/** A task whose plan waits for a person. */
function planned(): TaskScene {
  const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: "always" } });
  scene.plan(spec("one"));
  return scene;
}

function open(scene: Scene): readonly Ask[] {
  return scene.record.state.asks ?? [];
}

function eventOf(scene: Scene, id = "a1"): EventId {
  const found = open(scene).find((one) => one.id === id)?.event;
  if (found === undefined) throw new Error(`${id} is not in the room`);
  return found;
}

function inDraft<Result>(scene: Scene, run: (draft: Draft) => Result): Result {
  const draft = new Draft(scene.world, scene.record, scene.now);
  const result = run(draft);
  scene.record = draft.record;
  return result;
}

function react(scene: Scene, key: string, { sender = boss, id = "a1" }: { sender?: UserId; id?: string } = {}) {
  return reactTo(scene, eventOf(scene, id), key, sender);
}

function reactTo(scene: Scene, target: EventId, key: string, sender: UserId = boss) {
  return scene.put({ kind: "reaction", event: scene.fresh("reaction"), sender, ts: scene.now, target, key });
}

function reply(scene: Scene, text: string, { sender = boss, id = "a1" }: { sender?: UserId; id?: string } = {}) {
  return scene.say(text, { sender, replyTo: eventOf(scene, id) });
}

/** The newest edit of a question's message. */
function outcome(scene: Scene): Say | undefined {
  return scene.says.findLast(({ approval, replaces }) => approval !== undefined && replaces !== undefined);
}

/** A room with the bot and ada, where only asking is tried. */
function plainRoom(permissions: Permissions, people: readonly UserId[], power: Record<string, number> = {}): Scene {
  const scene = new Scene({}, { permissions });
  scene.enter(people, [bot, ada.user], { power: { users: power } });
  return scene;
}

const something: Question = { matter: { kind: "plan" }, text: "**May I?**\n\nIt is about this.", timeout: "deny" };

describe("a question to people", () => {
  test("is a message of the bot for those who may answer, with its options as reactions and a line for HQ", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: "always" } });
    const { notes } = scene.put({
      kind: "act",
      session: scene.turnOf(planner).session,
      turn: scene.turnOf(planner).turn,
      call: "call" as EffectId,
      action: { kind: "plan", subtasks: [spec("one")] },
    });
    const [asked] = open(scene);
    const said = scene.says.find(({ id }) => id === asked?.message);
    expect(said).toMatchObject({
      as: bot,
      style: "message",
      mentions: [boss],
      approval: { id: "a1", matter: "plan", state: "open", deadline: scene.now + 24 * hour },
    });
    expect(said?.text).toMatch(
      /Pia's plan[^]*React ✅ or ❌, or reply `approve` \/ `deny <why>`; or `!crew approve a1`\./,
    );
    expect(said?.text).toContain("Without an answer by 1970-01-02 00:16 UTC: deny.");
    expect(scene.due("react")).toMatchObject([
      { as: bot, key: "✅", target: { effect: asked?.message } },
      { as: bot, key: "❌", target: { effect: asked?.message } },
    ]);
    const told = scene.due("announce").map(({ text }) => text);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^\*\*#7 A parser\*\* .*https:\/\/matrix\.to\/#\/!room%3Aexample\.com%3A8448\?via=[^\n]*$/);
    expect(notes).toContainEqual({ kind: "asked", matter: "plan", outcome: "asked" });
  });

  test("gets its reactions when its own event is known", () => {
    const scene = plainRoom({ "*": "supervise" }, [boss], { [boss]: 50 });
    const { message } = inDraft(scene, (draft) => ask(draft, something));
    scene.put({ kind: "done", effect: message, event: event("question") });
    expect(scene.due("react").map(({ target }: React) => target)).toEqual([
      { event: "$question" },
      { event: "$question" },
    ]);
    expect(open(scene)).toMatchObject([{ id: "a1", event: "$question" }]);
  });

  test("is not told in HQ when it is no task's, and waits as long as it says", () => {
    const scene = plainRoom({ "*": "supervise" }, [boss], { [boss]: 50 });
    const asked = inDraft(scene, (draft) => ask(draft, { ...something, hours: 2 }));
    expect(scene.due("announce")).toEqual([]);
    expect(asked.deadline).toBe(scene.now + 2 * hour);
  });

  test("about leave in a chat is told in HQ, since nobody there may be one who gives it", () => {
    const scene = plainRoom({ [anna]: "talk" }, [anna]);
    const matter = { kind: "permission", session: "ada", agent: ada.id, tool: "send_message", about: "" } as const;
    inDraft(scene, (draft) => ask(draft, { ...something, matter }));
    expect(scene.due("announce").map(({ text }) => text)).toEqual([
      expect.stringMatching(/^\*\*A chat\*\* \[waits for a person\]\(https:\/\/matrix\.to\/#\/.*\): \*\*May I\?\*\*$/),
    ]);
  });

  test("notifies only who asked for the task when many may answer", () => {
    const people = ["p1", "p2", "p3", "p4", "p5", "p6"].map(user);
    const scene = new Scene({}, { permissions: { "*": "supervise" }, crew: new Map([[planner.user, planner]]) });
    scene.enter(people, [bot, planner.user], { power: { users_default: 50 } });
    scene.put({ kind: "taskOpened", seed: { number: 1, title: "T", brief: "", asker: user("p3") } });
    inDraft(scene, (draft) => ask(draft, something));
    expect(scene.says.at(-1)?.mentions).toEqual([user("p3")]);
  });

  test("says how to answer when it has options of its own, or none", () => {
    const scene = plainRoom({ "*": "supervise" }, [boss], { [boss]: 50 });
    const matter = { kind: "question", session: "s", agent: ada.id } as const;
    const options = ["tabs", "spaces"].map((label, at) => ({ id: `${at + 1}`, key: `${at + 1}\uFE0F\u20E3`, label }));
    inDraft(scene, (draft) => ask(draft, { ...something, matter, options, timeout: "none" }));
    expect(scene.says.at(-1)?.text).toMatch(/the number, or reply in your own words: 1️⃣ tabs · 2️⃣ spaces\. Open until/);
    inDraft(scene, (draft) => ask(draft, { ...something, matter, options: [], timeout: "none" }));
    expect(scene.says.at(-1)?.text).toContain("Reply to this message in your own words.");
    const retry = { id: "retry", key: "🔁", label: "try once more" };
    inDraft(scene, (draft) => ask(draft, { ...something, options: [retry], timeout: "none" }));
    expect(scene.says.at(-1)?.text).toContain("with the word: 🔁 `retry` (try once more).");
  });
});

describe("an answer", () => {
  test("by reaction settles the matter, and the message shows who said what", () => {
    const scene = planned();
    const asked = eventOf(scene);
    const { notes } = react(scene, "✅");
    expect(scene.task.planned).toBe(true);
    expect(open(scene)).toEqual([]);
    expect(outcome(scene)).toMatchObject({
      as: bot,
      replaces: { event: asked },
      mentions: [],
      approval: { id: "a1", state: "answered", option: "approve", by: boss },
    });
    expect(outcome(scene)?.text).toMatch(new RegExp(`Pia's plan[^]*✅ \\*\\*Approved\\*\\* by ${boss}\\.$`));
    expect(notes).toContainEqual({ kind: "asked", matter: "plan", outcome: "answered" });
  });

  test("counts with and without the selector of a colourful emoji, and no other emoji does", () => {
    const scene = planned();
    react(scene, "👀");
    expect(open(scene)).toHaveLength(1);
    react(scene, "✅\uFE0F");
    expect(open(scene)).toEqual([]);
  });

  test.each(["approve", "Approve!", "yes", "OK.", "✅", "approve: well done", "1"])(
    "by the reply “%s” approves",
    (text) => {
      const scene = planned();
      reply(scene, text);
      expect(scene.task.planned).toBe(true);
    },
  );

  test.each(["deny too big", "no, too big", "Deny: too big", "❌ too big", "deny — too big"])(
    "by the reply “%s” denies, with the reason",
    (text) => {
      const scene = planned();
      const { fleeting } = reply(scene, text);
      expect(scene.task.proposal).toBeUndefined();
      expect(outcome(scene)).toMatchObject({ approval: { option: "deny", why: "too big" } });
      expect(scene.turnOf(planner).messages.at(-1)?.text).toContain("too big");
      expect(fleeting).toMatchObject([{ kind: "receipt", as: bot }]);
    },
  );

  test.each(["ok, but use tabs", "what about tests?", "nothing is missing", "no-one asked for that"])(
    "is not what “%s” is: the planner hears it, and the question stays open",
    (text) => {
      const scene = planned();
      reply(scene, text);
      expect(open(scene)).toHaveLength(1);
      expect(scene.turnOf(planner).messages.at(-1)).toMatchObject({ text, from: boss });
    },
  );

  test("may come in a thread: of the question, or begun on it", () => {
    const inThread = planned();
    inThread.say("approve", { sender: boss, thread: event("elsewhere"), replyTo: eventOf(inThread) });
    expect(inThread.task.planned).toBe(true);
    const onIt = planned();
    onIt.say("approve", { sender: boss, thread: eventOf(onIt) });
    expect(onIt.task.planned).toBe(true);
  });

  test("is no message that replies to something else, or is said to nobody", () => {
    const scene = planned();
    scene.say("approve", { sender: boss });
    scene.say("approve", { sender: boss, replyTo: event("other"), thread: eventOf(scene) });
    expect(open(scene)).toHaveLength(1);
  });

  test("counts once: what comes later changes nothing, and taking it back neither", () => {
    const scene = planned();
    const asked = eventOf(scene);
    const first = scene.fresh("first");
    scene.put({ kind: "reaction", event: first, sender: boss, ts: scene.now, target: asked, key: "✅" });
    scene.deliver();
    const { state } = scene.record;
    expect(reactTo(scene, asked, "❌").changed).toBe(false);
    scene.put({ kind: "redaction", event: scene.fresh(), sender: boss, ts: scene.now, target: first });
    expect(scene.record.state).toEqual(state);
    expect(scene.says).toEqual([]);
  });

  test("is not taken twice when the same event comes again", () => {
    const scene = planned();
    const said = { kind: "reaction", event: scene.fresh(), sender: boss, ts: scene.now, key: "❌" } as const;
    const target = eventOf(scene);
    scene.put({ ...said, target });
    expect(scene.put({ ...said, target }).changed).toBe(false);
  });

  test("that is faster than the homeserver's word to us is heard when the question's event is known", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: "always" } });
    scene.act(planner, { kind: "plan", subtasks: [spec("one")] });
    const message = open(scene)[0]?.message;
    if (message === undefined) throw new Error("nothing was asked");
    reactTo(scene, event("question"), "❌", anna);
    reactTo(scene, event("something-else"), "❌");
    const early = scene.fresh("early");
    scene.put({
      kind: "reaction",
      event: early,
      sender: boss,
      ts: scene.now,
      target: event("question"),
      key: "✅",
    });
    expect(open(scene)).toHaveLength(1);
    scene.put({ kind: "done", effect: message, event: event("question") });
    expect(open(scene)).toEqual([]);
    expect(scene.task.planned).toBe(true);
    expect(scene.due("react")).toEqual([]);
    const answered = scene.record.audit?.entries.find(({ what }) => what === "plan answered");
    expect(answered).toMatchObject({ by: boss, event: early });
  });

  test("by command before the question is in the room edits what the question will be", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: "always" } });
    scene.act(planner, { kind: "plan", subtasks: [spec("one")] });
    const message = open(scene)[0]?.message;
    if (message === undefined) throw new Error("nothing was asked");
    scene.say("!crew approve", { sender: boss });
    expect(outcome(scene)?.replaces).toEqual({ effect: message });
    expect(scene.due("react")).toEqual([]);
    scene.put({ kind: "done", effect: message, event: event("question") });
    expect(outcome(scene)?.replaces).toEqual({ event: "$question" });
  });
});

describe("who may answer", () => {
  test("is nobody without the permission, who is told so politely, once, whether by reaction or reply", () => {
    const scene = planned();
    const { notes } = react(scene, "✅", { sender: anna });
    expect(notes).toEqual([{ kind: "refused", user: anna }]);
    expect(scene.says).toMatchObject([{ style: "notice", mentions: [anna] }]);
    expect(scene.record.audit?.entries.at(-1)).toMatchObject({ kind: "refusal", what: "reaction", by: anna });
    expect(reply(scene, "approve", { sender: anna }).fresh.filter(({ kind }) => kind === "say")).toEqual([]);
    expect(react(scene, "✅", { sender: anna }).changed).toBe(false);
    expect(scene.says[0]?.text).toContain("the permission `supervise`");
    expect(reply(scene, "approve", { sender: anna }).fresh.filter(({ kind }) => kind === "say")).toEqual([]);
    expect(open(scene)).toHaveLength(1);
  });

  test("is none of ours, and no agent of another bridge", () => {
    const scene = planned();
    for (const sender of [bot, planner.user, bo.user]) {
      expect(react(scene, "✅", { sender }).changed).toBe(false);
      expect(reply(scene, "approve", { sender }).changed).toBe(false);
    }
    scene.say("approve", { sender: boss, replyTo: eventOf(scene), hops: 0 });
    expect(open(scene)).toHaveLength(1);
  });

  test("is a supervisor with power in the room, and not without it", () => {
    const scene = plainRoom({ [anna]: "supervise", [boss]: "admin" }, [anna, boss], { [boss]: 50, [anna]: 49 });
    inDraft(scene, (draft) => ask(draft, something));
    expect(scene.says.at(-1)?.mentions).toEqual([boss]);
    scene.deliver();
    react(scene, "✅", { sender: anna });
    expect(open(scene)).toHaveLength(1);
    react(scene, "✅");
    expect(open(scene)).toEqual([]);
  });

  test("is who asked for the task with the permission `task`, and no other with it", () => {
    const [asker, other] = [user("asker"), user("other")];
    const crew = new Map([planner, bo, rae].map((agent) => [agent.user, agent]));
    const scene = new Scene({}, { permissions: { "*": "task" }, crew });
    scene.enter([asker, other], [bot, ...crew.keys()], { power: { users: { [asker]: 100, [other]: 100 } } });
    scene.put({ kind: "taskOpened", seed: { number: 1, title: "T", brief: "", asker } });
    const { message } = inDraft(scene, (draft) => ask(draft, something));
    scene.put({ kind: "done", effect: message, event: event("question") });
    react(scene, "✅", { sender: other });
    expect(open(scene)).toHaveLength(1);
    react(scene, "✅", { sender: asker });
    expect(open(scene)).toEqual([]);
  });
});

describe("an agent's question", () => {
  function asked(options: readonly string[] = ["tabs", "spaces"]): TaskScene {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    scene.act(bo, { kind: "ask", question: "Tabs?", options });
    scene.end(bo);
    scene.deliver();
    return scene;
  }

  test.each([
    ["2", "spaces"],
    ["Spaces", "spaces"],
    ["2⃣", "spaces"],
    ["2 of each are needed", "2 of each are needed"],
    ["yes, but only here", "yes, but only here"],
  ])("takes the reply “%s” as “%s”", (text, heard) => {
    const scene = asked();
    reply(scene, text);
    expect(open(scene)).toEqual([]);
    expect(scene.turnOf(bo).messages.at(-1)).toMatchObject({
      from: boss,
      text: `Answer to your question: ${heard}`,
    });
  });

  test("without options takes any words", () => {
    const scene = asked([]);
    expect(scene.due("react")).toEqual([]);
    reply(scene, "as you like");
    expect(outcome(scene)?.text).toMatch(`💬 ${boss} answered: as you like`);
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("as you like");
  });

  test("in a chat that is no task is answered by whoever may talk", () => {
    const scene = plainRoom({ [anna]: "talk" }, [anna]);
    const matter = { kind: "question", session: "s", agent: ada.id } as const;
    inDraft(scene, (draft) => ask(draft, { ...something, matter, options: [], timeout: "none" }));
    expect(scene.says.at(-1)?.mentions).toEqual([anna]);
    scene.deliver();
    reply(scene, "as you like", { sender: anna });
    expect(open(scene)).toEqual([]);
  });

  test("where the bot is not is asked, and edited, by the agent itself", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("hello");
    const [turn] = scene.turns;
    if (turn === undefined) throw new Error("ada does not listen");
    const { session, turn: id } = turn;
    const action = { kind: "ask", question: "Tabs?", options: ["yes", "no"] } as const;
    scene.put({ kind: "act", session, turn: id, call: "call" as EffectId, action });
    expect(scene.says).toMatchObject([{ as: ada.user, mentions: [anna] }]);
    expect(scene.due("react")).toMatchObject([{ as: ada.user }, { as: ada.user }]);
    scene.deliver();
    expect(react(scene, "1️⃣", { sender: ada.user }).changed).toBe(false);
    react(scene, "1️⃣", { sender: anna });
    expect(outcome(scene)).toMatchObject({ as: ada.user, approval: { option: "1", by: anna } });
  });
});

describe("what an agent says in a question", () => {
  test("reads as its own words: no outcome, no other question, no option of ours", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    const options = ["ok\n\n✅ **Approved** by @boss", "**no**"];
    scene.act(bo, { kind: "ask", question: "Deploy?\r\n\r\n✅ **Approved** by @boss\u2028# x", options });
    const [asked] = open(scene);
    expect(asked?.text.split("\n")).toEqual(["❓ **Bo asks:** Deploy?", "", "> ✅ **Approved** by @boss", "> # x"]);
    const [, , , , , last = "", ...more] = scene.says.find(({ id }) => id === asked?.message)?.text.split("\n") ?? [];
    expect(last).toContain(String.raw`1️⃣ ok ✅ \*\*Approved\*\* by @boss · 2️⃣ \*\*no\*\*.`);
    expect(more).toEqual([]);
  });

  test("is one line for each thing that a plan names, so that none of it looks like another, or like nothing", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae], policy: { plan_approval: "always" } });
    const deliverable = "A parser\n2. **`two` Nothing**: nothing\n\n[x]: <and a back door>";
    scene.plan(spec("one", { deliverable }));
    expect(open(scene)[0]?.text.split("\n").slice(2)).toEqual([
      "1. **`one` The one**: A parser 2. **`two` Nothing**: nothing [x]: <and a back door>",
      "   - one can be used",
    ]);
  });

  test("is told to HQ and in lists by its beginning", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    scene.act(bo, { kind: "ask", question: "x".repeat(4_000), options: [] });
    expect(scene.due("announce").at(-1)?.text.length).toBeLessThan(600);
  });
});

describe("a question that is too long for a message", () => {
  test("has a brief one in its place, which says how to answer, and after the answer what it was", () => {
    const scene = plainRoom({ "*": "supervise" }, [boss], { [boss]: 50 });
    inDraft(scene, (draft) => ask(draft, { ...something, text: `**May I?**\n\n${"x".repeat(40_000)}` }));
    expect(scene.says.at(-1)?.brief).toMatch(/^\*\*May I\?\*\*\n[^]*in the file above[^]*React ✅ or ❌[^]*deny\.$/);
    scene.deliver();
    react(scene, "✅");
    expect(outcome(scene)?.brief).toMatch(new RegExp(`^\\*\\*May I\\?[^]*✅ \\*\\*Approved\\*\\* by ${boss}\\.$`));
  });
});

test("an answer of any length leaves a message that can be sent", () => {
  const scene = plainRoom({ "*": "supervise" }, [boss], { [boss]: 50 });
  inDraft(scene, (draft) => ask(draft, something));
  scene.deliver();
  reply(scene, `deny ${"x\n".repeat(20_000)}`);
  expect(outcome(scene)?.brief?.length).toBeLessThan(5_000);
  expect(outcome(scene)?.approval?.["why"]).toHaveLength(4_000);
});

describe("a deadline", () => {
  test("answers in nobody's name, and not before its time", () => {
    const scene = planned();
    scene.now += 24 * hour - 1;
    scene.put({ kind: "tick" });
    expect(open(scene)).toHaveLength(1);
    scene.now += 1;
    const { notes } = scene.put({ kind: "tick" });
    expect(open(scene)).toEqual([]);
    expect(notes).toContainEqual({ kind: "asked", matter: "plan", outcome: "late" });
    expect(outcome(scene)?.text).toMatch(/⌛ No answer in time: \*\*deny\*\*\.$/);
    expect(outcome(scene)?.approval).not.toHaveProperty("by");
    expect(scene.taskState).toBe("paused");
  });
});

describe("a question whose matter is settled otherwise", () => {
  test("is withdrawn: the message says why, and nobody can answer it any more", () => {
    const scene = planned();
    const asked = eventOf(scene);
    inDraft(scene, (draft) => withdraw(draft, "a1", "There is another plan."));
    expect(outcome(scene)).toMatchObject({ replaces: { event: asked }, approval: { state: "withdrawn" } });
    expect(outcome(scene)?.text).toMatch(/↩️ There is another plan\.$/);
    reactTo(scene, asked, "✅");
    expect(scene.task.planned).toBe(false);
  });

  test("is not answered by what was decided about it a moment before", () => {
    const scene = planned();
    const [asked] = open(scene);
    if (asked === undefined) throw new Error("nothing was asked");
    inDraft(scene, (draft) => {
      withdraw(draft, asked.id, "There is another plan.");
      answerAsk(draft, asked, { option: "approve", why: "", by: boss });
    });
    expect(scene.says).toHaveLength(1);
    expect(scene.task.planned).toBe(false);
  });

  test("loses the reactions that are not in the room yet", () => {
    const scene = plainRoom({ "*": "supervise" }, [boss], { [boss]: 50 });
    inDraft(scene, (draft) => ask(draft, something));
    inDraft(scene, (draft) => ask(draft, something));
    inDraft(scene, (draft) => withdraw(draft, "a1", "Not needed."));
    expect(open(scene).map(({ id }) => id)).toEqual(["a2"]);
    expect(scene.due("react").map(({ id }) => id)).toEqual([
      expect.stringContaining(":ask:a2:"),
      expect.stringContaining(":ask:a2:"),
    ]);
    // Ids are never used again.
    expect(inDraft(scene, (draft) => ask(draft, something)).id).toBe("a3");
  });
});

describe("several open questions", () => {
  function two(): Scene {
    const scene = plainRoom({ [boss]: "admin", [anna]: "talk" }, [boss, anna], { [boss]: 50 });
    inDraft(scene, (draft) => ask(draft, { ...something, text: "First?" }));
    inDraft(scene, (draft) => ask(draft, { ...something, text: "Second?" }));
    scene.deliver();
    return scene;
  }
  const answered = (decision: { readonly fresh: readonly object[] }): string =>
    decision.fresh.flatMap((effect) => ("text" in effect && !("approval" in effect) ? [effect.text] : [])).join("\n");

  test("are answered each on its own message", () => {
    const scene = two();
    react(scene, "❌", { id: "a2" });
    expect(open(scene).map(({ id }) => id)).toEqual(["a1"]);
    expect(outcome(scene)?.text).toMatch(/^Second\?/);
  });

  test("are told apart by their ids in commands, which list them without one", () => {
    const scene = two();
    const listed = answered(scene.say("!crew approve", { sender: boss }));
    expect(listed).toMatch(
      /Say which one, like `!crew approve a1`[^]*`a1` First\? \(✅ approve, ❌ deny\)[^]*`a2` Second\?/,
    );
    expect(answered(scene.say("!crew deny a9 no", { sender: boss }))).toContain("No question “a9” is open here.");
    expect(open(scene)).toHaveLength(2);
    expect(answered(scene.say("!crew deny a2 too late", { sender: boss }))).toContain("Noted: `a2`, **deny**.");
    expect(outcome(scene)).toMatchObject({ approval: { option: "deny", why: "too late", by: boss } });
    expect(answered(scene.say("!crew approve", { sender: boss }))).toContain("Noted: `a1`, **approve**.");
    expect(answered(scene.say("!crew approve", { sender: boss }))).toBe("No question is open in this room.");
  });

  test("are not answered by a command that was said before they were asked", () => {
    const scene = two();
    scene.say("!crew approve a1", { sender: boss });
    const said = scene.message("!crew approve", { sender: boss });
    scene.say("!crew deny a2", { sender: boss });
    scene.now += 1;
    inDraft(scene, (draft) => ask(draft, { ...something, text: "Third?" }));
    expect(answered(scene.put(said))).toContain("Say which one, like `!crew approve a3`");
    expect(open(scene).map(({ id }) => id)).toEqual(["a3"]);
    expect(answered(scene.say("!crew approve", { sender: boss }))).toContain("Noted: `a3`");
  });

  test("are told apart by what a command replies to, and not for everybody", () => {
    const scene = two();
    scene.say("!crew approve", { sender: boss, replyTo: eventOf(scene, "a2") });
    expect(open(scene).map(({ id }) => id)).toEqual(["a1"]);
    expect(answered(scene.say("!crew approve a1", { sender: anna }))).toMatch(/To answer `a1` you need/);
    expect(answered(scene.say("!crew approve a1", { sender: anna }))).toBe("");
    expect(open(scene)).toHaveLength(1);
  });

  test("take an option of their own by its word in a command", () => {
    const scene = two();
    const options = [{ id: "retry", key: "🔁", label: "try once more" }];
    inDraft(scene, (draft) => ask(draft, { ...something, options, timeout: "none" }));
    expect(answered(scene.say("!crew approve a3", { sender: boss }))).toContain("`a3` is not answered by that.");
    expect(answered(scene.say("!crew deny a3 no", { sender: boss }))).toContain("`a3` is not answered by that.");
    scene.say("!crew approve a3 retry with care", { sender: boss });
    expect(outcome(scene)).toMatchObject({ approval: { option: "retry", why: "with care" } });
  });
});
