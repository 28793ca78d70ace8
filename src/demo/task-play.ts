/**
 * A whole task, as the person of the demo sees it. Waits are for what the bridge's typed events tell, not for words, so
 * that it also goes to its end with a model that nobody wrote a script for.
 */
import { playFiles } from "./files-play.ts";
import { poll } from "./poll.ts";
import type { Message } from "./room-view.ts";
import type { ConversationParts, Steps } from "./steps.ts";
import type { TypedAction, TypedApproval } from "./sync.ts";

const askEveryMs = 250;

/** Resolves to HQ, the bot's own room. */
export async function playTask(parts: ConversationParts, steps: Steps): Promise<string> {
  const { person, view, scripted } = parts;
  await enter(parts, steps, "crewroom");
  const hq = await enter(parts, steps, "crewroom-hq");
  const opened = (): readonly string[] =>
    view.messages(hq).flatMap(({ action }) => (action?.kind === "taskRoom" ? (action.room ?? []) : []));
  // Tasks of an earlier run may be opened only now.
  const before = new Set(opened());
  await person.say(hq, "!crew new Build a CSV parser — with tests");
  const room = await steps.see("a room for the task", () => opened().find((one) => !before.has(one)));
  await join(parts, steps, room, "an invitation to the task's room");

  const task = new TaskWatch(parts, steps, room);
  await task.see("the planner's plan, put to you", () => task.asked("plan"));
  if (scripted) {
    await task.see("three subtasks, of which some wait for another", () => {
      const subtasks = task.subtasks();
      return (
        subtasks.length === 3 && subtasks.some(({ depends_on: needs }) => Array.isArray(needs) && needs.length > 0)
      );
    });
    await task.see("an agent's question, answered by a tap", () => task.answer("question") !== undefined);
    await task.see("your answer in a file", () => task.isInFile(task.answer("question")));
    await task.see("a rejection with issues", () => task.rejected() !== undefined);
    await task.see("a command that waited for your leave", () => task.answer("permission") !== undefined);
    await task.see("the rejected work, handed in again", () => task.handedIn(task.rejected()) === 2);
    await task.see("the approval after the rework", () => task.approved(task.rejected()));
    await task.see("commits of the work and of the rework", () => task.commits(task.rejected()) >= 2);
  }
  await task.see("the question whether the task is done", () => task.asked("final"));
  // It waits for its answer until the files are seen.
  if (!task.isClosed() && (scripted || task.hasFiles())) await playFiles(parts, steps, room);
  await task.see("the end of the task", () => task.isClosed());
  await steps.see("the word that the task has ended", () => (task.isToldEnd() ? true : undefined));
  // The state may come a moment after the word.
  await steps.see("the state of a task that has ended", () => {
    const state = task.state();
    return state === "done" || state === "cancelled" ? true : undefined;
  });
  if (task.state() !== "done") steps.failed.push(`the end of the task: it is ${String(task.state())}`);
  return hq;
}

/** Goes into one of the bot's own rooms, which are named by the first part of their alias. */
async function enter(parts: ConversationParts, steps: Steps, name: string): Promise<string> {
  const { person, signal } = parts;
  const alias = `#${name}:${person.userId.slice(person.userId.indexOf(":") + 1)}`;
  steps.expecting = `the room ${alias}`;
  const room = await poll(() => person.roomOf(alias), { everyMs: askEveryMs, signal });
  await join(parts, steps, room, `an invitation to ${alias}`);
  return room;
}

async function join({ person, view }: ConversationParts, steps: Steps, room: string, what: string): Promise<void> {
  const membership = await steps.see(what, () => view.facts.membership(room, person.userId));
  if (membership !== "join") await person.join(room);
}

/** One task's room. While it waits for something it answers what the person is asked. */
class TaskWatch {
  readonly #parts: ConversationParts;
  readonly #steps: Steps;
  readonly #room: string;
  readonly #answered = new Set<string>();

  constructor(parts: ConversationParts, steps: Steps, room: string) {
    this.#parts = parts;
    this.#steps = steps;
    this.#room = room;
  }

  async see(what: string, holds: () => boolean): Promise<void> {
    for (;;) {
      const found = await this.#steps.see(what, () => (holds() || this.isClosed() ? "seen" : this.#openQuestion()));
      if (found === "seen") break;
      await this.#answer(found);
    }
    if (!holds()) this.#steps.failed.push(what);
  }

  state(): unknown {
    return this.#parts.view.facts.state(this.#room, "dev.crewroom.task")?.["state"];
  }

  isClosed(): boolean {
    return this.state() === "done" || this.state() === "cancelled";
  }

  isToldEnd(): boolean {
    return [...this.#actions("finished"), ...this.#actions("cancelled")].length > 0;
  }

  subtasks(): readonly Readonly<Record<string, unknown>>[] {
    return [...this.#parts.view.facts.states(this.#room, "dev.crewroom.subtask").values()];
  }

  asked(matter: string): boolean {
    return this.#messages().some(({ approval }) => approval?.matter === matter);
  }

  /** What the person chose where this was asked: the words of the option. */
  answer(matter: string): string | undefined {
    const { userId } = this.#parts.person;
    const answered = this.#messages().find(({ approval }) => approval?.matter === matter && approval.by === userId);
    return answered?.approval?.options.find(({ id }) => id === answered.approval?.option)?.label;
  }

  /** Whether a commit brings these words into a file. */
  isInFile(words = ""): boolean {
    return this.#messages().some(({ commit, text }) => {
      const added = text.split("\n").filter((line) => line.startsWith("+"));
      return commit !== undefined && added.some((line) => line.includes(words));
    });
  }

  /** The subtask that a reviewer sent back, and named why. */
  rejected(): string | undefined {
    return this.#actions("review").find(({ verdict, issues }) => verdict === "reject" && issues.length > 0)?.subtask;
  }

  /** How often. */
  handedIn(subtask: string | undefined): number {
    return this.#actions("submit").filter((action) => action.subtask === subtask).length;
  }

  approved(subtask: string | undefined): boolean {
    return this.#actions("review").some((action) => action.subtask === subtask && action.verdict === "approve");
  }

  /** A model may do a task without any. What was made for a subtask that was not dropped is on main by the end, or soon. */
  hasFiles(): boolean {
    const { facts } = this.#parts.view;
    return this.#messages().some(({ commit }) => {
      if (commit?.subtask === undefined) return commit?.branch === "main";
      return facts.state(this.#room, "dev.crewroom.subtask", commit.subtask)?.["state"] !== "cancelled";
    });
  }

  /** How many, on the branch of a subtask. */
  commits(subtask: string | undefined): number {
    return this.#messages().filter(({ commit }) => commit?.branch === `subtask/${subtask ?? ""}`).length;
  }

  #messages(): readonly Message[] {
    return this.#parts.view.messages(this.#room);
  }

  #actions(kind: string): readonly TypedAction[] {
    return this.#messages().flatMap(({ action }) => (action?.kind === kind ? [action] : []));
  }

  #openQuestion(): { readonly message: Message; readonly approval: TypedApproval } | undefined {
    for (const message of this.#messages()) {
      const { approval } = message;
      if (approval?.state === "open" && !this.#answered.has(message.id)) return { message, approval };
    }
    return undefined;
  }

  /** The first option is the one that lets the work go on. */
  async #answer({ message, approval }: { message: Message; approval: TypedApproval }): Promise<void> {
    const { person } = this.#parts;
    this.#answered.add(message.id);
    const [first] = approval.options;
    if (first !== undefined) await person.react(this.#room, message.id, first.key);
    else await person.reply(this.#room, message, "Decide that as you think best.");
  }
}
