/** What patrol agents can do: say that work in progress goes the wrong way. */
import { z } from "zod";
import { effectOf } from "./context.ts";
import { defineTool } from "./define.ts";
import { subtask, words } from "./fields.ts";

export const raiseConcern = defineTool({
  name: "raise_concern",
  help: "Says that work in progress drifts away from its acceptance criteria.",
  takes: "subtask (its id), severity (info, warning or critical) and note",
  refused: "raised",
  input: z.strictObject({
    subtask,
    severity: z.enum(["info", "warning", "critical"]),
    note: words(2_000).describe("What you saw, and which criterion is in danger."),
  }),
  run: async ({ subtask, severity, note }, { context, call }) =>
    context.acts(call.turn, effectOf(call), { kind: "concern", subtask, severity, note }),
});
