import { expect, test } from "vitest";
import { isRefusal, refusal } from "../../src/tools/refusal.ts";

test.each([
  refusal("sent", "this turn was stopped"),
  "Not done.",
  "Not sent: the breaker is open and holds all it can. End your turn.",
  "Not possible here: this is no task room.",
])("%j is a refusal", (text) => {
  expect(isRefusal(text)).toBe(true);
});

test.each([
  "Sent.",
  "",
  "Nothing was said here yet.",
  "Notes: none.",
  "Not that it matters, but it is done.",
  " Not done.",
])("%j is none", (text) => {
  expect(isRefusal(text)).toBe(false);
});
