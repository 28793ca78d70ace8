import { describe, expect, test } from "vitest";
import { RoomView, type Shown } from "../../src/demo/room-view.ts";
import { type Sync, syncSchema } from "../../src/demo/sync.ts";

const me = "@you:localhost";
const ada = "@ada:localhost";

function sync(timeline: readonly object[], typing?: readonly string[]): Sync {
  const ephemeral = typing === undefined ? [] : [{ type: "m.typing", content: { user_ids: typing } }];
  return syncSchema.parse({
    next_batch: "s",
    rooms: { join: { "!r": { timeline: { events: timeline }, ephemeral: { events: ephemeral } } } },
  });
}

let count = 0;
function message(sender: string, body: string, content: object = {}): { readonly event_id: string } {
  return {
    type: "m.room.message",
    sender,
    event_id: `$${count++}`,
    content: { msgtype: "m.text", body, ...content },
  } as {
    readonly event_id: string;
  };
}
function edit(sender: string, of: string, body: string, content: object = {}): object {
  return message(sender, `* ${body}`, {
    "m.new_content": { msgtype: "m.text", body, ...content },
    "m.relates_to": { rel_type: "m.replace", event_id: of },
  });
}
function reaction(sender: string, event_id: string, key: string): object {
  const content = { "m.relates_to": { rel_type: "m.annotation", event_id, key } };
  return { type: "m.reaction", sender, event_id: `$${count++}`, content };
}
function member(user: string, membership: string, displayname: string): object {
  return { type: "m.room.member", state_key: user, sender: user, content: { membership, displayname } };
}

function watched(): { readonly view: RoomView; readonly shown: Shown[] } {
  const shown: Shown[] = [];
  return { view: new RoomView(me, (one) => shown.push(one)), shown };
}

describe("the view of the demo's rooms", () => {
  test("a growing answer is shown once, in its last form, when its author no longer types", () => {
    const { view, shown } = watched();
    const first = message(ada, "It");
    view.take(sync([first], [ada]), false);
    view.take(sync([edit(ada, first.event_id, "It grows")]), false);
    expect(shown).toEqual([]);
    view.take(sync([edit(ada, first.event_id, "It grows long.")], []), false);
    expect(shown.map(({ text, kind }) => ({ text, kind }))).toEqual([{ text: "It grows long.", kind: "message" }]);
  });

  test("an edit after the end is shown as a correction, and one by somebody else is not", () => {
    const { view, shown } = watched();
    const first = message(ada, "four");
    view.take(sync([first]), false);
    view.take(sync([edit("@eve:localhost", first.event_id, "forged")]), false);
    view.take(sync([edit(ada, first.event_id, "five")]), false);
    expect(shown.map(({ text, kind }) => ({ text, kind }))).toEqual([
      { text: "four", kind: "message" },
      { text: "five", kind: "correction" },
    ]);
  });

  test("an edit that only adds is shown as what it adds", () => {
    const { view, shown } = watched();
    const first = message(ada, "half an");
    view.take(sync([first]), false);
    view.take(sync([edit(ada, first.event_id, "half an answer. Stopped.")]), false);
    expect(shown.at(-1)).toMatchObject({ kind: "more", text: " answer. Stopped." });
  });

  test("one's own joining is not shown, and an error is known from an answer", () => {
    const { view, shown } = watched();
    view.take(sync([member(me, "join", "You"), message(ada, "no model", { "dev.crewroom.error": "X" })]), false);
    expect(shown.map(({ text }) => text)).toEqual(["no model"]);
    expect(view.messages("!r", ada)).toMatchObject([{ failed: true }]);
  });

  test("what is old is known but not shown", () => {
    const { view, shown } = watched();
    view.take(sync([member(ada, "join", "Ada"), message(ada, "long ago")]), true);
    expect(shown).toEqual([]);
    expect(view.facts.membership("!r", ada)).toBe("join");
    expect(view.facts.nameOf(ada)).toBe("Ada");
    expect(view.facts.nameOf("!r"), "a room without a name is called after the others in it").toBe(
      "direct chat with Ada",
    );
  });

  test("a join is shown once, with the room's name that came after it, and a new display name is not", () => {
    const { view, shown } = watched();
    view.take(
      sync([member(ada, "join", "Ada"), { type: "m.room.name", state_key: "", content: { name: "Picnic" } }]),
      false,
    );
    view.take(sync([member(ada, "join", "Ada L.")]), false);
    expect(shown.map(({ who, text }) => `${who} ${text}`)).toEqual([`${ada} joined`]);
    expect(view.facts.nameOf("!r")).toBe("Picnic");
  });

  test("what is said of a task is shown while its author goes on typing", () => {
    const { view, shown } = watched();
    view.take(sync([message(ada, "handed in", { "dev.crewroom.action": { kind: "submit" } })], [ada]), false);
    view.take(sync([message(ada, "half of it", { msgtype: "m.notice" })]), false);
    view.take(sync([message(ada, "an answer that")]), false);
    expect(shown.map(({ text }) => text)).toEqual(["handed in", "half of it"]);
  });

  test("a subtask's own message is shown by its first line, and by what that becomes; what is in its thread names it", () => {
    const { view, shown } = watched();
    const action = { "dev.crewroom.action": { kind: "subtask", subtask: "core" } };
    const root = message(ada, "core waits\n\nA parser", action);
    const inThread = { "m.relates_to": { rel_type: "m.thread", event_id: root.event_id } };
    view.take(sync([root, message(me, "hurry", inThread)]), false);
    view.take(sync([edit(ada, root.event_id, "core waits\n\nA fast parser", action)]), false);
    view.take(sync([edit(ada, root.event_id, "core is done\n\nA fast parser", action)]), false);
    expect(shown.map(({ text, kind, thread }) => ({ text, kind, thread }))).toEqual([
      { text: "core waits", kind: "message", thread: undefined },
      { text: "hurry", kind: "message", thread: "core" },
      { text: "core is done", kind: "status", thread: undefined },
    ]);
  });

  test("of a question that is answered only the outcome is shown, and its own reactions are not", () => {
    const { view, shown } = watched();
    const asked = (state: string): object => ({
      "dev.crewroom.approval": { id: "a1", matter: "plan", state, options: [{ key: "✅" }] },
    });
    const question = message(ada, "The plan:\n1. go\n\nReact ✅", asked("open"));
    view.take(sync([question, reaction(ada, question.event_id, "✅"), reaction(me, question.event_id, "✅")]), false);
    view.take(sync([edit(ada, question.event_id, "The plan:\n1. go\n\n✅ yes", asked("answered"))]), false);
    expect(shown.slice(1).map(({ who, text, kind }) => ({ who, text, kind }))).toEqual([
      { who: me, text: "put ✅ on “The plan:”", kind: "action" },
      { who: ada, text: "✅ yes", kind: "status" },
    ]);
    expect(view.messages("!r")).toMatchObject([{ approval: { matter: "plan", state: "answered" } }]);
  });

  test("an edit that only takes lines away from what is said of a task is not shown", () => {
    const { view, shown } = watched();
    const action = { "dev.crewroom.action": { kind: "task" } };
    const status = message(ada, "active\n- a question waits", action);
    view.take(sync([status]), false);
    view.take(sync([edit(ada, status.event_id, "active", action)]), false);
    view.take(sync([edit(ada, status.event_id, "active\n- another waits", action)]), false);
    expect(shown.map(({ text, kind }) => ({ text, kind }))).toEqual([
      { text: "active\n- a question waits", kind: "message" },
      { text: "- another waits", kind: "status" },
    ]);
  });

  test("of a commit the changed lines are shown, fewer of many, and none of what is merged", () => {
    const { view, shown } = watched();
    const diff = ["--- a/a.js", "+++ b/a.js", "@@ -1 +1,20 @@", "-old", " kept", "+"];
    const added = Array.from({ length: 15 }, (_, index) => `+line ${index}`);
    const body = `📝 **Ada** changed 1 file\n\n\`~\` \`a.js\` · +16 −1\n\n\`\`\`diff\n${[...diff, ...added].join("\n")}\n\`\`\``;
    const commit = (why: string): object => ({
      msgtype: "m.notice",
      "dev.crewroom.commit": {
        commit: "c0",
        branch: "main",
        why,
        files: 1,
        changes: [{ path: "a.js", kind: "modified" }],
      },
    });
    view.take(sync([message(ada, body, commit("submit")), message(ada, body, commit("merge"))]), false);
    const [made, merged] = shown.map(({ text }) => text.split("\n"));
    expect(made?.slice(0, 5)).toEqual(["📝 **Ada** changed 1 file", "", "~ a.js · +16 −1", "-old", "+line 0"]);
    expect(made?.slice(-2)).toEqual(["+line 10", "  … 4 more"]);
    expect(merged).toEqual(made?.slice(0, 3));
    expect(view.messages("!r")[0]?.commit?.changes).toEqual([{ path: "a.js", kind: "modified" }]);
  });

  test("a file is shown with its caption, its name and its size, and known with its address and what it answers", () => {
    const { view, shown } = watched();
    const file = { msgtype: "m.file", filename: "a.js", url: "mxc://localhost/abc", info: { size: 1234 } };
    const answers = { "m.relates_to": { "m.in_reply_to": { event_id: "$asked" } } };
    view.take(sync([message(ada, "Here it is", { ...file, ...answers }), message(ada, "a.js", file)]), false);
    expect(shown.map(({ text }) => text)).toEqual(["Here it is\n📎 a.js (1,234 bytes)", "📎 a.js (1,234 bytes)"]);
    expect(view.messages("!r")[0]).toMatchObject({
      file: { name: "a.js", address: "mxc://localhost/abc" },
      replyTo: "$asked",
    });
  });

  test("an invite is known, with the state that comes with it, and a state event is found by its key", () => {
    const { view } = watched();
    const invite = {
      events: [member(me, "invite", "You"), { type: "m.room.name", state_key: "", content: { name: "HQ" } }],
    };
    view.take(syncSchema.parse({ next_batch: "s", rooms: { invite: { "!hq": { invite_state: invite } } } }), false);
    expect(view.facts.membership("!hq", me)).toBe("invite");
    expect(view.facts.nameOf("!hq")).toBe("HQ");
    view.take(sync([{ type: "dev.crewroom.subtask", state_key: "core", content: { state: "done" } }]), true);
    expect([...view.facts.states("!r", "dev.crewroom.subtask")]).toEqual([["core", { state: "done" }]]);
    expect(view.facts.state("!r", "dev.crewroom.subtask", "other")).toBeUndefined();
  });

  test("a changed topic is shown, and the first one is not", () => {
    const { view, shown } = watched();
    const topic = (text: string): object => ({
      type: "m.room.topic",
      state_key: "",
      sender: ada,
      content: { topic: text },
    });
    view.take(sync([topic("planning")]), false);
    view.take(sync([topic("active"), topic("active")]), false);
    expect(shown.map(({ text }) => text)).toEqual(["changed the topic: active"]);
  });

  test("malformed events are passed over", () => {
    const { view, shown } = watched();
    view.take(
      sync([
        { type: "m.room.message", sender: ada, event_id: "$bad", content: { body: 7 } },
        { type: "m.room.message", sender: ada, event_id: "$none" },
        { type: "m.reaction", sender: ada, event_id: "$r", content: { "m.relates_to": "nothing" } },
        { type: "m.room.member", state_key: ada, sender: ada, content: { membership: 4 } },
      ]),
      false,
    );
    expect(shown).toEqual([]);
  });

  test("a wait ends with what came, or with the signal's reason", async () => {
    const { view } = watched();
    const stop = new AbortController();
    const coming = view.until(() => view.messages("!r", ada)[0]?.text, stop.signal);
    const never = view.until(() => undefined, stop.signal);
    view.take(sync([message(ada, "here")]), false);
    await expect(coming).resolves.toBe("here");
    stop.abort(new Error("enough"));
    await expect(never).rejects.toThrow("enough");
  });
});
