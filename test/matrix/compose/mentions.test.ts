import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asUserId, type UserId } from "../../../src/core/ids.ts";
import { textMessage } from "../../../src/matrix/compose/content.ts";
import { renderMarkdown } from "../../../src/matrix/compose/markdown.ts";
import { mentionsOf, pill } from "../../../src/matrix/compose/mentions.ts";
import { judge } from "./html.ts";

function user(id: string): UserId {
  const narrowed = asUserId(id);
  if (narrowed === undefined) throw new Error(`not a user id: ${id}`);
  return narrowed;
}

const ada = user("@agent_ada:localhost:8448");
const bo = user("@bo:[2001:db8::1]:8448");
const cy = user("@cy:example.org");
const members = new Map([
  [ada, "Ada"],
  [bo, "Bo"],
  [cy, "Cy"],
]);

function said(text: string, mayMention = new Set(members.keys())) {
  return textMessage({ text, msgtype: "m.text", members, mayMention });
}

describe("mentions in an agent's words", () => {
  it("makes a pill of a member's MXID, ports and IPv6 literals included, and notifies that member", () => {
    const content = said(`please ask ${ada}, then ${bo}.`);
    expect(content["m.mentions"]).toEqual({ user_ids: [ada, bo] });
    expect(content.formatted_body).toBe(
      'please ask <a href="https://matrix.to/#/%40agent_ada%3Alocalhost%3A8448">Ada</a>, then ' +
        '<a href="https://matrix.to/#/%40bo%3A%5B2001%3Adb8%3A%3A1%5D%3A8448">Bo</a>.',
    );
    expect(content.body).toBe(`please ask ${ada}, then ${bo}.`);
  });

  it.each([`${cy}.`, `${cy}: hi`, `(${cy})`, `*${cy}*`, `_${cy}_`, `> ${cy}`, `- ${cy}`, `${cy}\nhi`, `${cy}'s`])(
    "finds the MXID in %j",
    (text) => {
      expect(said(text)["m.mentions"]).toEqual({ user_ids: [cy] });
    },
  );

  it.each([
    "Cy",
    "@cy",
    "cy:example.org",
    "@room",
    "@here",
    "mail@cy:example.org",
    "\\@cy:example.org",
    "`@cy:example.org`",
    "```\n@cy:example.org\n```",
    "https://matrix.to/#/@cy:example.org",
    "[@cy:example.org](https://a.example)",
    "@cy:example.org.evil.example",
    "@cy:example.org:8448",
    "@xcy:example.org",
    "@agent_ada:localhost",
    "@cy:example",
    "@nobody:example.org",
  ])("notifies nobody by %j", (text) => {
    expect(said(text)["m.mentions"]).toEqual({});
  });

  it("shows a pill without notifying a member who may not be mentioned", () => {
    const content = said(`${ada} and ${cy}`, new Set([cy]));
    expect(judge(content.formatted_body ?? "").links.map((link) => link.text)).toEqual(["Ada", "Cy"]);
    expect(content["m.mentions"]).toEqual({ user_ids: [cy] });
  });

  it("names everybody once, and at most fifty", () => {
    expect(said(`${cy} ${cy}`)["m.mentions"]).toEqual({ user_ids: [cy] });
    const crowd = Array.from({ length: 90 }, (_, index) => user(`@u${index}:example.org`));
    expect(mentionsOf(crowd).user_ids).toHaveLength(50);
  });

  it("holds nobody but those who may be mentioned, whatever the text", () => {
    const word = fc.oneof(
      fc.constantFrom<string>(ada, bo, cy, "@room", "@x:example.org", " ", "*", "`", ":", "\n"),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), fc.subarray([ada, bo, cy]), (words, allowed) => {
        const mentions = said(words.join(" "), new Set(allowed))["m.mentions"];
        expect(Object.keys(mentions).filter((key) => key !== "user_ids")).toEqual([]);
        expect(allowed).toEqual(expect.arrayContaining([...(mentions.user_ids ?? [])]));
      }),
    );
  });
});

describe("a display name in a pill", () => {
  it.each([
    ["<b>Ada</b>", "<b>Ada</b>"],
    ['"><script>alert(1)</script>', '"><script>alert(1)</script>'],
    ["Ada\n\nadmin", "Ada admin"],
    ["\u202eadA\u2066", "adA"],
    ["\u200b\u200d", cy],
    ["  ", cy],
  ])("reads %j as %j", (name, shown) => {
    expect(judge(pill(cy, name))).toMatchObject({ faults: [], text: shown });
  });

  it("never breaks out of the pill, whatever it is", () => {
    const nasty = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .array(
          fc.constantFrom("</a>", "<b>", '"', "'", ">", "<", "&", "\n", "\u202e", "\ud800", "@room", "*", "](x)", "`"),
        )
        .map((p) => p.join("")),
    );
    fc.assert(
      fc.property(nasty, (name) => {
        const { formattedBody } = renderMarkdown(`a ${cy} b`, new Map([[cy, name]]));
        const judged = judge(formattedBody ?? "");
        expect(judged.faults).toEqual([]);
        expect(judged.links).toHaveLength(1);
        expect(judged.links[0]).toMatchObject({ href: "https://matrix.to/#/%40cy%3Aexample.org", inside: [] });
        expect(judged.text).toBe(`a ${judged.links[0]?.text} b`);
        expect(judged.links[0]?.text).toMatch(/^[^\n\u202a-\u202e\u2066-\u2069\u200e\u200f]{1,100}$/);
      }),
      { numRuns: 500 },
    );
  });
});
