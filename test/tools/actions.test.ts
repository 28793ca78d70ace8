import { expect, test } from "vitest";
import { allRoles, actionOf, sessionOf } from "./support.ts";

const parser = { id: "parser", title: "Parser", deliverable: "parse.ts", acceptance: ["it parses"], depends_on: [] };

test.each([
  ["ask_human", { question: "Which?", options: ["a", "b"] }, { kind: "ask", question: "Which?", options: ["a", "b"] }],
  ["ask_human", { question: "Which?" }, { kind: "ask", question: "Which?", options: [] }],
  ["report_progress", { text: "half", percent: 50 }, { kind: "progress", text: "half", percent: 50 }],
  ["report_progress", { text: "half" }, { kind: "progress", text: "half" }],
  ["get_task", {}, { kind: "look" }],
  [
    "plan_task",
    { subtasks: [{ ...parser, capability: "typescript", estimate_minutes: 30 }] },
    { kind: "plan", subtasks: [{ ...parser, capability: "typescript", estimate_minutes: 30 }] },
  ],
  [
    "revise_plan",
    {
      subtasks: [
        { id: "parser", title: "New" },
        { id: "old", cancel: true },
      ],
      reason: "asked for",
    },
    {
      kind: "revise",
      subtasks: [
        { id: "parser", title: "New" },
        { id: "old", cancel: true },
      ],
      reason: "asked for",
    },
  ],
  ["assign_subtask", { subtask: "parser", agent: "bob" }, { kind: "assign", subtask: "parser", agent: "bob" }],
  ["claim_subtask", { subtask: "parser" }, { kind: "claim", subtask: "parser" }],
  ["submit_work", { subtask: "parser", summary: "All." }, { kind: "submit", subtask: "parser", summary: "All." }],
  ["report_blocked", { subtask: "parser", reason: "no key" }, { kind: "block", subtask: "parser", reason: "no key" }],
  ["release_subtask", { subtask: "parser" }, { kind: "release", subtask: "parser" }],
  [
    "review_work",
    { subtask: "parser", verdict: "reject", score: 2, issues: ["no tests"], comment: "Close." },
    { kind: "review", subtask: "parser", verdict: "reject", score: 2, issues: ["no tests"], comment: "Close." },
  ],
  [
    "raise_concern",
    { subtask: "parser", severity: "warning", note: "It prints XML." },
    { kind: "concern", subtask: "parser", severity: "warning", note: "It prints XML." },
  ],
])("%s %j becomes the action it stands for, under an id made of the call", async (name, input, action) => {
  const session = sessionOf();
  expect(await session.use(name, input)).toBe("Done.");
  expect(session.acted).toEqual([["t1", "t1:c1", action]]);
});

test.each([
  [{}, 20],
  [undefined, 20],
  [{ limit: 50 }, 50],
  [{ limit: "5" }, 5],
])("read_room %j reads %i messages", async (input, limit) => {
  const session = sessionOf();
  expect(await session.use("read_room", input)).toBe("@alice:example.org: hello");
  expect(session.read).toEqual([["t1", "t1:c1", limit]]);
});

test.each([
  ["report_progress", { text: "half", percent: "50" }, { percent: 50 }],
  ["report_progress", { text: "half", percent: null }, { text: "half" }],
  ["ask_human", { question: "Go?", options: "yes" }, { options: ["yes"] }],
  ["ask_human", { question: "Go?", options: '["yes", "no"]' }, { options: ["yes", "no"] }],
  ["get_task", null, { kind: "look" }],
  ["get_task", '{"task": null}', { kind: "look" }],
  ["plan_task", { subtasks: { ...parser, acceptance: "it parses" } }, { subtasks: [parser] }],
  ["plan_task", { subtasks: JSON.stringify([{ ...parser, id: " Parser", capability: "" }]) }, { subtasks: [parser] }],
  [
    "plan_task",
    {
      subtasks: [
        { ...parser, depends_on: null },
        { ...parser, id: "two", depends_on: "PARSER" },
      ],
    },
    { subtasks: [parser, { ...parser, id: "two", depends_on: ["parser"] }] },
  ],
  [
    "revise_plan",
    { subtasks: [{ id: "a", cancel: "true", title: null }], reason: "r" },
    { subtasks: [{ id: "a", cancel: true }] },
  ],
  ["assign_subtask", { subtask: "a", agent: "@Bob" }, { agent: "bob" }],
  ["assign_subtask", { subtask: "a", agent: "@agent_bob:example.org" }, { agent: "bob" }],
  ["claim_subtask", { subtask: "Parser " }, { subtask: "parser" }],
  [
    "review_work",
    { subtask: "a", verdict: "Approve", score: "4" },
    { verdict: "approve", score: 4, issues: [], comment: "" },
  ],
  ["review_work", { subtask: "a", verdict: "reject", score: 1, issues: "no tests" }, { issues: ["no tests"] }],
])("%s forgives %j, which can mean one thing only", async (name, input, action) => {
  expect(await actionOf(name, input)).toMatchObject(action);
});

const without = (field: keyof typeof parser) =>
  Object.fromEntries(Object.entries(parser).filter(([key]) => key !== field));

test.each([
  ["ask_human", {}, "Not asked: question: is missing. ask_human takes question"],
  ["ask_human", { question: "Go?", options: Array.from({ length: 10 }, String) }, "options: has more than 9 items"],
  ["ask_human", { question: "Go?", options: [{ label: "yes" }] }, "options[0]: must be a string"],
  ["report_progress", { text: "  " }, "Not reported: text: is empty"],
  ["report_progress", { text: "x", percent: "half" }, "percent: must be a number"],
  ["report_progress", { text: "x", percent: "50 of 80" }, "percent: must be a number"],
  ["report_progress", { text: "x", percent: 101 }, "percent: Too big"],
  ["get_task", { subtask: "a" }, "Not read: the arguments: there is no field subtask. get_task takes no arguments"],
  ["get_task", "the task", "the arguments: must be an object"],
  ["read_room", { limit: 51 }, "Not read: limit: Too big"],
  ["read_room", { limit: 1.5 }, "limit: must be a whole number"],
  ["plan_task", {}, "Not planned: subtasks: is missing. plan_task takes subtasks, a list"],
  ["plan_task", { subtasks: "three of them" }, "subtasks: must be a list"],
  ["plan_task", { subtasks: [without("id")] }, "subtasks[0].id: is missing"],
  ["plan_task", { subtasks: [parser, without("title")] }, "subtasks[1].title: is missing"],
  ["plan_task", { subtasks: [without("deliverable")] }, "subtasks[0].deliverable: is missing"],
  ["plan_task", { subtasks: [without("acceptance")] }, "subtasks[0].acceptance: is missing"],
  ["plan_task", { subtasks: [{ ...parser, id: "the parser" }] }, "subtasks[0].id: must be an id of at most 40"],
  ["plan_task", { subtasks: [{ ...parser, depends_on: "a, b" }] }, "subtasks[0].depends_on[0]: must be an id"],
  ["plan_task", { subtasks: [{ ...parser, estimate_minutes: -5 }] }, "subtasks[0].estimate_minutes: Too small"],
  [
    "plan_task",
    { subtasks: [{ ...parser, title: "x".repeat(201) }] },
    "subtasks[0].title: has more than 200 characters",
  ],
  ["plan_task", { subtasks: [{ ...parser, agent: "bob" }] }, "subtasks[0]: there is no field agent"],
  ["revise_plan", { subtasks: [] }, "Not revised: reason: is missing"],
  ["revise_plan", { subtasks: [{ title: "New" }], reason: "r" }, "subtasks[0].id: is missing"],
  ["revise_plan", { subtasks: [{ id: "a", cancel: "maybe" }], reason: "r" }, "subtasks[0].cancel: must be a boolean"],
  ["assign_subtask", { subtask: "a" }, "Not assigned: agent: is missing"],
  [
    "assign_subtask",
    { subtask: "a", agent: "@alice:example.org" },
    'agent: "@alice:example.org" is no agent of this bridge',
  ],
  ["assign_subtask", { subtask: "a", agent: "whoever is free" }, "is no agent of this bridge"],
  ["claim_subtask", { subtask: null }, "Not claimed: subtask: is missing. claim_subtask takes subtask"],
  ["claim_subtask", { subtask: ["a", "b"] }, "subtask: must be a string"],
  ["submit_work", { subtask: "a" }, "Not submitted: summary: is missing"],
  ["report_blocked", { subtask: "a" }, "Not reported: reason: is missing"],
  ["release_subtask", {}, "Not released: subtask: is missing"],
  ["review_work", { subtask: "a", verdict: "fine", score: 4 }, "Not reviewed: verdict: must be approve or reject"],
  ["review_work", { subtask: "a", verdict: "approve" }, "score: is missing"],
  ["review_work", { subtask: "a", verdict: "approve", score: 6 }, "score: Too big"],
  ["review_work", { subtask: "a", verdict: "approve", score: "4/5" }, "score: must be a"],
  ["review_work", { subtask: "a", verdict: "reject", score: 1, issues: [1] }, "issues[0]: must be a string"],
  [
    "raise_concern",
    { subtask: "a", severity: "bad", note: "n" },
    "Not raised: severity: must be info or warning or critical",
  ],
  ["raise_concern", { subtask: "a", severity: "info" }, "note: is missing"],
])("%s %j is refused, with the field and what would be allowed", async (name, input, why) => {
  const session = sessionOf();
  const answer = await session.use(name, input);
  expect(answer).toContain(why);
  expect(answer).toContain(`${name} takes `);
  expect([session.acted, session.read, session.said, session.worked]).toEqual([[], [], [], []]);
});

test("a plan of nonsense is refused in a few lines", async () => {
  const answer = await sessionOf().use("plan_task", { subtasks: Array.from({ length: 200 }, () => ({})) });
  expect(answer).toContain("and 795 more");
  expect(answer.length).toBeLessThan(1_000);
});

test("arguments of no form at all never make a tool fail", async () => {
  const session = sessionOf();
  const nonsense: readonly unknown[] = [
    0,
    "",
    "{",
    "[",
    '"',
    [],
    [[]],
    { subtasks: [null] },
    { __proto__: null, toString: 1 },
    true,
  ];
  for (const { name } of session.tools) {
    for (const input of nonsense) expect(await session.use(name, input)).toMatch(/^(?:Not |Done|@alice|Worked)/);
  }
  expect(session.acted.every(([, , { kind }]) => kind === "look")).toBe(true);
  expect(session.tools.length).toBeGreaterThan(allRoles.length);
});
