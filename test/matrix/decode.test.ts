import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { MatrixInput } from "../../src/core/input.ts";
import { decodeEvent, tellEvent } from "../../src/matrix/decode.ts";
import { countKinds, decodeTransaction } from "../../src/matrix/transaction.ts";
import { room } from "./ids.ts";

const own = { isOwn: (user: string) => user.startsWith("@agent_") || user.startsWith("@crewroom:") };

interface Raw {
  readonly [key: string]: unknown;
}

function raw(type: string, content: unknown, more: Raw = {}): Raw {
  return {
    type,
    room_id: "!room:localhost",
    event_id: "$event",
    sender: "@alice:example.org:8448",
    origin_server_ts: 1_700_000_000_000,
    content,
    ...more,
  };
}

const text = (body: string, more: Raw = {}): Raw => ({ msgtype: "m.text", body, ...more });

function decode(event: unknown): MatrixInput | "ignored" | "malformed" {
  const decoded = decodeEvent(event, own);
  return typeof decoded === "string" ? decoded : decoded.input;
}

const from = { event: "$event", sender: "@alice:example.org:8448", ts: 1_700_000_000_000 };

test("A message carries what was said, to whom, where, and with which file", () => {
  const said = raw("m.room.message", {
    msgtype: "m.image",
    body: "look",
    filename: "plan.png",
    url: "mxc://localhost/abc",
    info: { mimetype: "image/png", size: 12 },
    "m.mentions": { user_ids: ["@agent_ada:localhost"] },
    "m.relates_to": { rel_type: "m.thread", event_id: "$root", "m.in_reply_to": { event_id: "$before" } },
  });
  expect(decodeEvent(said, own)).toEqual({
    room: "!room:localhost",
    input: {
      kind: "message",
      ...from,
      text: "look",
      mentions: ["@agent_ada:localhost"],
      replyTo: "$before",
      thread: "$root",
      attachment: { mxc: "mxc://localhost/abc", name: "plan.png", mimeType: "image/png", size: 12, encrypted: false },
      notice: false,
    },
  });
});

test("A notice is marked, an emote reads as clients show it", () => {
  expect(decode(raw("m.room.message", { msgtype: "m.notice", body: "beep" }))).toMatchObject({ notice: true });
  expect(decode(raw("m.room.message", { msgtype: "m.emote", body: "waves" }))).toMatchObject({ text: "* alice waves" });
});

test("An edit carries the new words", () => {
  const edit = raw("m.room.message", {
    ...text("* new"),
    "m.new_content": text("new"),
    "m.relates_to": { rel_type: "m.replace", event_id: "$old" },
  });
  expect(decode(edit)).toEqual({ kind: "edit", ...from, target: "$old", text: "new" });
});

test("What our own users say and react is ignored, what becomes of them is not", () => {
  const sender = "@agent_ada:localhost";
  expect(decode(raw("m.room.message", text("hi"), { sender }))).toBe("ignored");
  const reaction = { "m.relates_to": { rel_type: "m.annotation", event_id: "$a", key: "✅" } };
  expect(decode(raw("m.reaction", reaction, { sender }))).toBe("ignored");
  const joined = raw("m.room.member", { membership: "join" }, { sender, state_key: sender });
  expect(decode(joined)).toMatchObject({ kind: "member", user: sender, membership: "join", direct: false });
});

test("A foreign bridge's mark tells how far a chain has gone", () => {
  const marked = (mark: unknown) => decode(raw("m.room.message", text("hi", { "dev.crewroom.turn": mark })));
  expect(marked({ hops: 3 })).toMatchObject({ hops: 3 });
  for (const mark of [{ hops: -1 }, { hops: 1.5 }, { hops: "3" }, {}, 3, null])
    expect(marked(mark)).not.toHaveProperty("hops");
});

test("Reactions and redactions name what they are on, in old rooms and new", () => {
  const reaction = { "m.relates_to": { rel_type: "m.annotation", event_id: "$on", key: "🛑" } };
  expect(decode(raw("m.reaction", reaction))).toEqual({ kind: "reaction", ...from, target: "$on", key: "🛑" });
  const redaction = { kind: "redaction", ...from, target: "$on" };
  expect(decode(raw("m.room.redaction", { redacts: "$on" }))).toEqual(redaction);
  expect(decode(raw("m.room.redaction", { reason: "oops" }, { redacts: "$on" }))).toEqual(redaction);
  expect(decode(raw("m.room.redaction", { redacts: "$on" }, { redacts: "$other" }))).toEqual(redaction);
});

test("An invite says whether it is to a direct chat", () => {
  const invite = { membership: "invite", is_direct: true, reason: "help" };
  expect(decode(raw("m.room.member", invite, { state_key: "@agent_ada:localhost" }))).toEqual({
    kind: "member",
    ...from,
    user: "@agent_ada:localhost",
    membership: "invite",
    direct: true,
    reason: "help",
  });
});

test.each([
  [
    { allow: ["*"], deny: ["evil.org"], allow_ip_literals: false },
    { allow: ["*"], deny: ["evil.org"], ipLiterals: false },
  ],
  [
    { allow: ["*", 7, null], deny: "evil.org", allow_ip_literals: "no" },
    { allow: ["*"], deny: [], ipLiterals: true },
  ],
  [{}, { allow: [], deny: [], ipLiterals: true }],
])("A server ACL is read as homeservers read it: %j", (content, acl) => {
  expect(decode(raw("m.room.server_acl", content, { state_key: "" }))).toEqual({ kind: "acl", ...from, acl });
});

test("A reaction that another bridge's agent marked as its own is passed over", () => {
  const relates = { rel_type: "m.annotation", event_id: "$asked", key: "✅" };
  const marked = { "m.relates_to": relates, "dev.crewroom.turn": { agent: "zed", turn: "t", hops: 0 } };
  expect(decode(raw("m.reaction", marked))).toBe("ignored");
});

test("Of power levels only whole numbers are kept, also as the strings of old rooms", () => {
  const content = {
    users: { "@a:b": 100, "@c:d": "50", "@e:f": 1.5, "@g:h": null, "@i:j": "many", __proto__: 3 },
    users_default: " -1 ",
    events: { "m.room.message": "10" },
    events_default: 2 ** 60,
    ban: 50,
  };
  expect(decode(raw("m.room.power_levels", content, { state_key: "" }))).toEqual({
    kind: "power",
    ...from,
    power: { users: { "@a:b": 100, "@c:d": 50 }, users_default: -1, events: { "m.room.message": 10 } },
  });
});

test("Encryption and tombstones are heard, when they are the room's own state", () => {
  const encryption = (more: Raw) => decode(raw("m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, more));
  expect(encryption({ state_key: "" })).toEqual({ kind: "encryption", ...from });
  expect(encryption({ state_key: "x" })).toBe("ignored");
  expect(encryption({})).toBe("ignored");
  const tombstone = (replacement: unknown) =>
    decode(raw("m.room.tombstone", { replacement_room: replacement, body: "" }, { state_key: "" }));
  expect(tombstone("!hash")).toEqual({ kind: "tombstone", ...from, replacement: "!hash" });
  expect(tombstone("#alias:b")).toBe("malformed");
});

test.each([
  ["a sticker", raw("m.sticker", { body: "x" })],
  ["an encrypted message", raw("m.room.encrypted", { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "x" })],
  ["a type of its own", raw("org.example.thing", { anything: 1 })],
  [
    "a message that was redacted",
    raw("m.room.message", {}, { unsigned: { redacted_because: { type: "m.room.redaction" } } }),
  ],
  ["a state event with the type of a message", raw("m.room.message", text("hi"), { state_key: "" })],
  ["a request for verification", raw("m.room.message", { msgtype: "m.key.verification.request", body: "please" })],
])("%s is ignored", (_name, event) => {
  expect(decode(event)).toBe("ignored");
});

test.each([
  ["null", null],
  ["a list", []],
  ["an event without a type", { ...raw("m.room.message", text("hi")), type: undefined }],
  ["an event without an id", raw("m.room.message", text("hi"), { event_id: undefined })],
  ["an event with a sender who is no user", raw("m.room.message", text("hi"), { sender: "alice" })],
  ["an event with a time that is none", raw("m.room.message", text("hi"), { origin_server_ts: "yesterday" })],
  ["an event without content", raw("m.room.message", undefined)],
  ["a message without a body", raw("m.room.message", { msgtype: "m.text" })],
  ["a member who is no user", raw("m.room.member", { membership: "join" }, { state_key: "alice" })],
  ["an unknown membership", raw("m.room.member", { membership: "fired" }, { state_key: "@a:b" })],
  ["a reaction without a key", raw("m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: "$a" } })],
  ["a redaction of nothing", raw("m.room.redaction", {})],
])("%s is malformed", (_name, event) => {
  expect(decode(event)).toBe("malformed");
});

test("An event of a room's history may come without its room", () => {
  const event = raw("m.room.message", text("hi"), { room_id: undefined });
  expect(decodeEvent(event, own)).toBe("malformed");
  expect(decodeEvent(event, own, room("!known"))).toMatchObject({ room: "!known" });
});

test("The log names a malformed event without its words", () => {
  const told = tellEvent(raw("m.room.message", { body: "a secret" }, { event_id: `$${"x".repeat(999)}` }));
  expect(told).toMatchObject({ type: "m.room.message", room: "!room:localhost" });
  expect(told.event).toHaveLength(255);
  expect(JSON.stringify(told)).not.toContain("secret");
  expect(tellEvent(7)).toEqual({});
});

const types = [
  "m.room.message",
  "m.reaction",
  "m.room.redaction",
  "m.room.member",
  "m.room.power_levels",
  "m.room.server_acl",
  "m.room.encryption",
  "m.room.tombstone",
];

test("Nothing that a stranger can send makes decoding throw", () => {
  const anything = fc.anything({ maxDepth: 3 });
  const content = fc.oneof(
    anything,
    fc.record(
      {
        msgtype: fc.oneof(fc.constantFrom("m.text", "m.emote", "m.image"), anything),
        body: fc.oneof(fc.string({ unit: "binary" }), anything),
        formatted_body: fc.oneof(fc.string(), anything),
        url: fc.oneof(fc.constant("mxc://a/b"), anything),
        info: anything,
        "m.mentions": fc.oneof(fc.record({ user_ids: anything }), anything),
        "m.new_content": anything,
        "m.relates_to": fc.oneof(
          fc.record({
            rel_type: fc.constantFrom("m.replace", "m.thread", "m.annotation"),
            event_id: fc.constant("$x"),
            key: anything,
          }),
          anything,
        ),
        membership: fc.oneof(fc.constantFrom("join", "invite"), anything),
        users: anything,
        events: anything,
        redacts: anything,
        replacement_room: anything,
        "dev.crewroom.turn": anything,
      },
      { requiredKeys: [] },
    ),
  );
  const event = fc.record(
    {
      type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...types) }, anything),
      room_id: fc.oneof({ weight: 9, arbitrary: fc.constant("!r") }, anything),
      event_id: fc.oneof({ weight: 9, arbitrary: fc.constant("$e") }, anything),
      sender: fc.oneof({ weight: 9, arbitrary: fc.constant("@a:b") }, anything),
      origin_server_ts: fc.oneof({ weight: 9, arbitrary: fc.nat() }, anything),
      state_key: fc.oneof(fc.constantFrom("", "@a:b", undefined), anything),
      unsigned: anything,
      redacts: anything,
      content,
    },
    { requiredKeys: ["type"] },
  );
  fc.assert(
    fc.property(fc.oneof({ weight: 5, arbitrary: event }, anything), (event) => {
      const decoded = decodeEvent(event, own);
      tellEvent(event);
      const transaction = decodeTransaction({ events: [event], ephemeral: event });
      expect(transaction?.events).toEqual([event]);
      if (transaction !== undefined) countKinds(transaction);
      // What is decoded is kept in the journal as JSON.
      expect(JSON.parse(JSON.stringify(decoded))).toEqual(decoded);
    }),
    { numRuns: 3000 },
  );
});
