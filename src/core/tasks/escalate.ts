/** What an agent cannot mend by itself goes to the planner, to the room, or to a person. */
import { plannerOf } from "./team.ts";
import { inThread } from "../placement.ts";
import { ask } from "../asks.ts";
import type { Draft } from "../draft.ts";
import { tell } from "./give.ts";
import { moveSubtask, putSubtask, without } from "./ledger.ts";
import type { Subtask } from "./task.ts";

/** Blocks a subtask and tells the planner, who may revise the plan or assign it to somebody else. */
export function blockFor(draft: Draft, subtask: Subtask, reason: string): void {
  const blocked = moveSubtask(draft, without(subtask, "lease", "reviewLease", "progress"), "block", { reason });
  const planner = plannerOf(draft);
  if (blocked === undefined || planner === undefined) return;
  tell(
    draft,
    planner,
    undefined,
    `${subtask.id}:blocked:${blocked.version}`,
    `\`${subtask.id}\` is blocked: ${reason}\nMend the plan with revise_plan, give it to somebody with assign_subtask, or ask a person with ask_human.`,
  );
}

/** Asks people how a subtask goes on. It stands still until they say. */
export function askAboutSubtask(
  draft: Draft,
  subtask: Subtask,
  why: "rework" | "worker" | "reviewer" | "blocked" | "concern" | "merge",
  text: string,
): void {
  const options = {
    rework: ["approve", "retry", "cancel"],
    reviewer: ["approve", "deny", "retry"],
    worker: ["retry", "cancel"],
    blocked: ["retry", "cancel"],
    concern: ["retry", "keep", "cancel"],
    merge: ["approve", "retry", "cancel"],
  }[why].map((id) => subtaskOptions[id] ?? { id, key: "❔", label: id });
  const asked = ask(draft, {
    matter: { kind: "subtask", subtask: subtask.id, why },
    text,
    options,
    timeout: "none",
    ...inThread(subtask),
  });
  const now = draft.state.task?.subtasks[subtask.id];
  if (now !== undefined) putSubtask(draft, { ...now, ask: asked.id });
}

const subtaskOptions: Readonly<Record<string, { id: string; key: string; label: string }>> = {
  approve: { id: "approve", key: "✅", label: "take it as it is" },
  deny: { id: "deny", key: "❌", label: "reject it, with your reason" },
  retry: { id: "retry", key: "🔁", label: "try once more" },
  keep: { id: "keep", key: "👍", label: "go on as before" },
  cancel: { id: "cancel", key: "🗑️", label: "drop this subtask" },
};

/** A word of the patrol in a subtask's thread. */
export function tellThread(draft: Draft, subtask: Subtask, what: string, text: string): void {
  draft.notice(`${draft.state.room}:${subtask.id}:patrol:${what}`, `🛰️ ${text}`, {
    ...inThread(subtask),
    action: { kind: "patrol", subtask: subtask.id },
  });
}
