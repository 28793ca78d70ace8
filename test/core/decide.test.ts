import { describe, expect, test } from "vitest";
import type { EffectId } from "../../src/core/ids.ts";
import { ada, anna, bo, boss, bot, event, Scene, stranger } from "./scene.ts";

describe("an agent listens", () => {
  test("to every word in a direct room", () => {
    const scene = new Scene();
    scene.enter([anna]);
    const { fresh, fleeting } = scene.say("hello");
    expect(fresh).toMatchObject([
      { kind: "turn", agent: "ada", direct: true, messages: [{ text: "hello", from: anna }] },
    ]);
    expect(fleeting).toMatchObject([{ kind: "receipt", as: ada.user }]);
  });

  test("elsewhere only when it is mentioned, replied to, or works in the thread", () => {
    const scene = new Scene();
    scene.enter([anna, boss]);
    expect(scene.say("just talking").changed).toBe(false);

    scene.say("what do you think?", { mentions: [ada.user], thread: event("root") });
    const [turn] = scene.turns;
    scene.answer(turn, "well");
    scene.deliver();
    const answer = scene.record.state.said.at(-1)?.[0];
    expect(scene.say("and then?", { thread: event("root") }).fresh).toMatchObject([{ kind: "turn", thread: "$root" }]);
    expect(scene.say("go on", answer === undefined ? {} : { replyTo: answer }).fresh).toMatchObject([{ kind: "turn" }]);
    expect(scene.say("you do it", { mentions: [boss], thread: event("root") }).changed).toBe(false);
  });

  test("before it has joined: what it heard waits for the join", () => {
    const scene = new Scene();
    scene.enter([anna, boss]);
    const invite = {
      kind: "member",
      event: event("invite"),
      sender: anna,
      ts: 0,
      user: bo.user,
      membership: "invite",
      direct: false,
    } as const;
    expect(scene.put(invite).fresh).toMatchObject([{ kind: "join", as: bo.user, inviter: anna }]);
    scene.say("both of you!", { mentions: [ada.user, bo.user] });
    expect(scene.turns.map(({ agent }) => agent)).toEqual(["ada"]);
    scene.enter([anna, boss], [bo.user]);
    expect(scene.turns.map(({ agent }) => agent)).toEqual(["ada", "bo"]);
  });

  test("not to a notice, nor to one of its own", () => {
    const scene = new Scene();
    scene.enter([anna]);
    expect(scene.say("automatic", { notice: true }).changed).toBe(false);
    expect(scene.say("echo", { sender: bo.user }).changed).toBe(false);
  });

  test("not to somebody without permission, who is told once", () => {
    const scene = new Scene();
    scene.enter([stranger]);
    expect(scene.say("work for me", { sender: stranger }).fresh).toMatchObject([
      { kind: "say", as: ada.user, style: "notice", mentions: [stranger] },
    ]);
    expect(scene.say("please", { sender: stranger }).changed).toBe(false);
    expect(scene.turns).toEqual([]);
  });
});

describe("a turn", () => {
  test("takes together, in order, what was said while the one before it ran", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("one");
    scene.say("two");
    scene.say("three");
    expect(scene.turns).toHaveLength(1);
    scene.answer(scene.turns[0], "done with one");
    expect(scene.turns).toMatchObject([{ messages: [{ text: "two" }, { text: "three" }] }]);
  });

  test("has an id that comes from its cause, so that deciding again gives the same", () => {
    const [first, second] = [new Scene(), new Scene()];
    for (const scene of [first, second]) {
      scene.enter([anna]);
      scene.say("hello");
    }
    expect(first.turns).toEqual(second.turns);
  });

  test("is one message, edited, when it spoke before its end", () => {
    const scene = new Scene();
    scene.enter([anna, boss]);
    scene.say("tell me", { mentions: [ada.user] });
    const [turn] = scene.turns;
    if (turn === undefined) throw new Error("no turn");
    scene.put({ kind: "turnSpeaks", session: turn.session, turn: turn.turn, text: "Once" });
    expect(scene.says).toMatchObject([{ text: "Once", mentions: [anna] }]);
    // The end comes before the homeserver has taken the first part.
    scene.answer(turn, "Once upon a time");
    expect(scene.says[1]).toMatchObject({ text: "Once upon a time", replaces: { effect: `${turn.turn}:answer` } });
    scene.put({ kind: "done", effect: scene.says[0]?.id ?? turn.id, event: event("first") });
    expect(scene.says).toMatchObject([{ replaces: { event: "$first" } }]);
  });

  test("that says its first words in vain says its last ones in a message of their own", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("tell me");
    const [turn] = scene.turns;
    if (turn === undefined) throw new Error("no turn");
    scene.put({ kind: "turnSpeaks", session: turn.session, turn: turn.turn, text: "Once" });
    scene.answer(turn, "Once upon a time");
    scene.put({ kind: "failed", effect: scene.says[0]?.id ?? turn.id, code: "HOMESERVER_REFUSED", sentence: "No." });
    const last = scene.says.find(({ text }) => text === "Once upon a time");
    expect(last).toBeDefined();
    expect(last?.replaces).toBeUndefined();
  });

  test("that is stopped keeps what it said, and names who stopped it", () => {
    const scene = new Scene();
    scene.enter([anna]);
    const said = scene.message("a long story");
    scene.put(said);
    const [turn] = scene.turns;
    if (turn === undefined) throw new Error("no turn");
    const stop = {
      kind: "reaction",
      event: event("stop"),
      sender: anna,
      ts: 0,
      target: said.event,
      key: "🛑",
    } as const;
    expect(scene.put(stop).fleeting).toEqual([{ kind: "abort", turn: turn.turn }]);
    scene.put({
      kind: "turnEnded",
      session: turn.session,
      turn: turn.turn,
      outcome: { kind: "cancelled", text: "Once" },
    });
    expect(scene.says).toMatchObject([{ text: `Once\n\n⏹ Stopped by ${anna}.` }]);
  });

  test("that was being stopped when the bridge ended is over at the next start", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("a long story");
    scene.say("!crew stop");
    scene.put({ kind: "recovered" });
    expect(scene.turns).toEqual([]);
    expect(scene.says.map(({ text }) => text)).toContain(`⏹ Stopped by ${anna}.`);
  });

  test("that fails tells the person, with the error's code beside it", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("hello");
    const [turn] = scene.turns;
    if (turn === undefined) throw new Error("no turn");
    const outcome = {
      kind: "failed",
      text: "",
      code: "MODEL_REFUSED",
      sentence: "It refused.",
      todo: "Check the key.",
    } as const;
    scene.put({ kind: "turnEnded", session: turn.session, turn: turn.turn, outcome });
    expect(scene.says).toMatchObject([
      { text: "⚠️ It refused. Check the key.", style: "notice", error: "MODEL_REFUSED" },
    ]);
  });

  test("whose end is reported twice, or by an older run, ends once", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("hello");
    const [turn] = scene.turns;
    scene.answer(turn, "hi");
    expect(scene.answer(turn, "hi again").changed).toBe(false);
    expect(scene.says).toHaveLength(1);
  });
});

describe("a full queue", () => {
  test("is told to who speaks, instead of losing the message in silence", () => {
    const scene = new Scene({ queue_messages: 1 });
    scene.enter([anna]);
    scene.say("runs");
    scene.say("waits");
    const { fresh } = scene.say("too much");
    expect(fresh).toMatchObject([{ kind: "say", style: "notice", mentions: [anna] }]);
  });
});

describe("people change their minds", () => {
  test("an edit replaces what still waits", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("runs");
    const waiting = scene.message("buy mlik");
    scene.put(waiting);
    scene.put({ kind: "edit", event: event("edit"), sender: anna, ts: 0, target: waiting.event, text: "buy milk" });
    scene.answer(scene.turns[0], "done");
    expect(scene.turns).toMatchObject([{ messages: [{ text: "buy milk" }] }]);
  });

  test("an edit of what is being answered goes into the next turn; of what is answered, with it", () => {
    const scene = new Scene();
    scene.enter([anna]);
    const said = scene.message("deploy to prod");
    scene.put(said);
    const edit = { kind: "edit", sender: anna, ts: 0, target: said.event } as const;
    scene.put({ ...edit, event: event("edit1"), text: "deploy to staging" });
    scene.answer(scene.turns[0], "deploying");
    expect(scene.turns).toMatchObject([
      { messages: [{ text: expect.stringContaining("deploy to staging") as string }] },
    ]);
    scene.answer(scene.turns[0], "ok");
    scene.put({ ...edit, event: event("edit2"), text: "deploy to test" });
    expect(scene.turns).toEqual([]);
    scene.say("and now?");
    expect(scene.turns[0]?.messages).toHaveLength(2);
  });

  test("nobody can edit what somebody else said", () => {
    const scene = new Scene();
    scene.enter([anna, boss]);
    scene.say("runs", { mentions: [ada.user] });
    const waiting = scene.message("pay 5", { mentions: [ada.user] });
    scene.put(waiting);
    scene.put({ kind: "edit", event: event("edit"), sender: boss, ts: 0, target: waiting.event, text: "pay 5000" });
    scene.answer(scene.turns[0], "done");
    expect(scene.turns).toMatchObject([{ messages: [{ text: "pay 5" }] }]);
  });

  test("what is withdrawn is not done, and forgotten", () => {
    const scene = new Scene();
    scene.enter([anna]);
    const runs = scene.message("delete all");
    const waits = scene.message("and the backups");
    scene.put(runs);
    scene.put(waits);
    const [turn] = scene.turns;
    const redaction = { kind: "redaction", sender: anna, ts: 0 } as const;
    scene.put({ ...redaction, event: event("r1"), target: waits.event });
    const { fleeting } = scene.put({ ...redaction, event: event("r2"), target: runs.event });
    expect(fleeting).toEqual([{ kind: "abort", turn: turn?.turn }]);
    expect(scene.turns).toEqual([]);
    expect(scene.due("forget")).toMatchObject([{ agent: "ada", turn: turn?.turn }]);
  });
});

describe("moderation", () => {
  const level = (users: Record<string, number>) =>
    ({ kind: "power", event: event(JSON.stringify(users)), sender: boss, ts: 0, power: { users } }) as const;

  test("a kick ends the work here, and nothing more is said", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("hello");
    const [turn] = scene.turns;
    if (turn === undefined) throw new Error("no turn");
    scene.put({ kind: "turnSpeaks", session: turn.session, turn: turn.turn, text: "Once" });
    const kick = {
      kind: "member",
      event: event("kick"),
      sender: anna,
      ts: 0,
      user: ada.user,
      membership: "leave",
      direct: false,
    } as const;
    expect(scene.put(kick).fleeting).toEqual([{ kind: "abort", turn: turn.turn }]);
    expect(scene.record.outbox).toEqual([]);
    scene.put({
      kind: "turnEnded",
      session: turn.session,
      turn: turn.turn,
      outcome: { kind: "cancelled", text: "Once" },
    });
    expect(scene.record.outbox).toEqual([]);
  });

  test("a mute pauses: the turn is taken back, and begins again when it ends", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("hello");
    const [first] = scene.turns;
    expect(scene.put(level({ [ada.user]: -1 })).fleeting).toEqual([{ kind: "abort", turn: first?.turn }]);
    expect(scene.turns).toEqual([]);
    scene.say("still there?");
    expect(scene.turns).toEqual([]);
    scene.put(level({}));
    expect(scene.turns).toMatchObject([{ messages: [{ text: "hello" }, { text: "still there?" }] }]);
    expect(scene.turns[0]?.turn).not.toBe(first?.turn);
  });

  test("an answer that meets a mute is kept, and said when the mute ends", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("hello");
    scene.answer(scene.turns[0], "hi");
    const [answer] = scene.says;
    scene.put(level({ [ada.user]: -1 }));
    const refused = { kind: "failed", code: "HOMESERVER_REFUSED", sentence: "No." } as const;
    if (answer === undefined) throw new Error("no answer");
    scene.put({ ...refused, effect: answer.id });
    expect(scene.says).toEqual([answer]);
    expect(scene.put(level({})).fresh).toEqual([answer]);
  });

  test("an invite of somebody without permission is declined with a reason", () => {
    const scene = new Scene();
    const invite = {
      kind: "member",
      event: event("invite"),
      sender: stranger,
      ts: 0,
      user: ada.user,
      membership: "invite",
      direct: true,
    } as const;
    expect(scene.put(invite).fresh).toMatchObject([
      { kind: "leave", as: ada.user, reason: expect.stringContaining("operator") as string },
    ]);
  });

  test("who is put into a room by an admin reads what it is, as after an invite", () => {
    const scene = new Scene();
    const join = {
      kind: "member",
      event: event("forced"),
      sender: ada.user,
      ts: 0,
      user: ada.user,
      membership: "join",
      direct: false,
    } as const;
    expect(scene.put(join).fresh).toMatchObject([{ kind: "join", as: ada.user, invite: "$forced" }]);
  });

  test("an encrypted room is told once that it cannot be read", () => {
    const scene = new Scene();
    scene.enter([anna], [ada.user, bo.user], { encrypted: true });
    scene.put({ kind: "encryption", event: event("again"), sender: anna, ts: 0 });
    expect(scene.says).toHaveLength(1);
  });

  test("an upgrade takes the conversation and what waits along", () => {
    const scene = new Scene();
    scene.enter([anna]);
    scene.say("hello");
    const history = scene.turns[0]?.history;
    const replacement = scene.record.state.room;
    scene.put({ kind: "tombstone", event: event("tombstone"), sender: anna, ts: 0, replacement });
    expect(scene.due("follow")).toMatchObject([
      { as: [ada.user], carried: [{ agent: "ada", history, queue: [{ text: "hello" }] }] },
    ]);
    const next = new Scene();
    next.enter([anna]);
    const carried = scene.due("follow")[0]?.carried ?? [];
    const snapshot = {
      version: "12",
      creators: [],
      power: {},
      encrypted: false,
      members: [{ user: anna, membership: "join" as const }],
    };
    next.put({ kind: "joined", user: ada.user, snapshot, missed: [], attempts: 1, carried });
    expect(next.turns).toMatchObject([{ history, messages: [{ text: "hello" }] }]);
  });
});

describe("a message that is not taken", () => {
  test("is told of once: a failure to tell of it goes no further", () => {
    const scene = new Scene();
    scene.enter([anna, boss], [bot, ada.user]);
    scene.say("hello", { mentions: [ada.user] });
    scene.answer(scene.turns[0], "hi");
    const fail = (id: EffectId | undefined): void => {
      if (id !== undefined) scene.put({ kind: "failed", effect: id, code: "HOMESERVER_REFUSED", sentence: "No." });
    };
    fail(scene.says[0]?.id);
    expect(scene.says).toMatchObject([{ as: bot, text: expect.stringContaining("was not sent. No.") as string }]);
    fail(scene.says[0]?.id);
    expect(scene.record.outbox).toEqual([]);
  });
});

describe("commands", () => {
  test("are answered by the agent where the bot is not", () => {
    const scene = new Scene();
    scene.enter([anna]);
    expect(scene.say("!crew version").fresh).toMatchObject([
      { kind: "say", as: ada.user, text: "Crewroom 1.2.3", style: "notice" },
    ]);
    expect(scene.turns).toEqual([]);
  });

  test("are answered by the bot where it is", () => {
    const scene = new Scene();
    scene.enter([anna], [bot, ada.user]);
    expect(scene.say("!crew frobnicate").fresh).toMatchObject([
      { as: bot, text: expect.stringContaining("!crew help") as string },
    ]);
  });

  test("are explained, once, to who only talks to the bot", () => {
    const scene = new Scene();
    scene.enter([anna], [bot]);
    expect(scene.say("hello?").fresh).toMatchObject([
      { as: bot, text: expect.stringContaining(ada.user) as string, mentions: [anna] },
    ]);
    expect(scene.say("anybody?").changed).toBe(false);
  });

  test("that steer need the permission and the power", () => {
    const scene = new Scene();
    scene.enter([anna, boss]);
    expect(scene.say("!crew release").fresh).toMatchObject([
      { text: expect.stringContaining("`supervise`") as string },
    ]);
    expect(scene.say("!crew release", { sender: boss }).fresh).toMatchObject([
      { text: expect.stringContaining("power level 50") as string },
    ]);
    scene.put({ kind: "power", event: event("power"), sender: boss, ts: 0, power: { users: { [boss]: 100 } } });
    expect(scene.say("!crew release", { sender: boss }).fresh).toMatchObject([
      { text: expect.stringContaining("nothing to release") as string },
    ]);
  });
});
