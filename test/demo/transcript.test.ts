import { expect, test } from "vitest";
import { transcriptLines } from "../../src/demo/transcript.ts";

const said = { ts: 0, room: "!r", who: "@ada:localhost", kind: "message" as const };
const nameOf = (id: string): string => ({ "!r": "Picnic", "@ada:localhost": "Ada" })[id] ?? id;

test("a message has time, room and who once, and its further lines stand below its text", () => {
  const [first = "", second = ""] = transcriptLines({ ...said, text: "one\ntwo" }, nameOf);
  expect(first).toMatch(/^\d\d:\d\d:\d\d {2}Picnic +Ada +one$/);
  expect(second.indexOf("two")).toBe(first.indexOf("one"));
});

test("long lines are wrapped between words, and a word longer than the line is cut", () => {
  const lines = transcriptLines({ ...said, text: `${"word ".repeat(30)}${"x".repeat(90)}` }, nameOf, 80);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const words = lines.map((line) => line.slice(-42).trim()).join(" ");
  expect(words.match(/\bword\b/g)).toHaveLength(30);
  expect(words.match(/x/g)).toHaveLength(90);
});

test("what an agent says cannot steer the terminal", () => {
  const [line = ""] = transcriptLines({ ...said, text: "\u001b[2Jgone\u0007 \u009b31m\u202etxet\r" }, nameOf);
  expect(line).toMatch(/ {2}\[2Jgone 31mtxet$/);
});

test("a correction and an action are marked", () => {
  expect(transcriptLines({ ...said, kind: "correction", text: "better" }, nameOf)[0]).toContain("(corrected) better");
  expect(transcriptLines({ ...said, kind: "action", text: "joined" }, nameOf)[0]).toMatch(/\* joined$/);
});
