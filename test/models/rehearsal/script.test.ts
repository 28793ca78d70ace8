import { expect, test } from "vitest";
import { loadRehearsal, parseRehearsal } from "../../../src/models/rehearsal/script.ts";

test("the demo's script can be played", async () => {
  const script = await loadRehearsal("config/rehearsal/demo.yaml");
  expect(script.rules.length).toBeGreaterThan(5);
});

test("an unknown key is refused with file, line and path", () => {
  const source = "rules:\n  - when: { agent: ada }\n    answer:\n      text: hello\n      chunk_dleay_ms: 3\n";
  expect(() => parseRehearsal(source, "demo.yaml")).toThrow(
    expect.objectContaining({
      code: "REHEARSAL_INVALID",
      message: expect.stringMatching(/demo\.yaml.*line 5, rules\[0\]\.answer: .*chunk_dleay_ms/) as string,
    }),
  );
});

test("a wrong type is refused on the line where it stands", () => {
  expect(() => parseRehearsal("rules:\n  - answer:\n      text: hi\n      delay_ms: soon\n", "a.yaml")).toThrow(
    /line 4, rules\[0\]\.answer\.delay_ms/,
  );
});

test("a broken regular expression is refused when the script is read, not when it is played", () => {
  expect(() => parseRehearsal('rules:\n  - when: { last: "/(/" }\n    answer: { text: hi }\n', "a.yaml")).toThrow(
    /line 2, rules\[0\]\.when\.last: .*[Rr]egular expression/,
  );
});

test("broken YAML is refused with its line", () => {
  expect(() => parseRehearsal("rules:\n  - { when: [\n", "a.yaml")).toThrow(/a\.yaml.*line \d/);
});

test("a file that is not there is refused by its name", async () => {
  await expect(loadRehearsal("config/rehearsal/none.yaml")).rejects.toMatchObject({ code: "REHEARSAL_INVALID" });
});
