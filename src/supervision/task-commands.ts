/** Commands that ask for tasks, look at them, and steer them. What they do is in `src/core/tasks/steer.ts`. */
import type { Draft } from "../core/draft.ts";
import type { Message } from "../core/input.ts";
import {
  assignBy,
  blockBy,
  cancelBy,
  doneBy,
  openNew,
  overturnBy,
  pauseBy,
  planText,
  resumeBy,
  retryBy,
  rulesBy,
  scoresText,
  statusText,
  tasksText,
  unblockBy,
} from "../core/tasks/steer.ts";
import type { SubtaskId } from "../core/tasks/task.ts";
import { type Command, findAgent, firstWord, quoted, usageOf } from "./command.ts";

type Given = Pick<Command, "name" | "usage" | "help" | "run">;

/** One that only tells. */
function tells(name: string, help: string, text: (draft: Draft) => string): Command {
  return { name, usage: "", help, level: "observe", steers: "no", run: (draft) => text(draft) };
}

function steers(given: Given): Command {
  return { ...given, level: "task", steers: "always", inTask: true };
}

/** One about a subtask, which is its first word. */
function onSubtask(
  given: Omit<Given, "run">,
  run: (draft: Draft, message: Message, subtask: SubtaskId, rest: string) => string,
): Command {
  return steers({
    ...given,
    run: (draft, message, words) => {
      const [word, rest] = firstWord(words);
      const ids = Object.keys(draft.state.task?.subtasks ?? {});
      const subtask = ids.find((id) => id === word.replaceAll("`", "").toLowerCase());
      if (subtask !== undefined) return run(draft, message, subtask, rest.trim());
      const unknown = word === "" ? "Which subtask?" : `There is no subtask ${quoted(word)}.`;
      return `${unknown} ${subtasksHere(ids)} Usage: ${usageOf(given)}`;
    },
  });
}

function subtasksHere(ids: readonly SubtaskId[]): string {
  return ids.length === 0 ? "There is no plan yet." : `Subtasks: ${ids.map((id) => `\`${id}\``).join(", ")}.`;
}

const newTask = { name: "new", usage: "<title> [— brief]" };
const assign = { name: "assign", usage: "<subtask> <agent>" };
const overturn = { name: "overturn", usage: "<subtask> approve|reject [why]" };

const longestTitle = 200;

/** The title ends at a dash between spaces, or at the end of the first line. */
function open(draft: Draft, message: Message, words: string): string {
  const text = words.trim();
  const [, title = text, brief = ""] = /^([^\n]*?)(?:\s+(?:—|–|--)\s+|\s*\n)([\s\S]*)$/.exec(text) ?? [];
  if (title === "") return `What is to be done? Usage: ${usageOf(newTask)}`;
  if (title.length > longestTitle)
    return `That is long for a title. Say it in at most ${longestTitle} characters, and the rest after a dash: ${usageOf(newTask)}`;
  return openNew(draft, message, title, brief.trim());
}

export const taskCommands: readonly Command[] = [
  {
    ...newTask,
    help: "Opens a task room, in which the crew plans, works and reviews, and invites you there.",
    level: "task",
    steers: "no",
    run: open,
  },
  tells("tasks", "Lists the open tasks, and which of them wait for a person.", tasksText),
  tells("status", "Says how the task of this room is going: who does what, and what waits for whom.", statusText),
  tells(
    "plan",
    "Shows the plan of this room's task: subtasks, what they wait for, and when each counts as done.",
    planText,
  ),
  tells("scores", "Shows the crew's scores, and what they come from.", scoresText),
  onSubtask(
    { ...assign, help: "Gives a subtask to one agent, who gets it as soon as it is free." },
    (draft, message, subtask, rest) => {
      const member = rest === "" ? undefined : findAgent(draft.world, message, rest);
      if (member !== undefined) return assignBy(draft, message.sender, subtask, member.id);
      const ids = [...draft.world.crew.values()].map(({ id }) => id);
      const unknown = rest === "" ? "To whom?" : `I know no agent ${quoted(rest)}.`;
      return `${unknown} Agents: ${ids.join(", ")}. Usage: ${usageOf(assign)}`;
    },
  ),
  onSubtask(
    { name: "block", usage: "<subtask> [why]", help: "Takes a subtask from its agent and holds it back." },
    (draft, message, subtask, why) => blockBy(draft, message.sender, subtask, why),
  ),
  onSubtask(
    { name: "unblock", usage: "<subtask>", help: "Offers a blocked subtask again." },
    (draft, message, subtask) => unblockBy(draft, message.sender, subtask),
  ),
  onSubtask(
    { name: "retry", usage: "<subtask>", help: "Has a subtask done anew, also one that is done." },
    (draft, message, subtask) => retryBy(draft, message.sender, subtask),
  ),
  onSubtask(
    { ...overturn, help: "Puts your verdict in place of a review; its reviewer's score is told." },
    (draft, message, subtask, rest) => {
      const [word, why] = firstWord(rest);
      const verdict = word.toLowerCase();
      if (verdict === "approve" || verdict === "reject")
        return overturnBy(draft, message.sender, subtask, verdict, why.trim());
      return `Approve or reject? Usage: ${usageOf(overturn)}`;
    },
  ),
  steers({
    name: "pause",
    usage: "[why]",
    help: "Lets the task rest: turns end, leases go back, nothing is given out.",
    run: (draft, message, why) => pauseBy(draft, message.sender, why.trim()),
  }),
  steers({
    name: "resume",
    usage: "",
    help: "Goes on with a paused task.",
    run: (draft, message) => resumeBy(draft, message.sender),
  }),
  steers({
    name: "cancel",
    usage: "[why]",
    help: "Ends the task for good without its result.",
    run: (draft, message, why) => cancelBy(draft, message.sender, why.trim()),
  }),
  steers({
    name: "done",
    usage: "",
    help: "Says that the task is done: the final approval.",
    run: (draft, message) => doneBy(draft, message.sender),
  }),
  {
    name: "rules",
    usage: "[text]",
    help: "Shows the rules of this task, or sets them; agents are told them with their work.",
    level: "observe",
    steers: "with words",
    inTask: true,
    run: (draft, message, text) => rulesBy(draft, message.sender, text.trim()),
  },
];
