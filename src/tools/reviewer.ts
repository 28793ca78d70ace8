/** What reviewers can do: judge what another agent handed in. */
import { z } from "zod";
import { effectOf } from "./context.ts";
import { defineTool } from "./define.ts";
import { subtask, words } from "./fields.ts";

export const reviewWork = defineTool({
  name: "review_work",
  help: "Judges work that another agent handed in, by its acceptance criteria.",
  takes:
    "subtask (its id), verdict (approve or reject), score (3 to 5 with approve, 1 or 2 with reject), issues (a list of " +
    "what must change; needed with reject) and, optionally, comment",
  refused: "reviewed",
  input: z.strictObject({
    subtask,
    verdict: z.enum(["approve", "reject"]),
    score: z.int().min(1).max(5).describe("3 to 5 with approve, 1 or 2 with reject."),
    issues: z.array(words(1_000)).optional().describe("What must change: at least one with reject."),
    comment: words(4_000).optional(),
  }),
  run: async ({ subtask, verdict, score, issues = [], comment = "" }, { context, call }) =>
    context.acts(call.turn, effectOf(call), { kind: "review", subtask, verdict, score, issues, comment }),
});
