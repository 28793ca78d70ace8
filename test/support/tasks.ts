/** Tasks in tests: a crew with roles, the script that it plays, and a task room as a person watches and steers it. */
import { MatrixError } from "matrix-js-sdk";
import { poll } from "../../src/demo/poll.ts";
import type { RehearsalInput } from "../../src/models/rehearsal/script.ts";
import { patienceMs } from "./changes.ts";
import type { AgentEntry, Crew } from "./crew.ts";
import type { Deadline, Person } from "./person.ts";
import type { RawEvent, Said } from "./transcript.ts";

type Rule = RehearsalInput["rules"][number];

/** One who plans, two who work, two who review. */
export const taskCrew: readonly AgentEntry[] = [
  { id: "ada", name: "Ada", roles: ["planner"] },
  { id: "bo", name: "Bo", roles: ["executor"] },
  { id: "cleo", name: "Cleo", roles: ["executor"] },
  { id: "dan", name: "Dan", roles: ["reviewer"] },
  { id: "eve", name: "Eve", roles: ["reviewer"] },
];

export interface Part {
  readonly id: string;
  readonly after?: readonly string[];
  readonly [more: string]: unknown;
}

/** A subtask for `plan_task`, with words made from its id. */
export function part({ id, after = [], ...more }: Part): Record<string, unknown> {
  const texts = { title: `Make ${id}`, deliverable: `${id}.ts`, acceptance: [`${id} does what it says`] };
  return { id, ...texts, depends_on: after, ...more };
}

/** What a planner answers when it is asked for a plan of a task whose title fits `title`. */
export function planRule(parts: readonly Part[], title = ""): Rule {
  return {
    when: { role: "planner", last: `/${title}[\\s\\S]*Plan it with plan_task/` },
    answer: { tools: [{ name: "plan_task", arguments: { subtasks: parts.map(part) } }] },
  };
}

/** A first review that rejects a subtask's first draft. Put it before {@link diligence}. */
export function rejectRule(subtask: string, issue = "an empty line is lost"): Rule {
  const verdict = { subtask, verdict: "reject", score: 2, issues: [issue], comment: "Not yet." };
  return {
    when: { role: "reviewer", last: `/Review \`${subtask}\`[\\s\\S]*First draft of/` },
    answer: { tools: [{ name: "review_work", arguments: verdict }] },
  };
}

const submit = (summary: string): Rule["answer"] => ({
  tools: [{ name: "submit_work", arguments: { subtask: "$1", summary } }],
});

/** Everybody does at once what they are asked for, and says little. */
export const diligence: readonly Rule[] = [
  { when: { role: "executor", last: "/`([\\w-]+)` was rejected/" }, answer: submit("Mended $1.") },
  { when: { role: "executor", last: "/Your subtask `([\\w-]+)`/" }, answer: submit("First draft of $1.") },
  {
    when: { role: "reviewer", last: "/Review `([\\w-]+)`/" },
    answer: {
      tools: [
        {
          name: "review_work",
          arguments: { subtask: "$1", verdict: "approve", score: 4, issues: [], comment: "Good." },
        },
      ],
    },
  },
  { when: { step: 2, role: ["planner", "executor", "reviewer"] }, answer: { text: "That is all." } },
];

/** `dev.crewroom.task`, as far as tests look at it. */
export interface TaskContent {
  readonly id: number;
  readonly title: string;
  readonly brief: string;
  readonly state: string;
  readonly version: number;
  readonly progress: { readonly done: number; readonly total: number };
  readonly paused?: string;
}

/** `dev.crewroom.subtask`, as far as tests look at it. */
export interface SubtaskContent {
  readonly state: string;
  readonly epoch: number;
  readonly rework: number;
  readonly version: number;
  readonly thread: string;
  readonly holder?: string;
  readonly lease?: { readonly epoch: number; readonly expires_ts: number };
  readonly submission?: { readonly by: string; readonly summary: string };
  readonly commit?: string;
  readonly review: {
    readonly reviewer?: string;
    readonly verdict?: string;
    readonly epoch?: number;
    readonly commit?: string;
  };
  readonly reason?: string;
}

const subtaskType = "dev.crewroom.subtask";

export class TaskRoom {
  readonly person: Person;
  readonly room: string;
  /** Where it was asked for. */
  readonly from: string;
  readonly #crew: Crew;

  constructor(person: Person, room: string, crew: Crew, from = "") {
    this.person = person;
    this.room = room;
    this.from = from;
    this.#crew = crew;
  }

  /** Says `!crew new …` in a room where somebody of the crew is, and goes where the task is. */
  static async open(person: Person, crew: Crew, from: string, words: string, via?: string): Promise<TaskRoom> {
    const command = await person.say(from, `!crew new ${words}`);
    const isTold = (said: Said): boolean => said.replyTo === command && actionOf(said)["kind"] === "taskRoom";
    const told = await person.waitForMessage(from, isTold, patient);
    const room = String(actionOf(told)["room"]);
    await person.waitFor(room, "the invite to it", patient, () =>
      person.client.getRoom(room)?.getMyMembership() === "invite" ? true : undefined,
    );
    await (via === undefined ? person.join(room) : joinAcross(person, room, via));
    const task = new TaskRoom(person, room, crew, from);
    await person.waitFor(room, "its state", patient, () => task.state("dev.crewroom.room"));
    return task;
  }

  /** The same, from a new direct chat with the bot. */
  static async openByBot(person: Person, crew: Crew, words: string): Promise<TaskRoom> {
    const chat = await person.createDirectRoom(crew.bot);
    await person.waitForMember(chat, crew.bot, "join", patient);
    return TaskRoom.open(person, crew, chat, words);
  }

  /** The same room as somebody else sees it, who is in it. */
  as(person: Person): TaskRoom {
    return new TaskRoom(person, this.room, this.#crew, this.from);
  }

  /** The same person, in another room. */
  at(room: string): TaskRoom {
    return new TaskRoom(this.person, room, this.#crew, this.from);
  }

  /** A state event's content, as the person's client has it. */
  state(type: string, key = ""): Readonly<Record<string, unknown>> | undefined {
    const state = this.person.client.getRoom(this.room)?.currentState;
    // The client's type says that the event is always there.
    const event = state?.getStateEvents(type).find((one) => one.getStateKey() === key);
    return event?.getContent();
  }

  /** By the homeserver: right after a join over federation a client may have an older state. */
  async powerOf(user: string): Promise<number> {
    const power: { users?: Record<string, number> } = await this.person.client.getStateEvent(
      this.room,
      "m.room.power_levels",
      "",
    );
    return power.users?.[user] ?? 0;
  }

  get task(): TaskContent | undefined {
    return this.state("dev.crewroom.task") as TaskContent | undefined;
  }

  subtask(id: string): SubtaskContent | undefined {
    return this.state(subtaskType, id) as SubtaskContent | undefined;
  }

  waitForTask(state: string, options: Deadline = patient): Promise<TaskContent> {
    return this.#until(`the task to be ${state}`, options, () => (this.task?.state === state ? this.task : undefined));
  }

  /** @param wanted Its state, or what must hold of it. */
  waitForSubtask(
    id: string,
    wanted: string | ((subtask: SubtaskContent) => boolean),
    options: Deadline = patient,
  ): Promise<SubtaskContent> {
    const what = `\`${id}\` to be ${typeof wanted === "string" ? wanted : "as wanted"}`;
    return this.#until(what, options, () => {
      const now = this.subtask(id);
      const fits = now !== undefined && (typeof wanted === "string" ? now.state === wanted : wanted(now));
      return fits ? now : undefined;
    });
  }

  /** An open question about this, once its reactions stand under it. `except`: one that was asked before. */
  waitForAsk(matter: string, options: Deadline & { readonly except?: string } = patient): Promise<Said> {
    return this.#until(`a question about ${matter}`, options, () =>
      this.person.seen(this.room).find((said) => {
        const approval = approvalOf(said);
        if (approval["matter"] !== matter || approval["state"] !== "open" || said.id === options.except) return false;
        const keys = Array.isArray(approval["options"]) ? approval["options"].length : 0;
        return said.reactions.filter(({ sender }) => sender === this.#crew.bot).length >= keys;
      }),
    );
  }

  /** Reacts to the open question about this. */
  async answer(matter: string, key = "✅", options: Deadline & { readonly except?: string } = patient): Promise<Said> {
    const asked = await this.waitForAsk(matter, options);
    await this.person.react(this.room, asked.id, key);
    return this.waitForAnswered(asked, options);
  }

  waitForAnswered(asked: Said, options: Deadline = patient): Promise<Said> {
    return this.#until("the answer under the question", options, () =>
      this.person.seen(this.room).find((said) => said.id === asked.id && approvalOf(said)["state"] === "answered"),
    );
  }

  /** Says a command and gives its answer. */
  async command(words: string): Promise<string> {
    const command = await this.person.say(this.room, `!crew ${words}`);
    const isAnswer = (said: Said): boolean => said.replyTo === command;
    return (await this.person.waitForMessage(this.room, isAnswer, { ...patient, from: this.#crew.bot })).text;
  }

  /** Says a command that is answered with a file, and opens that. */
  async fileAfter(words: string): Promise<{ readonly said: Said; readonly bytes: Buffer }> {
    const command = await this.person.say(this.room, `!crew ${words}`);
    const isAnswer = (said: Said): boolean => said.replyTo === command;
    const said = await this.person.waitForMessage(this.room, isAnswer, { ...patient, from: this.#crew.bot });
    return { said, bytes: await this.person.download(String(said.content["url"])) };
  }

  /** All that was said with an action of this kind, oldest first, by the homeserver. */
  async actions(kind: string, subtask?: string): Promise<readonly Said[]> {
    return (await this.person.timeline(this.room)).filter((said) => {
      const action = actionOf(said);
      return action["kind"] === kind && (subtask === undefined || action["subtask"] === subtask);
    });
  }

  /** All contents that the state of a subtask had, oldest first, by the homeserver. */
  async history(id: string): Promise<readonly (SubtaskContent & { readonly at: number })[]> {
    const events: readonly RawEvent[] = await this.person.events(this.room);
    return events.flatMap((event, at) =>
      event.type === subtaskType && event.state_key === id
        ? [{ ...(event.content as unknown as SubtaskContent), at }]
        : [],
    );
  }

  #until<T>(what: string, options: Deadline, probe: () => T | undefined): Promise<T> {
    return this.person.waitFor(this.room, what, options, probe).catch((thrown: unknown) => {
      throw new Error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n${this.#describe()}`);
    });
  }

  #describe(): string {
    const events = this.person.client.getRoom(this.room)?.currentState.getStateEvents(subtaskType) ?? [];
    const subtasks = events.map((event) => `  ${event.getStateKey()}: ${JSON.stringify(event.getContent())}`);
    return [`Task: ${JSON.stringify(this.task)}`, ...subtasks].join("\n");
  }
}

/**
 * Over federation the invited sees the invite a moment before the inviting server has stored it, and is turned away if they
 * accept it right then, which no person does.
 */
async function joinAcross(person: Person, room: string, via: string): Promise<void> {
  const join = async (): Promise<true | undefined> => {
    try {
      await person.join(room, [via]);
      return true;
    } catch (thrown) {
      if (thrown instanceof MatrixError && thrown.errcode === "M_FORBIDDEN") return undefined;
      throw thrown;
    }
  };
  await poll(join, { everyMs: 200, signal: AbortSignal.timeout(patienceMs) });
}

/** A task takes a while on a slow machine. */
export const patient = { timeoutMs: 90_000 };

/** The typed part of a message about a task; empty when it has none. */
export function actionOf(said: Said): Readonly<Record<string, unknown>> {
  return typed(said, "dev.crewroom.action");
}

/** The typed part of a question; empty when it is none. */
export function approvalOf(said: Said): Readonly<Record<string, unknown>> {
  return typed(said, "dev.crewroom.approval");
}

function typed(said: Said, key: string): Readonly<Record<string, unknown>> {
  const part = said.content[key];
  return typeof part === "object" && part !== null ? { ...part } : {};
}
