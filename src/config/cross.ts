/** What the parts of a config say about each other. Works on unchecked values, so that all problems come at once. */
import { moneyProblems } from "./budgets.ts";
import { valueAt, type Problem } from "./problem.ts";

export function crossProblems(raw: unknown): Problem[] {
  const agents = valueAt(raw, ["agents"]);
  const models = valueAt(raw, ["models"]);
  if (!Array.isArray(agents)) return [];
  const policy = valueAt(raw, ["policy"]);
  const ids = agents.map((agent: unknown) => valueAt(agent, ["id"]));
  const strangers = (Array.isArray(policy) ? policy : []).flatMap((rule: unknown, index): Problem[] => {
    const agent = valueAt(rule, ["agent"]);
    if (typeof agent !== "string" || ids.includes(agent)) return [];
    return [{ path: ["policy", index, "agent"], text: `names the agent ${agent}, which agents does not have` }];
  });
  const names = typeof models === "object" && models !== null ? Object.keys(models) : [];
  const first = new Map<unknown, number>();
  const own = agents.flatMap((agent, index): Problem[] => {
    const problems: Problem[] = [];
    const id = valueAt(agent, ["id"]);
    const earlier = typeof id === "string" ? first.get(id) : undefined;
    if (earlier === undefined) first.set(id, index);
    else {
      problems.push({
        path: ["agents", index, "id"],
        text: `is the same as agents[${earlier}].id; every agent needs an id of its own`,
      });
    }
    const model = valueAt(agent, ["model"]) ?? "default";
    if (typeof model === "string" && !names.includes(model)) {
      problems.push({
        path: ["agents", index, "model"],
        text: `names the model ${model}, which models does not have (it has: ${names.join(", ") || "none"}); add it or name another`,
      });
    }
    return problems;
  });
  return [...own, ...strangers, ...moneyProblems(raw)];
}
