import { expect, test } from "vitest";
import { Recent } from "../../src/matrix/recent.ts";

const anna = "@anna:example.org";
const bea = "@bea:example.org";

interface Raw {
  readonly id: string;
  readonly sender?: string;
  readonly content: object;
  readonly [key: string]: unknown;
}

const raw = ({ id, sender = anna, ...more }: Raw) => ({
  type: "m.room.message",
  event_id: id,
  sender,
  origin_server_ts: 1,
  ...more,
});
const said = (body: string, more: object = {}) => ({ msgtype: "m.text", body, ...more });
const edited = (target: string, body: string) =>
  said(`* ${body}`, { "m.new_content": said(body), "m.relates_to": { rel_type: "m.replace", event_id: target } });

function textsOf(newestFirst: readonly unknown[]): readonly string[] {
  const recent = new Recent();
  for (const one of newestFirst) recent.add(one);
  return recent.newest(100).map(({ text }) => text);
}

test("Edits are applied where the homeserver adds none to the message: the newest, and only the sender's", () => {
  const events = [
    raw({ id: "$5", sender: bea, content: edited("$1", "forged") }),
    raw({ id: "$4", content: edited("$1", "third") }),
    raw({ id: "$3", content: edited("$1", "second") }),
    raw({ id: "$2", sender: bea, content: said("hello") }),
    raw({ id: "$1", content: said("first") }),
  ];
  expect(textsOf(events)).toEqual(["third", "hello"]);
});

test("An edit that the homeserver adds to a message counts only when it is one, of that message and its sender", () => {
  const withEdit = (edit: unknown) =>
    raw({ id: "$1", content: said("first"), unsigned: { "m.relations": { "m.replace": edit } } });
  expect(textsOf([withEdit(raw({ id: "$2", content: edited("$1", "second") }))])).toEqual(["second"]);
  expect(textsOf([withEdit(raw({ id: "$2", sender: bea, content: edited("$1", "forged") }))])).toEqual(["first"]);
  expect(textsOf([withEdit(raw({ id: "$2", content: edited("$0", "of another") }))])).toEqual(["first"]);
  expect(textsOf([withEdit({ event_id: "$2" })])).toEqual(["first"]);
});

test("Files are told by their caption or name, emotes with who they are of, and nothing malformed or redacted", () => {
  const file = { msgtype: "m.file", url: "mxc://example.org/abc", body: "plan.txt" };
  const events = [
    raw({ id: "$7", content: said("not said", { body: 7 }) }),
    raw({ id: "$6", content: {} }),
    raw({ id: "$5", content: said("state"), state_key: "" }),
    { type: "m.reaction" },
    raw({ id: "$3", content: { ...file, filename: "plan.txt", body: "my plan" } }),
    raw({ id: "$2", content: file }),
    raw({ id: "$1", content: { msgtype: "m.emote", body: "waves" } }),
  ];
  expect(textsOf(events)).toEqual(["* anna waves", "plan.txt", "my plan"]);
});
