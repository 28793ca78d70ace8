import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asEventId, asMxcUri, asUserId } from "../../../src/core/ids.ts";
import { editMessage, fileMessage, reaction, textMessage } from "../../../src/matrix/compose/content.ts";
import { fitsEvent } from "../../../src/matrix/compose/size.ts";

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the test's own value is malformed");
  return value;
}

const root = given(asEventId("$root"));
const asked = given(asEventId("$asked"));
const mxc = given(asMxcUri("mxc://example.org/abc"));
const you = given(asUserId("@you:example.org"));
const cy = given(asUserId("@cy:example.org"));

describe("a text message", () => {
  it("is small when the text is simple, and says that nobody is mentioned", () => {
    expect(textMessage({ text: "hello", msgtype: "m.text" })).toEqual({
      msgtype: "m.text",
      body: "hello",
      "m.mentions": {},
    });
  });

  it("carries HTML beside the markdown, the person who asked, and the typed part", () => {
    const extra = { "dev.crewroom.error": { code: "TURN_TIMED_OUT" } };
    expect(textMessage({ text: "**no**", msgtype: "m.notice", mentions: [you], extra })).toEqual({
      msgtype: "m.notice",
      body: "**no**",
      format: "org.matrix.custom.html",
      formatted_body: "<strong>no</strong>",
      "m.mentions": { user_ids: [you] },
      ...extra,
    });
  });

  it("answers a message without quoting it", () => {
    expect(textMessage({ text: "yes", msgtype: "m.text", replyTo: asked })).toEqual({
      msgtype: "m.text",
      body: "yes",
      "m.mentions": {},
      "m.relates_to": { "m.in_reply_to": { event_id: asked } },
    });
  });

  it("stands in a thread, and for older clients as a reply to its root", () => {
    expect(textMessage({ text: "yes", msgtype: "m.text", thread: root })["m.relates_to"]).toEqual({
      rel_type: "m.thread",
      event_id: root,
      is_falling_back: true,
      "m.in_reply_to": { event_id: root },
    });
  });

  it("answers a message inside a thread", () => {
    expect(textMessage({ text: "yes", msgtype: "m.text", thread: root, replyTo: asked })["m.relates_to"]).toEqual({
      rel_type: "m.thread",
      event_id: root,
      is_falling_back: false,
      "m.in_reply_to": { event_id: asked },
    });
  });

  it("leaves the HTML out when it would not fit", () => {
    const content = textMessage({ text: "*x* ".repeat(7_000), msgtype: "m.text" });
    expect(content).not.toHaveProperty("formatted_body");
    expect(content).not.toHaveProperty("format");
    expect(fitsEvent(content)).toBe(true);
  });

  it("fits with up to 30,000 bytes of any text, and so does its edit", () => {
    const unit = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
      fc.constantFrom('"', "\\", "\n", "\t", "€", "*a*", "<"),
    );
    fc.assert(
      fc.property(unit, fc.integer({ min: 1, max: 30_000 }), (piece, size) => {
        const times = Math.floor(size / Buffer.byteLength(piece.toWellFormed()));
        const content = textMessage({ text: piece.repeat(times), msgtype: "m.text", thread: root, mentions: [you] });
        expect(fitsEvent(content)).toBe(true);
        expect(fitsEvent(editMessage(root, content))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe("an edit", () => {
  it("replaces the text, notifies only who is new, and keeps the whole list in the new content", () => {
    const newContent = textMessage({ text: "hi **you**", msgtype: "m.text", thread: root, mentions: [you, cy] });
    expect(editMessage(asked, newContent, [you])).toEqual({
      msgtype: "m.text",
      body: "* hi **you**",
      "m.mentions": { user_ids: [cy] },
      "m.new_content": {
        msgtype: "m.text",
        body: "hi **you**",
        format: "org.matrix.custom.html",
        formatted_body: "hi <strong>you</strong>",
        "m.mentions": { user_ids: [you, cy] },
      },
      "m.relates_to": { rel_type: "m.replace", event_id: asked },
    });
  });

  it("shortens the fallback before it gives up the formatting", () => {
    const edit = editMessage(asked, textMessage({ text: `**x** ${"y".repeat(25_000)}`, msgtype: "m.text" }));
    expect(edit.body).toHaveLength(100);
    expect(edit["m.new_content"]?.formatted_body).toContain("<strong>x</strong>");
    expect(fitsEvent(edit)).toBe(true);
  });
});

describe("a file", () => {
  it("has its name as body when there is no caption", () => {
    expect(fileMessage({ mxc, name: "a\u202eb\n.md", mimeType: "text/markdown", size: 12 })).toEqual({
      msgtype: "m.file",
      body: "ab .md",
      filename: "ab .md",
      url: mxc,
      info: { mimetype: "text/markdown", size: 12 },
      "m.mentions": {},
    });
  });

  it("has the caption as body, and the name beside it", () => {
    const file = { mxc, name: "answer.md", mimeType: "text/markdown", size: 1, thread: root };
    expect(fileMessage({ ...file, caption: "*short*" })).toMatchObject({
      body: "*short*",
      formatted_body: "<em>short</em>",
      filename: "answer.md",
      "m.relates_to": { rel_type: "m.thread", event_id: root },
    });
  });

  it.each([
    ["image/png", "m.image"],
    ["IMAGE/JPEG", "m.image"],
    ["image/svg+xml", "m.file"],
    ["audio/ogg", "m.audio"],
    ["video/mp4", "m.video"],
    ["application/pdf", "m.file"],
  ])("of type %s is sent as %s", (mimeType, msgtype) => {
    expect(fileMessage({ mxc, name: "x", mimeType, size: 1 }).msgtype).toBe(msgtype);
  });

  it("does not read its name as markdown or as a mention", () => {
    const content = fileMessage({
      mxc,
      name: `${cy} *x*`,
      mimeType: "text/plain",
      size: 1,
      members: new Map([[cy, "Cy"]]),
      mayMention: new Set([cy]),
    });
    expect(content).toMatchObject({ body: `${cy} *x*`, "m.mentions": {} });
    expect(content).not.toHaveProperty("formatted_body");
  });
});

describe("a reaction", () => {
  it("annotates its target", () => {
    expect(reaction(asked, "✅")).toEqual({
      "m.relates_to": { rel_type: "m.annotation", event_id: asked, key: "✅" },
    });
  });
});
