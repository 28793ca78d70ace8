/** Work for one agent only, as the planner or a person wants it. */
import type { Draft } from "../draft.ts";
import { type CrewMember, memberById } from "../world.ts";
import { moveSubtask, putSubtask, without } from "./ledger.ts";
import type { Subtask } from "./task.ts";
import { capabilitiesOf, hasRole } from "./team.ts";

/** Gives a subtask to one agent only. Returns why not, or `undefined`. */
export function assignTo(draft: Draft, subtask: Subtask, agent: CrewMember["id"]): string | undefined {
  const target = memberById(draft.world, agent);
  if (target === undefined || !hasRole(target, "executor")) {
    const executors = [...draft.world.crew.values()].filter((one) => hasRole(one, "executor")).map(({ id }) => id);
    return `there is no executor “${agent}”. Executors: ${executors.join(", ") || "none"}.`;
  }
  if (!["waiting", "ready", "rework", "blocked"].includes(subtask.state)) {
    return subtask.lease?.agent === agent
      ? `\`${subtask.id}\` is with ${agent} already.`
      : `\`${subtask.id}\` is ${subtask.state}${subtask.lease === undefined ? "" : ` with ${subtask.lease.agent}`}; it can be assigned while it is waiting, ready, rework or blocked.`;
  }
  const { capability } = subtask;
  if (capability !== undefined && !capabilitiesOf(target).includes(capability))
    return `${agent} lacks the capability “${capability}” that \`${subtask.id}\` needs.`;
  const assigned = { ...without(subtask, "reason", "ask"), assigned: target.id, passed: [] };
  if (subtask.state === "blocked") moveSubtask(draft, assigned, "unblock");
  else putSubtask(draft, assigned);
  return undefined;
}
