import { expect, test } from "vitest";
import { failureOf, retryAfterOf } from "../../src/models/failure.ts";
import { pauseBefore } from "../../src/models/retry.ts";

const settings = {
  baseUrl: "https://me:hunter2secret@models.example/v1?token=abcd1234",
  model: "m",
  context: 1000,
  headers: { "x-key": "headersecret" },
};

test("passwords of the address and secret headers never reach the reason", () => {
  const { error } = failureOf(
    new Error(`no ${settings.baseUrl} with headersecret, hunter2secret, abcd1234`),
    "default",
    settings,
    0,
  );
  expect(error.message).not.toMatch(/hunter2secret|headersecret|abcd1234/);
});

test("a reason is one line, and not a page", () => {
  const { error } = failureOf(new Error(`first\nsecond ${"x".repeat(1000)}`), "default", settings, 0);
  expect(error.message).not.toContain("\n");
  expect(error.message.length).toBeLessThan(350);
});

test("Retry-After is read as seconds, as a date and in milliseconds", () => {
  expect(retryAfterOf({ "retry-after": "3" }, 0)).toBe(3000);
  expect(retryAfterOf({ "retry-after": "Thu, 01 Jan 1970 00:00:05 GMT" }, 1000)).toBe(4000);
  expect(retryAfterOf({ "retry-after-ms": "250", "retry-after": "9" }, 0)).toBe(250);
  expect(retryAfterOf({ "retry-after": "soon" }, 0)).toBeUndefined();
  expect(retryAfterOf({}, 0)).toBeUndefined();
});

test("the back-off doubles, with jitter below it", () => {
  expect([0, 1, 2].map((attempt) => pauseBefore(attempt, undefined, () => 0))).toEqual([250, 500, 1000]);
  expect(pauseBefore(0, undefined, () => 0.999)).toBe(500);
});
