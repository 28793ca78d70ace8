/** `budgets`: how many tokens and how much money the crew may use. What is left out is not limited. */
import { z } from "zod";
import { count } from "./fields.ts";
import { type Problem, valueAt } from "./problem.ts";

const usd = z
  .number({ error: "is not a number" })
  .min(0.000_001, { error: "is less than a millionth of a dollar" })
  .max(1e9, { error: "is more than 1000000000" });

const limit = z.strictObject({
  tokens: count(1).optional().describe("Most tokens, question and answer together."),
  usd: usd.optional().describe("Most US dollars, at the prices of models that have one."),
});

export const budgets = z
  .strictObject({
    task: limit
      .default({})
      .describe(
        "What one task may use, like { tokens: 2000000, usd: 5 }, or one of them. Then it pauses, and a person is asked.",
      )
      .meta({ sample: {} }),
    agent_day: limit
      .default({})
      .describe("What one agent may use in a day (UTC), in all rooms. Then its turns wait, and HQ is asked.")
      .meta({ sample: {} }),
    day: limit
      .default({})
      .describe("What the whole crew may use in a day (UTC). Then all turns wait, and HQ is asked.")
      .meta({ sample: {} }),
    rate_usd_per_hour: usd
      .optional()
      .describe("A room that costs more than that, measured over limits.breaker_window_seconds, trips its breaker.")
      .meta({ sample: 20 }),
  })
  .prefault({});

/** A limit of money that nothing counts against would never hold. Works on unchecked values. */
export function moneyProblems(raw: unknown): readonly Problem[] {
  const models = valueAt(raw, ["models"]);
  const all = typeof models === "object" && models !== null ? Object.keys(models) : [];
  if (all.length === 0 || all.some((name) => valueAt(raw, ["models", name, "price"]) !== undefined)) return [];
  const paths = [["task", "usd"], ["agent_day", "usd"], ["day", "usd"], ["rate_usd_per_hour"]];
  return paths.flatMap((path): Problem[] =>
    valueAt(raw, ["budgets", ...path]) === undefined
      ? []
      : [{ path: ["budgets", ...path], text: `limits money, and no model has a price; add models.${all[0]}.price` }],
  );
}
