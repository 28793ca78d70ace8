import { describe, expect, it } from "vitest";
import { budgetsOf } from "../../src/bridge/from-config.ts";
import { good, load, problemsIn } from "./support.ts";

const priced = good.replace(
  "model: m }",
  "model: m, price: { input_usd_per_million: 0.25, output_usd_per_million: 2.5, cached_usd_per_million: 0.025 } }",
);
const withBudgets = (budgets: string, base = priced) => `${base}budgets: { ${budgets} }\n`;

describe("budgets", () => {
  it("limit nothing unless they say so", async () => {
    expect(budgetsOf(await load(good))).toEqual({ task: {}, agent_day: {}, day: {}, prices: {} });
  });

  it("are whole millionths of a dollar inside", async () => {
    const config = await load(
      withBudgets(
        "task: { tokens: 5000 }, agent_day: { usd: 0.1 }, day: { tokens: 9, usd: 19.99 }, rate_usd_per_hour: 2.5",
      ),
    );
    expect(budgetsOf(config)).toEqual({
      task: { tokens: 5_000 },
      agent_day: { microusd: 100_000 },
      day: { tokens: 9, microusd: 19_990_000 },
      rate_microusd_per_hour: 2_500_000,
      prices: { default: { input: 250_000, output: 2_500_000, cached: 25_000 } },
    });
  });

  it.each([
    ["task: { tokens: 0 }", "budgets.task.tokens: is less than 1"],
    ["day: { tokens: 1.5 }", "budgets.day.tokens: is a number where a whole number is expected"],
    ["day: { usd: 0 }", "budgets.day.usd: is less than a millionth of a dollar"],
    ["agent_day: { usd: -1 }", "budgets.agent_day.usd: is less than a millionth of a dollar"],
    ["rate_usd_per_hour: 0", "budgets.rate_usd_per_hour: is less than a millionth of a dollar"],
    ["task: { tokens: 9, euro: 2 }", "budgets.task.euro: is not a key here; remove it (known: tokens, usd)"],
  ])("refuse %s", async (text, why) => {
    expect((await problemsIn(withBudgets(text))).map((line) => line.replace(/^\S+ /, ""))).toEqual([why]);
  });

  it("of money need a price to count with", async () => {
    const why = "limits money, and no model has a price; add models.default.price";
    const problems = await problemsIn(withBudgets("task: { tokens: 5, usd: 1 }, rate_usd_per_hour: 1", good));
    expect(problems.map((line) => line.replace(/^\S+ /, ""))).toEqual([
      `budgets.task.usd: ${why}`,
      `budgets.rate_usd_per_hour: ${why}`,
    ]);
  });

  it("take a price only as a whole", async () => {
    const half = good.replace("model: m }", "model: m, price: { input_usd_per_million: 1 } }");
    expect((await problemsIn(half)).join()).toContain("models.default.price.output_usd_per_million");
  });
});
