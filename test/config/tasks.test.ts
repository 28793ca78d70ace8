import { describe, expect, it } from "vitest";
import { good, load, problemsIn } from "./support.ts";

const withTasks = (tasks: string) => `${good}tasks: { ${tasks} }\n`;
const withPatrol = (patrol: string) => `${good}patrol: { ${patrol} }\n`;

describe("tasks and patrol", () => {
  it("have defaults for a crew that pushes work, and asks a person at long plans and at the end", async () => {
    const config = await load(good);
    expect(config.tasks).toEqual({
      plan_approval: { over: 5 },
      final_approval: "person",
      dispatch: "push",
      max_subtasks: 50,
      max_rework: 3,
      lease_seconds: 600,
      review_lease_seconds: 600,
      ask_hours: 24,
      max_tries: 3,
      rules: "",
    });
    expect(config.patrol).toEqual({
      unclaimed_minutes: 10,
      review_wait_minutes: 10,
      blocked_minutes: 30,
      silence_minutes: 60,
      identical_answers: 3,
      checkpoints: ["half_estimate", "estimate", "rework"],
    });
  });

  it.each([
    ["always", "always"],
    ["never", "never"],
    ["over 0", { over: 0 }],
    ["over 12", { over: 12 }],
  ])("take plan_approval: %s", async (text, meant) => {
    expect((await load(withTasks(`plan_approval: ${text}`))).tasks.plan_approval).toEqual(meant);
  });

  it.each(["over many", "over", "over -1", "over 2.5", "sometimes", "Always"])(
    "refuse plan_approval: %s, and say how it is written",
    async (text) => {
      expect(await problemsIn(withTasks(`plan_approval: ${text}`))).toEqual([
        "9:25 tasks.plan_approval: is none of always, never, over <n>; write it like over 5",
      ]);
    },
  );

  it("take words of one's own for each of their keys", async () => {
    const config = await load(
      `${good}
tasks:
  { final_approval: none, dispatch: claim, max_subtasks: 4, max_rework: 1, lease_seconds: 0.5, review_lease_seconds: 2,
    ask_hours: 0.01, max_tries: 1, rules: Answer in German. }
patrol:
  { unclaimed_minutes: 0.01, review_wait_minutes: 0.02, blocked_minutes: 0.03, silence_minutes: 0.04,
    identical_answers: 2, checkpoints: [] }
`,
    );
    expect(config.tasks).toEqual({
      plan_approval: { over: 5 },
      final_approval: "none",
      dispatch: "claim",
      max_subtasks: 4,
      max_rework: 1,
      lease_seconds: 0.5,
      review_lease_seconds: 2,
      ask_hours: 0.01,
      max_tries: 1,
      rules: "Answer in German.",
    });
    expect(config.patrol).toEqual({
      unclaimed_minutes: 0.01,
      review_wait_minutes: 0.02,
      blocked_minutes: 0.03,
      silence_minutes: 0.04,
      identical_answers: 2,
      checkpoints: [],
    });
  });

  it.each([
    ["final_approval: sometimes", "is none of person, none; choose one of them"],
    ["dispatch: pull", "is none of push, claim; choose one of them"],
    ["max_subtasks: 0", "is less than 1"],
    ["max_rework: 0", "is less than 1"],
    ["max_rework: 1.5", "is a number where a whole number is expected"],
    ["lease_seconds: -5", "is not more than 0"],
    ["review_lease_seconds: 0", "is not more than 0"],
    ["ask_hours: 597", "is more than 596"],
    ["max_tries: 0", "is less than 1"],
    ["rules: [short]", "is a list where a text is expected; put it in quotes if it is meant as a text"],
    ["roles: ''", "is empty; give it a value or remove the line"],
    ["plan_aproval: always", "is not a key here; did you mean plan_approval?"],
  ])("refuse tasks: %s", async (text, why) => {
    expect((await problemsIn(withTasks(text))).map((line) => line.replace(/^.*?: /, ""))).toEqual([why]);
  });

  it.each([
    ["unclaimed_minutes: -1", "is not more than 0"],
    ["review_wait_minutes: soon", "is a text where a number is expected"],
    ["blocked_minutes: 0", "is not more than 0"],
    ["silence_minutes: 40000", "is more than 35791"],
    ["identical_answers: 1", "is less than 2"],
    ["checkpoints: [never]", "is none of half_estimate, estimate, rework; choose one of them"],
  ])("refuse patrol: %s", async (text, why) => {
    expect((await problemsIn(withPatrol(text))).map((line) => line.replace(/^.*?: /, ""))).toEqual([why]);
  });
});

describe("an agent", () => {
  it("has capabilities and works on several things at once when the config says so", async () => {
    const { agents } = await load(`${good}    capabilities: [python, web_search]\n    parallel: 3\n`);
    expect(agents[0]).toMatchObject({ capabilities: ["python", "web_search"], parallel: 3 });
  });

  it("cannot have a capability that is no word, or no room for work", async () => {
    expect(await problemsIn(`${good}    capabilities: [Python, 3d]\n    parallel: 0\n`)).toEqual([
      expect.stringMatching(/^9:20 agents\[0\]\.capabilities\[0\]: is not a word of a-z/),
      expect.stringMatching(/^9:28 agents\[0\]\.capabilities\[1\]: is not a word of a-z/),
      "10:15 agents[0].parallel: is less than 1",
    ]);
  });
});
