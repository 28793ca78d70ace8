/** What the audit log says of agents' actions on the task. */
import type { Draft } from "../draft.ts";
import { originOf } from "../placement.ts";
import type { CrewMember } from "../world.ts";
import type { Act, Acting } from "./acting.ts";
import { type Action, toolOf } from "./actions.ts";

/** What an agent did to the task, or was kept from doing. Progress is only talk. */
export function written(
  draft: Draft,
  { call, action }: Act,
  session: Acting["session"],
  member: CrewMember,
  reply: string,
): void {
  if (action.kind === "progress") return;
  const isRefused = reply.startsWith("Not ");
  draft.audit({
    kind: isRefused ? "refusal" : "action",
    what: toolOf[action.kind],
    by: member.id,
    detail: isRefused ? reply : detailOf(action),
    ...("subtask" in action ? { subtask: action.subtask } : {}),
    call,
    ...originOf(session),
  });
}

function detailOf(action: Action): string {
  switch (action.kind) {
    case "plan":
    case "revise":
      return action.subtasks.map(({ id }) => id).join(", ");
    case "assign":
      return `to ${action.agent}`;
    case "submit":
      return action.commit === undefined ? action.summary : `${action.commit}: ${action.summary}`;
    case "block":
      return action.reason;
    case "review":
      return `${action.verdict}, ${action.score} of 5. ${action.comment}`;
    case "concern":
      return `${action.severity}: ${action.note}`;
    case "ask":
      return action.question;
    case "claim":
    case "release":
    case "progress":
    case "look":
      return "";
  }
}
