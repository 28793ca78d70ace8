/** Turns on a clock that tests move, with a room that writes down what is asked of it. */
import { setImmediate as settle } from "node:timers/promises";
import type { ModelUsage } from "../../src/core/spent.ts";
import type { AttachmentRef, Heard, RunTurn } from "../../src/core/effect.ts";
import type { FileRequest } from "../../src/core/files.ts";
import type { AgentId, EffectId, EventId, RoomId, TurnId, UserId } from "../../src/core/ids.ts";
import type { TurnOutcome } from "../../src/core/input.ts";
import type { Action } from "../../src/core/tasks/actions.ts";
import type {
  Clock,
  CrewMember,
  FetchedFile,
  LeaveAnswer,
  LeaveAsked,
  TurnLimits,
  TurnLog,
  TurnPorts,
} from "../../src/crew/ports.ts";
import { createTurns, type Turns, type TurnsOptions } from "../../src/crew/turns.ts";
import type {
  Prompt,
  Runtime,
  RuntimeSession,
  SessionOpening,
  SessionUpdate,
  StopReason,
} from "../../src/runtimes/port.ts";
import { agentId, sessionId, turnId } from "../runtimes/support.ts";

export const room = "!room:example.org" as RoomId;
export const alice = "@alice:example.org" as UserId;
export const ada = agentId("ada");

export const limits: TurnLimits = {
  turn_seconds: 1800,
  stream_first_ms: 1500,
  stream_interval_ms: 1500,
  stream_edits: 25,
  attachment_bytes: 20 * 1024 * 1024,
  long_answer_bytes: 30_000,
};

interface Sleeper {
  readonly at: number;
  readonly ms: number;
  wake(): void;
}

export class FakeClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<Sleeper>();
  #watchers: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  async after(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const done = Promise.withResolvers<void>();
    const sleeper = { at: this.#now + ms, ms, wake: () => done.resolve() };
    const abort = (): void => done.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#sleepers.add(sleeper);
    for (const watcher of this.#watchers.splice(0)) watcher();
    try {
      await done.promise;
    } finally {
      this.#sleepers.delete(sleeper);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Resolves when somebody waits for exactly so long. */
  async sleeping(ms: number): Promise<void> {
    while (![...this.#sleepers].some((sleeper) => sleeper.ms === ms)) {
      await new Promise<void>((resolve) => void this.#watchers.push(resolve));
    }
  }

  /** Moves time on, waking everybody in order; all that needs no I/O has happened when it resolves. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#sleepers].filter(({ at }) => at <= end).sort((one, two) => one.at - two.at);
      if (next === undefined) break;
      this.#now = next.at;
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#now = end;
  }
}

/** What a turn asked of its room, and its ends. */
export class FakeRoom implements TurnPorts {
  readonly clock: FakeClock;
  readonly said: string[] = [];
  readonly amends: { readonly at: number; readonly text: string }[] = [];
  readonly outcomes: (readonly [TurnId, TurnOutcome])[] = [];
  readonly typed: (readonly [number, AgentId, boolean])[] = [];
  readonly calls: (readonly [EffectId, UserId | undefined, string])[] = [];
  readonly acts: (readonly [EffectId, Action, number | undefined])[] = [];
  readonly worked: (readonly [TurnId, EffectId, FileRequest, AbortSignal])[] = [];
  readonly usage: (readonly ModelUsage[])[] = [];
  readonly usedSoFar: (readonly ModelUsage[])[] = [];
  /** Times at which a runtime showed life. */
  readonly lives: number[] = [];
  #watchers: (() => void)[] = [];
  /** Replaced by tests that want trouble. */
  onAmend: () => Promise<void> = async () => undefined;
  onEnded: () => Promise<void> = async () => undefined;
  onUsed: () => Promise<void> = async () => undefined;
  onAlive: () => Promise<void> = async () => undefined;
  onTyping: () => Promise<void> = async () => undefined;
  onSpeaks: () => Promise<EventId | undefined> = async () => "$answer" as EventId;
  onFetch: (ref: AttachmentRef, signal: AbortSignal) => Promise<FetchedFile> = async () => ({
    bytes: new Uint8Array(),
    mimeType: "text/plain",
  });

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** Replaced by tests that give leave. */
  onLeave: (asked: LeaveAsked, signal: AbortSignal) => Promise<LeaveAnswer> = async () => "cancelled";

  async leave(_room: RoomId, _effect: RunTurn, asked: LeaveAsked, signal: AbortSignal): Promise<LeaveAnswer> {
    return this.onLeave(asked, signal);
  }

  #note(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  async speaks(_room: RoomId, _effect: RunTurn, text: string): Promise<EventId | undefined> {
    this.said.push(text);
    this.#note();
    return this.onSpeaks();
  }

  async ended(_room: RoomId, effect: RunTurn, outcome: TurnOutcome, usage: readonly ModelUsage[]): Promise<void> {
    this.outcomes.push([effect.turn, outcome]);
    this.usage.push(usage);
    this.#note();
    await this.onEnded();
  }

  async used(_room: RoomId, _effect: RunTurn, usage: readonly ModelUsage[]): Promise<void> {
    this.usedSoFar.push(usage);
    await this.onUsed();
  }

  async amend(_room: RoomId, _effect: RunTurn, _message: EventId, text: string): Promise<void> {
    this.amends.push({ at: this.clock.now(), text });
    await this.onAmend();
  }

  async typing(_room: RoomId, agent: AgentId, on: boolean): Promise<void> {
    this.typed.push([this.clock.now(), agent, on]);
    await this.onTyping();
  }

  async fetchAttachment(ref: AttachmentRef, signal: AbortSignal): Promise<FetchedFile> {
    return this.onFetch(ref, signal);
  }

  async agentSays(
    _room: RoomId,
    _effect: RunTurn,
    call: EffectId,
    to: UserId | undefined,
    text: string,
  ): Promise<string> {
    this.calls.push([call, to, text]);
    return "Sent.";
  }

  async alive(): Promise<void> {
    this.lives.push(this.clock.now());
    await this.onAlive();
  }

  async act(_room: RoomId, _effect: RunTurn, call: EffectId, action: Action, version?: number): Promise<string> {
    this.acts.push([call, action, version]);
    return "Done.";
  }

  async readRoom(_room: RoomId, _effect: RunTurn, _call: EffectId, limit: number): Promise<string> {
    return `the last ${limit} messages`;
  }

  async files(
    _room: RoomId,
    effect: RunTurn,
    call: EffectId,
    request: FileRequest,
    signal: AbortSignal,
  ): Promise<string> {
    this.worked.push([effect.turn, call, request, signal]);
    return `the answer to ${request.kind}`;
  }

  /** The outcome of a turn, once it is there. */
  async end(turn: string): Promise<TurnOutcome> {
    for (;;) {
      const found = this.outcomes.find(([id]) => id === turn);
      if (found !== undefined) return found[1];
      await new Promise<void>((resolve) => void this.#watchers.push(resolve));
    }
  }
}

export class LinesLog implements TurnLog {
  readonly lines: (readonly [string, Readonly<Record<string, unknown>>, string])[] = [];
  debug = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void this.lines.push(["debug", fields, message]);
  info = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void this.lines.push(["info", fields, message]);
  warn = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void this.lines.push(["warn", fields, message]);
  error = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void this.lines.push(["error", fields, message]);
}

export function member(over: Partial<CrewMember> = {}): CrewMember {
  const nothing = { roles: [], rolePrompts: [], rules: "", instructions: "" };
  return { id: ada, name: "Ada", ...nothing, model: "default", runtime: "builtin", ...over };
}

export interface Crew {
  readonly turns: Turns;
  readonly room: FakeRoom;
  readonly clock: FakeClock;
  readonly log: LinesLog;
}

export function crewOn(runtime: Runtime, over: Partial<TurnsOptions> & { readonly clock?: FakeClock } = {}): Crew {
  const clock = over.clock ?? new FakeClock();
  const ports = new FakeRoom(clock);
  const log = new LinesLog();
  const turns = createTurns({
    agents: new Map([[ada, member()]]),
    runtimes: new Map([["builtin", runtime]]),
    ports,
    tools: () => [],
    limits,
    log,
    ...over,
    clock,
  });
  return { turns, room: ports, clock, log };
}

export function heard(text: string, over: Partial<Heard> = {}): Heard {
  return { cause: "$cause" as EventId, from: alice, text, hops: 0, ...over };
}

export function turnOf(turn: string, text = "hello", over: Partial<RunTurn> = {}): RunTurn {
  return {
    kind: "turn",
    id: `effect-${turn}` as EffectId,
    agent: ada,
    turn: turnId(turn),
    session: "ada",
    history: sessionId("s1"),
    messages: [heard(text)],
    direct: true,
    ...over,
  };
}

/** A runtime that says what the test tells it to say, when the test says so. Only for exact timing. */
export class ScriptedRuntime implements Runtime {
  readonly name = "builtin";
  readonly prompts: Prompt[] = [];
  readonly opened: SessionOpening[] = [];
  closed = 0;
  /** Ignores the signal and `close`, as a hanging program would. */
  deaf = false;
  #queue: SessionUpdate[] = [];
  #wake = Promise.withResolvers<void>();

  push(...updates: SessionUpdate[]): void {
    this.#queue.push(...updates);
    this.#wake.resolve();
  }

  say(text: string): void {
    this.push({ kind: "agent_message_chunk", text });
  }

  stop(reason: StopReason = "end_turn"): void {
    this.push({ kind: "stop", reason });
  }

  async openSession(opening: SessionOpening): Promise<RuntimeSession> {
    this.opened.push(opening);
    return {
      prompt: (prompt, signal) => this.#prompt(prompt, signal),
      forget: async () => undefined,
      close: async () => {
        this.closed += 1;
      },
    };
  }

  async *#prompt(prompt: Prompt, signal: AbortSignal): AsyncGenerator<SessionUpdate> {
    this.prompts.push(prompt);
    signal.addEventListener("abort", () => this.#wake.resolve());
    for (;;) {
      const update = this.#queue.shift();
      if (update !== undefined) {
        yield update;
        if (update.kind === "stop") return;
      } else if (signal.aborted && !this.deaf) {
        yield { kind: "stop", reason: "cancelled" };
        return;
      } else {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
