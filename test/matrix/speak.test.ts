import { expect, test } from "vitest";
import type { Say } from "../../src/core/effect.ts";
import type { EffectId, EventId, MxcUri, RoomId, UserId } from "../../src/core/ids.ts";
import { Speaker, transactionId } from "../../src/matrix/speak.ts";

const room = "!room:example.org" as RoomId;
const boss = "@boss:example.org" as UserId;
const question: Say = {
  kind: "say",
  id: "a1" as EffectId,
  as: "@crewroom:example.org" as UserId,
  text: `May I?\n\n${"x".repeat(40_000)}\n\nReact.`,
  brief: "May I?\n\nReact.",
  style: "message",
  mentions: [boss],
  approval: { id: "a1" },
};

function speakerWith() {
  const sent: (Readonly<Record<string, unknown>> & { readonly id: string })[] = [];
  const speaker = new Speaker({
    longAnswerBytes: 30_000,
    homeserver: {
      send: async (_room, _as, _type, content, id) => {
        sent.push({ ...content, id });
        return `$${sent.length}` as EventId;
      },
      redact: async () => "$redaction" as EventId,
      setState: async () => "$state" as EventId,
      upload: async () => "mxc://example.org/whole" as MxcUri,
    },
  });
  return { speaker, sent };
}

const { signal } = new AbortController();

test("a long message with a brief one in its place is a file and then that message, which alone can be answered", async () => {
  const { speaker, sent } = speakerWith();
  expect(await speaker.say(room, question, new Map(), signal)).toBe("$2");
  expect(sent).toMatchObject([
    { msgtype: "m.file", filename: "whole.md", url: "mxc://example.org/whole", "m.mentions": {} },
    {
      msgtype: "m.text",
      body: question.brief,
      "m.mentions": { user_ids: [boss] },
      "dev.crewroom.approval": { id: "a1" },
      id: transactionId("a1"),
    },
  ]);
  expect(sent[0]).not.toHaveProperty(["dev.crewroom.approval"]);
});

test("its edit is the brief one alone: the whole is in the room already", async () => {
  const { speaker, sent } = speakerWith();
  const edit = { ...question, brief: "May I?\n\nApproved.", replaces: { event: "$2" as EventId } };
  await speaker.say(room, edit, new Map(), signal);
  expect(sent).toMatchObject([{ "m.new_content": { msgtype: "m.text", body: edit.brief } }]);
});

test("one that is short enough is said as it is", async () => {
  const { speaker, sent } = speakerWith();
  await speaker.say(room, { ...question, text: "May I? It is short." }, new Map(), signal);
  expect(sent).toMatchObject([{ body: "May I? It is short." }]);
});
