import { expect, test } from "vitest";
import type { Shown } from "../../src/demo/room-view.ts";
import { transcript } from "../../src/demo/transcript.ts";

const said = { ts: 0, room: "!r", who: "@ada:localhost", kind: "message" as const };
const nameOf = (id: string): string => ({ "!r": "Picnic", "@ada:localhost": "Ada" })[id] ?? id;

/** What is written for one thing after another, without the empty lines before headings. */
function written(shown: readonly Shown[], columns = 100): readonly string[] {
  const lines: string[] = [];
  const show = transcript({ nameOf, say: (line) => void lines.push(line), columns: () => columns });
  for (const one of shown) show(one);
  return lines.filter((line) => line !== "");
}

test("a room is named when it is first heard, and again after another one", () => {
  const lines = written([
    { ...said, text: "one" },
    { ...said, text: "two" },
    { ...said, room: "!other", text: "three" },
    { ...said, text: "four" },
  ]);
  expect(lines.map((line) => line.split("  ").at(-1)?.trim())).toEqual([
    "── Picnic ──",
    "one",
    "two",
    "── !other ──",
    "three",
    "── Picnic ──",
    "four",
  ]);
});

test("a message has time and who once, and its further lines stand below its text", () => {
  const [, first = "", second = ""] = written([{ ...said, text: "one\ntwo" }]);
  expect(first).toMatch(/^\d\d:\d\d:\d\d {2}Ada +one$/);
  expect(second.indexOf("two")).toBe(first.indexOf("one"));
});

test("long lines are wrapped between words, and a word longer than the line is cut", () => {
  const lines = written([{ ...said, text: `${"word ".repeat(30)}${"x".repeat(90)}` }], 80);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const words = lines.slice(1).join(" ");
  expect(words.match(/\bword\b/g)).toHaveLength(30);
  expect(words.match(/x/g)).toHaveLength(90);
});

test("what an agent says cannot steer the terminal", () => {
  const [, line = ""] = written([{ ...said, text: "\u001b[2Jgone\u0007 \u009b31m\u202etxet\r" }]);
  expect(line).toMatch(/ {2}\[2Jgone 31mtxet$/);
});

test("what is in a thread is indented, and names it once", () => {
  const [, first = "", second = ""] = written([{ ...said, thread: "core", text: "one\ntwo" }]);
  expect(first).toMatch(/^\d\d:\d\d:\d\d {2}Ada {11}↳ core {2}one$/);
  expect(second).toBe(`${" ".repeat(24)}two`);
});

test("words that clients show in bold have no stars, and links into rooms no address", () => {
  const [, line] = written([
    { ...said, text: "**#1 Tea** waits: [answer](https://matrix.to/#/!r?via=a), 2**3, `a**b`" },
  ]);
  expect(line?.slice(22)).toBe("#1 Tea waits: answer, 2**3, `a**b`");
});

test("a correction, a continuation, a new status and an action are marked", () => {
  const lines = written([
    { ...said, kind: "correction", text: "better" },
    { ...said, kind: "more", text: "\n\nStopped." },
    { ...said, kind: "status", text: "done" },
    { ...said, kind: "action", text: "joined" },
  ]);
  const marked = ["(corrected) better", "… Stopped.", "(now) done", "* joined"];
  expect(lines.slice(1).map((line) => line.slice(22))).toEqual(marked);
});
