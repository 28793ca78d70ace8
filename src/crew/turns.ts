/**
 * The turns of all agents. Those of one history run one after another, in order of start; different histories run side
 * by side. A turn is known by its id from `start` until its end is recorded.
 */
import type { ModelUsage } from "../core/spent.ts";
import type { Forget, RunTurn } from "../core/effect.ts";
import { CrewError } from "../core/errors.ts";
import type { AgentId, RoomId, SessionId, TurnId } from "../core/ids.ts";
import type { Runtime, RuntimeName, RuntimeSession, Tool } from "../runtimes/port.ts";
import type { Clock, CrewMember, SessionContext, TurnEnding, TurnLimits, TurnLog, TurnPorts } from "./ports.ts";
import { Meter } from "./meter.ts";
import { runTurn, type Run } from "./run.ts";
import { SessionPool } from "./sessions.ts";
import { createTyping } from "./typing.ts";
import { until } from "../until.ts";

/** How long the end of the bridge waits for what a turn used to be recorded. */
const partingMs = 1_000;

export interface TurnsOptions {
  readonly agents: ReadonlyMap<AgentId, CrewMember>;
  /** They stay the caller's: closing the turns closes their sessions only. */
  readonly runtimes: ReadonlyMap<RuntimeName, Runtime>;
  readonly ports: TurnPorts;
  /** The tools of a new session. */
  tools(context: SessionContext): readonly Tool[];
  readonly limits: TurnLimits;
  readonly clock: Clock;
  readonly log: TurnLog;
  /** For the meters. `tookMs` counts from the start of its run, without its wait for a turn before it. */
  readonly onStarted?: (room: RoomId, effect: RunTurn) => void;
  readonly onEnded?: (room: RoomId, effect: RunTurn, ending: TurnEnding, tookMs: number) => void;
  /** Runtimes whose use of models comes by {@link Turns.used}, call by call: what their sessions say of it is passed over. */
  readonly metered?: ReadonlySet<RuntimeName>;
  /** Sessions kept open. Default 200. */
  readonly openSessions?: number;
}

export interface Turns extends AsyncDisposable {
  /** Starts a turn and returns at once. A turn that is known already (waiting or running) is not started again. */
  start(room: RoomId, effect: RunTurn): void;
  /** Stops a turn: its end is reported as `cancelled`, with what it said until then. Unknown turns are ignored. */
  abort(turn: TurnId): void;
  /** A call of a model was made for the turn that runs on this history. */
  used(history: SessionId, usage: ModelUsage): void;
  /** Takes a turn out of the runtime's history. Rejects with `RUNTIME_FAILED` when its agent or runtime is gone. */
  forget(effect: Forget): Promise<void>;
  /**
   * Stops everything without reporting an end: what ran stays in the room's record, and is started again at the next
   * start. Sessions are closed and prompts not aborted, since to a runtime an aborted turn is a finished one.
   */
  [Symbol.asyncDispose](): Promise<void>;
  /** Turns that run now; those that wait for one before them do not count. */
  readonly running: number;
}

export function createTurns(options: TurnsOptions): Turns {
  const { agents, runtimes, ports, limits, clock, log } = options;
  const closing = new AbortController();
  const runs = new Map<TurnId, Run>();
  /** The end of each history's last turn. */
  const tails = new Map<SessionId, Promise<void>>();
  /** Of the turn that runs on each history. */
  const meters = new Map<SessionId, Meter>();
  const pool = new SessionPool(log, options.openSessions);
  const typing = createTyping(ports, clock, log, closing.signal);
  let running = 0;

  function contextOf(agent: CrewMember, history: SessionId): SessionContext {
    const going = (turn: TurnId): Run | undefined => {
      const run = runs.get(turn);
      return run === undefined || run.stop.signal.aborted ? undefined : run;
    };
    return {
      agent,
      history,
      roomOf: (turn) => runs.get(turn)?.room,
      says: async (turn, call, to, text) => {
        const run = going(turn);
        if (run === undefined) return "Not sent: this turn was stopped.";
        return ports.agentSays(run.room, run.effect, call, to, text);
      },
      acts: async (turn, call, action, version) => {
        const run = going(turn);
        if (run === undefined) return "Not done: this turn was stopped.";
        return ports.act(run.room, run.effect, call, action, version);
      },
      reads: async (turn, call, limit) => {
        const run = going(turn);
        if (run === undefined) return "Not read: this turn was stopped.";
        return ports.readRoom(run.room, run.effect, call, limit);
      },
      works: async (turn, call, request, signal) => {
        const run = going(turn);
        if (run === undefined) return "Not done: this turn was stopped.";
        return ports.files(run.room, run.effect, call, request, signal);
      },
    };
  }

  async function open(id: AgentId, history: SessionId): Promise<RuntimeSession> {
    closing.signal.throwIfAborted();
    const agent = agents.get(id);
    if (agent === undefined) {
      throw new CrewError("RUNTIME_FAILED", { runtime: `of ${id}`, reason: "the config has no such agent any more" });
    }
    const runtime = runtimes.get(agent.runtime);
    if (runtime === undefined) {
      throw new CrewError("RUNTIME_FAILED", { runtime: agent.runtime, reason: "this bridge does not have it" });
    }
    return runtime.openSession({ session: history, agent, tools: options.tools(contextOf(agent, history)) });
  }

  async function perform(run: Run): Promise<void> {
    const { room, effect } = run;
    const { agent, history, turn } = effect;
    if (closing.signal.aborted) return;
    const began = clock.now();
    const endTyping = typing.begin(room, agent);
    const meter = new Meter({
      after: (ms, signal) => clock.after(ms, signal),
      tell: async (usage) => ports.used(room, effect, usage),
      onLost: (reason) => log.error({ room, agent, turn, err: reason }, "what a turn used was not recorded"),
    });
    const { runtime = `of ${agent}` as const, model = "default" } = agents.get(agent) ?? {};
    meters.set(history, meter);
    running += 1;
    try {
      options.onStarted?.(room, effect);
      const ending = await runTurn(run, {
        ports,
        limits,
        clock,
        log,
        runtime,
        closing: closing.signal,
        session: async (work) => pool.use(history, async () => open(agent, history), work),
        drop: () => pool.drop(history),
        used: (usage) => {
          if (options.metered?.has(runtime as RuntimeName) !== true) meter.add({ ...usage, model });
        },
      });
      const tookMs = clock.now() - began;
      const fields = { room, agent, turn, reason: ending.reason, tookMs };
      if (ending.error === undefined) log.info(fields, "turn ended");
      else log.warn({ ...fields, err: ending.error }, "turn failed");
      options.onEnded?.(room, effect, ending, tookMs);
      await until(ports.ended(room, effect, ending.outcome, meter.end()), closing.signal);
    } catch (thrown) {
      if (closing.signal.aborted) await lastWords(meter);
      if (!closing.signal.aborted) log.error({ room, agent, turn, err: thrown }, "the end of a turn was not recorded");
    } finally {
      running -= 1;
      meters.delete(history);
      meter.end();
      endTyping();
    }
  }

  /** The turn runs again after the next start, but what it used until now was paid for. A store that is stuck holds up nothing. */
  async function lastWords(meter: Meter): Promise<void> {
    const over = new AbortController();
    await Promise.race([meter.flush(), clock.after(partingMs, over.signal)]);
    over.abort();
  }

  return {
    start(room, effect) {
      const { turn, history } = effect;
      if (closing.signal.aborted || runs.has(turn)) return;
      const run: Run = { room, effect, stop: new AbortController() };
      runs.set(turn, run);
      const done = (tails.get(history) ?? Promise.resolve())
        .then(async () => perform(run))
        .finally(() => {
          runs.delete(turn);
          if (tails.get(history) === done) tails.delete(history);
        });
      tails.set(history, done);
    },
    abort(turn) {
      runs.get(turn)?.stop.abort();
    },
    used(history, usage) {
      meters.get(history)?.add(usage);
    },
    async forget({ agent, history, turn }) {
      await pool.use(
        history,
        async () => open(agent, history),
        async (session) => session.forget(turn),
      );
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await pool[Symbol.asyncDispose]();
      await Promise.all(tails.values());
    },
    get running() {
      return running;
    },
  };
}
