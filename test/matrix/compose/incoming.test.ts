import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asEventId, asUserId } from "../../../src/core/ids.ts";
import { editMessage, fileMessage, textMessage } from "../../../src/matrix/compose/content.ts";
import { decodeMessage } from "../../../src/matrix/compose/incoming.ts";

const ada = "@agent_ada:localhost:8448";
const plain = { isNotice: false, isEmote: false, mentions: [] };

function text(body: string, more: object = {}) {
  return decodeMessage({ msgtype: "m.text", body, ...more });
}

describe("a person's message", () => {
  it("is its text", () => {
    expect(text("hello\r\nthere\u0000")).toEqual({ msgtype: "m.text", text: "hello\nthere", ...plain });
  });

  it("says whether it is a notice or an emote, and keeps the text of kinds that are not known", () => {
    expect(decodeMessage({ msgtype: "m.notice", body: "x" })).toMatchObject({ isNotice: true, isEmote: false });
    expect(decodeMessage({ msgtype: "m.emote", body: "waves" })).toMatchObject({ isEmote: true, text: "waves" });
    expect(decodeMessage({ msgtype: "org.example.poll", body: "x?" })).toMatchObject({ text: "x?" });
  });

  it.each([
    ["nothing", undefined],
    ["a redacted event", {}],
    ["an array", []],
    ["a text", "hello"],
    ["a body that is no text", { msgtype: "m.text", body: 7 }],
    ["no kind", { body: "hello" }],
    ["an image without an address", { msgtype: "m.image", body: "x" }],
    ["an image from the net", { msgtype: "m.image", body: "x", url: "https://evil.example/x.png" }],
    ["an edit of nothing", { msgtype: "m.text", body: "x", "m.relates_to": { rel_type: "m.replace", event_id: 7 } }],
    [
      "an edit without new content",
      { msgtype: "m.text", body: "x", "m.relates_to": { rel_type: "m.replace", event_id: "$a" } },
    ],
  ])("is malformed when it is %s", (_what, content) => {
    expect(decodeMessage(content)).toBeUndefined();
  });
});

describe("whom a message addresses", () => {
  it("is said by m.mentions, ports included, with malformed ids left out", () => {
    const mentions = { user_ids: [ada, ada, 7, "ada", "@cy:example.org"] };
    expect(text("hi", { "m.mentions": mentions })?.mentions).toEqual([ada, "@cy:example.org"]);
  });

  it.each([{}, null, 7, { user_ids: "x" }, { room: true }])(
    "is nobody when m.mentions is %j, whatever the text and its pills",
    (mentions) => {
      const formatted_body = `<a href="https://matrix.to/#/${ada}">Ada</a>`;
      expect(text(`hi ${ada}`, { formatted_body, "m.mentions": mentions })?.mentions).toEqual([]);
    },
  );

  it.each([
    `<a href="https://matrix.to/#/${ada}">Ada</a>`,
    `<a href='https://matrix.to/#/%40agent_ada%3Alocalhost%3A8448'>Ada</a>`,
    `<A class="x" HREF = "https://matrix.to/#/${ada}?via=localhost%3A8448&amp;via=b">Ada</A>`,
    `<a href="matrix:u/agent_ada:localhost:8448?action=chat">Ada</a>`,
  ])("is said by the pills of a client without m.mentions: %s", (pill) => {
    expect(text("hi Ada and @other:example.org", { formatted_body: `hi ${pill}` })?.mentions).toEqual([ada]);
  });

  it("is said by full MXIDs when there is neither, and never by a name", () => {
    expect(text(`Ada, ${ada}: and @cy:example.org. mail@x:example.org @room`)?.mentions).toEqual([
      ada,
      "@cy:example.org",
    ]);
  });

  it("is not the person who is merely quoted in a reply", () => {
    const formatted_body =
      `<mx-reply><blockquote><a href="https://matrix.to/#/!r:x/$e">In reply to</a> ` +
      `<a href="https://matrix.to/#/@cy:example.org">@cy:example.org</a><br>old</blockquote></mx-reply>new`;
    const reply = text(`> <@cy:example.org> old\n> lines\n\nnew`, {
      formatted_body,
      "m.relates_to": { "m.in_reply_to": { event_id: "$old" } },
    });
    expect(reply).toEqual({ msgtype: "m.text", text: "new", ...plain, replyTo: "$old" });
  });
});

describe("where a message stands", () => {
  it("keeps a quote that is no reply", () => {
    expect(text("> <@cy:example.org> old\n\nnew")?.text).toBe("> <@cy:example.org> old\n\nnew");
  });

  it("tells a true reply in a thread from the one for older clients", () => {
    const thread = { rel_type: "m.thread", event_id: "$root", "m.in_reply_to": { event_id: "$last" } };
    const fallback = text("x", { "m.relates_to": { ...thread, is_falling_back: true } });
    expect(fallback?.thread).toBe("$root");
    expect(fallback).not.toHaveProperty("replyTo");
    expect(text("x", { "m.relates_to": thread })).toMatchObject({ thread: "$root", replyTo: "$last" });
  });

  it("reads an edit with what it says now, and whom it names now", () => {
    const edit = text("* new", {
      "m.mentions": {},
      "m.new_content": { msgtype: "m.text", body: "new", "m.mentions": { user_ids: [ada] } },
      "m.relates_to": { rel_type: "m.replace", event_id: "$old" },
    });
    expect(edit).toMatchObject({
      mentions: [],
      edits: { target: "$old", newContent: { text: "new", mentions: [ada] } },
    });
  });
});

describe("a file in a message", () => {
  const url = "mxc://example.org/abc";

  it("has a name, a type and a size, and no text without a caption", () => {
    const info = { mimetype: "Image/PNG; x=y", size: 12 };
    expect(decodeMessage({ msgtype: "m.image", body: "cat.png", url, info })).toEqual({
      msgtype: "m.image",
      text: "",
      ...plain,
      attachment: { mxc: url, name: "cat.png", mimeType: "image/png", size: 12, encrypted: false },
    });
  });

  it("has its caption as text", () => {
    expect(decodeMessage({ msgtype: "m.file", body: `look, ${ada}`, filename: "a.txt", url })).toMatchObject({
      text: `look, ${ada}`,
      mentions: [ada],
      attachment: { name: "a.txt" },
    });
  });

  it("does not take its name for a caption or for a mention", () => {
    expect(decodeMessage({ msgtype: "m.file", body: ada, filename: ada, url })).toMatchObject({
      text: "",
      mentions: [],
    });
  });

  it("is marked when it was encrypted", () => {
    expect(decodeMessage({ msgtype: "m.file", body: "x", file: { url, key: {} } })?.attachment).toMatchObject({
      mxc: url,
      encrypted: true,
    });
  });

  it.each([
    ["../../etc/passwd", ".._.._etc_passwd"],
    ["..", "file"],
    ["a\\b\u202egnp.exe\n", "a_bgnp.exe"],
    ["\u200b", "file"],
  ])("named %j gets the harmless name %j", (body, name) => {
    expect(decodeMessage({ msgtype: "m.file", body, url })?.attachment?.name).toBe(name);
  });

  it.each([-1, 1.5, 1e300, "12", null, {}])("has no size when %j is claimed", (size) => {
    expect(decodeMessage({ msgtype: "m.file", body: "x", url, info: { size } })?.attachment).not.toHaveProperty("size");
  });
});

describe("decoding", () => {
  const hostile = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>("$e", ada, [ada], { user_ids: [ada, 1] }, { event_id: "$e" }, "mxc://a/b", "m.thread"),
    fc.constantFrom<unknown>("m.replace", `<a href="https://matrix.to/#/%E0%A4%A"`, "<mx-reply>", "> <@a:b> c\n", true),
  );
  const keys =
    "msgtype,body,format,formatted_body,filename,url,file,info,m.mentions,m.relates_to,m.new_content,rel_type,event_id,m.in_reply_to,user_ids,is_falling_back,mimetype,size".split(
      ",",
    );
  const nested = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      { weight: 2, arbitrary: hostile },
      { weight: 3, arbitrary: fc.dictionary(fc.constantFrom(...keys), tie("node")) },
    ),
  }));
  const kinds = fc.constantFrom("m.text", "m.image", "m.file", "m.emote");
  const message = fc
    .tuple(nested.node, kinds, fc.string({ unit: "binary" }))
    .map(([node, msgtype, body]) => (typeof node === "object" && node !== null ? { ...node, msgtype, body } : node));

  it("never throws, and gives only ids that are ids, whatever JSON comes in", () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), nested.node, message), (content) => {
        const decoded = decodeMessage(content);
        if (decoded === undefined) return;
        expect(typeof decoded.text).toBe("string");
        expect(decoded.mentions.map((id) => asUserId(id))).toEqual(decoded.mentions);
        for (const id of [decoded.replyTo, decoded.thread, decoded.edits?.target]) {
          expect(id === undefined || asEventId(id) !== undefined).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  const million = 1_000_000;
  it.each([
    ["a long body", { body: "@".repeat(million) }],
    ["a body of ids that go nowhere", { body: "@a:".repeat(million) }],
    ["a body of long local parts", { body: `@${"a".repeat(300)}`.repeat(3_000) }],
    ["a quote without an end", { body: "> <@".repeat(million) }],
    ["a quote of a million lines", { body: `> <@a:b>${"\n>".repeat(million)}` }],
    ["tags without an end", { formatted_body: "<a ".repeat(million) }],
    ["links without an address", { formatted_body: "<a href=".repeat(million) }],
    ["deep HTML", { formatted_body: "<div>".repeat(million) }],
    ["quotes in HTML without an end", { formatted_body: "<mx-reply>".repeat(million) }],
    ["a million mentions", { "m.mentions": { user_ids: Array.from({ length: million }, (_, i) => `@u${i}:x`) } }],
    ["a long file name", { msgtype: "m.file", url: "mxc://a/b", filename: "\u202e".repeat(million) }],
  ])("does little work for %s", (_what, hostile) => {
    const started = process.cpuUsage();
    const content = {
      msgtype: "m.text",
      body: "x",
      "m.relates_to": { "m.in_reply_to": { event_id: "$e" } },
      ...hostile,
    };
    const decoded = decodeMessage(content);
    const { user, system } = process.cpuUsage(started);
    expect(decoded?.mentions.length).toBeLessThanOrEqual(50);
    // Unbounded, these take from seconds to hours. CPU time, so that a busy machine makes no difference.
    expect((user + system) / 1_000).toBeLessThan(500);
  });

  it("understands what Crewroom itself writes", () => {
    const thread = asEventId("$root");
    const mxc = "mxc://a.example/b";
    const cy = asUserId("@cy:example.org");
    if (thread === undefined || cy === undefined) throw new Error("the test's own ids are malformed");
    const content = textMessage({ text: "**hi**", msgtype: "m.notice", thread, mentions: [cy] });
    expect(decodeMessage(content)).toEqual({
      msgtype: "m.notice",
      text: "**hi**",
      isNotice: true,
      isEmote: false,
      mentions: [cy],
      thread,
    });
    expect(decodeMessage(editMessage(thread, content, [cy]))).toMatchObject({
      mentions: [],
      edits: { target: thread, newContent: { text: "**hi**", mentions: [cy] } },
    });
    const file = fileMessage({ mxc: mxc as never, name: "a.md", mimeType: "text/markdown", size: 3, caption: "look" });
    expect(decodeMessage(file)).toMatchObject({ text: "look", attachment: { mxc, name: "a.md", size: 3 } });
  });
});
