/** What follows from a person's answer (or from none, in time). */
import { plannerOf } from "./team.ts";
import type { Answer, Ask } from "../asks.ts";
import type { Draft } from "../draft.ts";
import { dayJudged } from "../budget.ts";
import { permissionJudged } from "../permits.ts";
import { hear } from "../turns.ts";
import { memberById } from "../world.ts";
import { askForPlan, cancelTask, close } from "./advance.ts";
import { budgetJudged } from "./budget.ts";
import { tell } from "./give.ts";
import { clearTask, moveSubtask, putSubtask, putTask, without } from "./ledger.ts";
import { secretJudged } from "./held.ts";
import { cancelSubtask, planOf, putInForce } from "./planning.ts";
import { pauseTask } from "./rest.ts";
import { overturn } from "./review.ts";
import type { Subtask } from "./task.ts";

/** Nobody answered: the task rests until somebody looks. */
function rests(draft: Draft, what: string): void {
  pauseTask(draft, `nobody answered ${what} in time; \`!crew resume\` asks again`);
}

export function settle(draft: Draft, ask: Ask, answer: Answer): void {
  const { matter } = ask;
  switch (matter.kind) {
    case "question":
      return question(draft, ask, answer);
    case "plan":
      return plan(draft, answer);
    case "final":
      return final(draft, answer);
    case "planner":
      clearTask(draft, "ask");
      if (answer.by === undefined) return rests(draft, "about the plan");
      if (answer.option === "cancel") return cancelTask(draft, answer.by, answer.why);
      putTask(draft, { planFailures: 0 });
      return askForPlan(
        draft,
        `${answer.by} says: try again.${answer.why === "" ? "" : ` ${answer.why}`} Make a plan with plan_task.`,
      );
    case "budget":
      if (matter.scope !== undefined) return dayJudged(draft, matter, answer);
      return budgetJudged(draft, answer);
    case "permission":
      return permission(draft, ask, answer);
    case "secret":
      return secretJudged(draft, matter, answer);
    case "subtask": {
      const subtask = draft.state.task?.subtasks[matter.subtask];
      if (subtask !== undefined) decided(draft, subtask, answer);
    }
  }
}

function question(draft: Draft, ask: Ask, answer: Answer): void {
  const { matter } = ask;
  if (matter.kind !== "question") return;
  const member = memberById(draft.world, matter.agent);
  if (member === undefined) return;
  const label = ask.options.find(({ id }) => id === answer.option)?.label;
  const words = [label, answer.why].filter((word) => word !== undefined && word !== "").join(": ");
  const text =
    answer.by === undefined
      ? "Nobody answered your question in time. Go on as you think best, or say that you are blocked."
      : `Answer to your question: ${words === "" ? answer.option : words}`;
  const from = answer.by ?? draft.world.bot;
  hear(draft, member, ask.thread, { cause: ask.message, from, text, hops: 0 });
}

function permission(draft: Draft, ask: Ask, answer: Answer): void {
  const { matter } = ask;
  if (matter.kind !== "permission") return;
  const text = permissionJudged(draft, matter, answer);
  const member = memberById(draft.world, matter.agent);
  const from = answer.by ?? draft.world.bot;
  if (member !== undefined && text !== undefined)
    hear(draft, member, ask.thread, { cause: ask.message, from, text, hops: 0 });
}

function plan(draft: Draft, answer: Answer): void {
  const proposal = draft.state.task?.proposal;
  if (proposal === undefined) return;
  if (answer.by === undefined) {
    clearTask(draft, "proposal");
    return rests(draft, "about the plan");
  }
  if (answer.option === "approve") return putInForce(draft, proposal.specs, proposal.dropped);
  const wasPlanned = draft.state.task?.planned === true;
  const specs = JSON.stringify(draft.state.task === undefined ? [] : planOf(draft.state.task));
  clearTask(draft, "proposal");
  const why = answer.why === "" ? "without a reason; ask for one with ask_human if you cannot guess" : answer.why;
  askForPlan(
    draft,
    wasPlanned
      ? `${answer.by} denied the change of the plan: ${why}. The plan stays as it was, unless you revise it.`
      : `${answer.by} denied the plan: ${why}. Make another one with plan_task. The last one was: ${specs}`,
  );
}

function final(draft: Draft, answer: Answer): void {
  clearTask(draft, "finalAsk");
  if (answer.by === undefined) return rests(draft, "whether the task is done");
  if (answer.option === "approve") return close(draft, answer.by);
  const { task } = draft.state;
  const planner = plannerOf(draft);
  const why = answer.why === "" ? "no reason was given" : answer.why;
  if (task === undefined || planner === undefined) return;
  // Until the planner has added what is missing there is nothing to approve.
  putTask(draft, { denied: why });
  tell(
    draft,
    planner,
    undefined,
    `final:${task.version}`,
    `${answer.by} does not approve the result: ${why}. Add what is missing with revise_plan (new subtasks; done ones stay), or ask with ask_human.`,
  );
}

function decided(draft: Draft, subtask: Subtask, answer: Answer): void {
  const open = putSubtask(draft, without(subtask, "ask"));
  if (answer.by === undefined) return rests(draft, `about \`${subtask.id}\``);
  const { by, option, why } = answer;
  switch (option) {
    case "approve":
    case "deny":
      if (open.state === "review" || option === "approve") {
        overturn(
          draft,
          by,
          open,
          option === "approve" ? "approve" : "reject",
          why === "" ? "a person decided so" : why,
        );
        return;
      }
      return;
    case "cancel":
      return cancelSubtask(draft, open.id);
    case "retry":
      again(draft, open);
      return;
    default:
  }
}

/** Offered anew, with all tries. Rework stays rework: its worker knows what to mend. */
export function again(draft: Draft, subtask: Subtask): void {
  const fresh = {
    ...without(subtask, "ask", "reason", "assigned"),
    tries: 0,
    reviewTries: 0,
    passed: [],
    reviewPassed: [],
  };
  if (subtask.state === "rework" || subtask.state === "review" || subtask.state === "ready") putSubtask(draft, fresh);
  else if (subtask.state === "blocked") moveSubtask(draft, fresh, "unblock");
}
