/** What executors can do with a subtask: take it, hand it in, say that it is stuck, give it back. */
import { z } from "zod";
import { effectOf } from "./context.ts";
import { defineTool } from "./define.ts";
import { subtask, words } from "./fields.ts";

export const claimSubtask = defineTool({
  name: "claim_subtask",
  help: "Takes a ready subtask, so that you are the one who works on it.",
  takes: "subtask (its id)",
  refused: "claimed",
  input: z.strictObject({ subtask }),
  run: async ({ subtask }, { context, call }) => context.acts(call.turn, effectOf(call), { kind: "claim", subtask }),
});

export const submitWork = defineTool({
  name: "submit_work",
  help: "Hands in your finished subtask for review.",
  takes: "subtask (its id) and summary",
  refused: "submitted",
  input: z.strictObject({
    subtask,
    summary: words(20_000).describe("What you made, and how it meets each acceptance criterion."),
  }),
  run: async ({ subtask, summary }, { context, call }) =>
    context.acts(call.turn, effectOf(call), { kind: "submit", subtask, summary }),
});

export const reportBlocked = defineTool({
  name: "report_blocked",
  help: "Says that you cannot go on with your subtask until somebody else does something.",
  takes: "subtask (its id) and reason",
  refused: "reported",
  input: z.strictObject({ subtask, reason: words(2_000).describe("What is missing, and who could help.") }),
  run: async ({ subtask, reason }, { context, call }) =>
    context.acts(call.turn, effectOf(call), { kind: "block", subtask, reason }),
});

export const releaseSubtask = defineTool({
  name: "release_subtask",
  help: "Gives your subtask back, so that another agent can take it.",
  takes: "subtask (its id)",
  refused: "released",
  input: z.strictObject({ subtask }),
  run: async ({ subtask }, { context, call }) => context.acts(call.turn, effectOf(call), { kind: "release", subtask }),
});
