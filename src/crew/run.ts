/**
 * One turn, from its messages to its outcome.
 *
 *   prompt ──▶ streaming ──stop──────────────────────────────▶ answered, cancelled
 *     │            ├──the runtime throws────────────────────▶ failed
 *     │            ├──stopped by a person ─▶ ending ──stop───▶ cancelled
 *     │            ├──turn_seconds ────────▶ ending ──stop───▶ failed (TURN_TIMED_OUT)
 *     │            │                           └──endingMs──▶ the same, and the session is dropped
 *     └────────────┴──the bridge closes ────────────────────▶ no outcome: the turn runs again after the start
 */
import type { RunTurn } from "../core/effect.ts";
import { CrewError, reasonOf } from "../core/errors.ts";
import type { RoomId } from "../core/ids.ts";
import type { RuntimeSession, SessionUpdate, StopReason, Usage } from "../runtimes/port.ts";
import { Answer, withNote } from "./answer.ts";
import type { Clock, TurnEnding, TurnLimits, TurnLog, TurnPorts } from "./ports.ts";
import { promptContent } from "./prompt.ts";
import { show } from "./show.ts";
import { until } from "../until.ts";

/** How long a runtime may take to end a turn that was stopped. */
export const endingMs = 10_000;
/** How often the lane hears that the runtime shows life; a turn that is shorter than that says nothing. */
export const aliveMs = 60_000;

export interface Run {
  readonly room: RoomId;
  readonly effect: RunTurn;
  /** Aborted by a person's stop, or by the time-out with its error as the reason. */
  readonly stop: AbortController;
}

export interface RunParts {
  readonly ports: TurnPorts;
  readonly limits: TurnLimits;
  readonly clock: Clock;
  readonly log: TurnLog;
  /** Name for the sentence of a failure. */
  readonly runtime: string;
  /** Aborts when the bridge closes. */
  readonly closing: AbortSignal;
  /** Works with the session of the turn's history. */
  session<T>(work: (session: RuntimeSession) => Promise<T>): Promise<T>;
  /** What the runtime says that it used. */
  used(usage: Usage): void;
  /** The session went wrong: the next turn must get a new one. */
  drop(): void;
}

/** Runs the turn to its end. Rejects only when the bridge closes, with the reason of that signal. */
export async function runTurn(run: Run, parts: RunParts): Promise<TurnEnding> {
  const { room, effect, stop } = run;
  const { ports, limits, clock, log, closing } = parts;
  const answer = new Answer();
  const over = new AbortController();
  const givenUp = new AbortController();
  const limit = (ms: number, act: () => void): void => {
    // Rejects when the turn is over before.
    void clock.after(ms, over.signal).then(act, () => undefined);
  };
  const end = (): void => limit(endingMs, () => givenUp.abort(stop.signal.reason));
  limit(limits.turn_seconds * 1000, () =>
    stop.abort(new CrewError("TURN_TIMED_OUT", { seconds: limits.turn_seconds })),
  );
  stop.signal.addEventListener("abort", end, { once: true });
  const shown = show(
    {
      answer,
      limits,
      clock,
      log,
      speaks: async (text) => ports.speaks(room, effect, text),
      amend: async (message, text) => ports.amend(room, effect, message, text),
    },
    over.signal,
  );

  let reason: StopReason | undefined;
  let failure: CrewError | undefined;
  const shows = pulse(run, parts);
  const take = (update: SessionUpdate): void => {
    shows();
    if (update.kind === "usage") parts.used(update.usage);
    if (update.kind === "permission_request") {
      const asked = { callId: update.callId, title: update.title, options: update.options };
      // Without a person's word the answer is never yes; and no option is chosen for them that would be remembered.
      const leave = ports.leave(room, effect, asked, AbortSignal.any([stop.signal, over.signal, closing]));
      void leave.then(
        (answer) => update.answer(answer),
        () => update.answer("cancelled"),
      );
    } else hear(update, answer);
  };
  try {
    reason = await play(run, parts, take, AbortSignal.any([givenUp.signal, closing]));
  } catch (thrown) {
    closing.throwIfAborted();
    if (givenUp.signal.aborted) parts.drop();
    if (!stop.signal.aborted) failure = failureOf(thrown, parts);
    else if (stop.signal.reason instanceof CrewError) failure = stop.signal.reason;
  } finally {
    stop.signal.removeEventListener("abort", end);
    over.abort();
  }
  const spoke = (await until(shown, closing)) !== undefined;
  closing.throwIfAborted();

  // A runtime that was stopped by the time-out says that it was cancelled.
  if (reason === "cancelled" && stop.signal.reason instanceof CrewError) failure = stop.signal.reason;
  const { text } = answer;
  if (failure !== undefined) {
    const { code, message: sentence, todo } = failure;
    return { outcome: { kind: "failed", text, code, sentence, todo }, reason: "failed", error: failure };
  }
  if (reason === undefined || reason === "cancelled") {
    return { outcome: { kind: "cancelled", text }, reason: "cancelled" };
  }
  return { outcome: { kind: "answered", text: withNote(text, reason), spoke }, reason };
}

/** Called for every update of the runtime: now and then it passes on that there is life. The turn never waits for it. */
function pulse({ room, effect }: Run, { ports, clock, log }: RunParts): () => void {
  let last = clock.now();
  return () => {
    if (clock.now() - last < aliveMs) return;
    last = clock.now();
    ports.alive(room, effect).catch((thrown: unknown) => {
      log.debug({ turn: effect.turn, reason: reasonOf(thrown) }, "a sign of life was lost");
    });
  };
}

function failureOf(thrown: unknown, parts: RunParts): CrewError {
  const error =
    thrown instanceof CrewError
      ? thrown
      : new CrewError("RUNTIME_FAILED", { runtime: parts.runtime, reason: reasonOf(thrown) }, thrown);
  // What the session is good for after that, nobody knows.
  if (error.code === "RUNTIME_FAILED") parts.drop();
  return error;
}

/** Asks the runtime and hands on what it says. `ends` aborts when nobody waits for it any longer. */
async function play(
  run: Run,
  parts: RunParts,
  take: (update: SessionUpdate) => void,
  ends: AbortSignal,
): Promise<StopReason> {
  const { effect, stop } = run;
  // Stopped while it waited for its place: the runtime never hears of it.
  if (stop.signal.aborted) return "cancelled";
  const content = await promptContent(effect, {
    files: parts.ports,
    attachmentBytes: parts.limits.attachment_bytes,
    signal: AbortSignal.any([stop.signal, ends]),
  });
  const work = async (session: RuntimeSession): Promise<StopReason> => {
    if (stop.signal.aborted) return "cancelled";
    const stream = session.prompt({ turn: effect.turn, content }, stop.signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await until(stream.next(), ends);
        if (next.done === true) {
          throw new CrewError("RUNTIME_FAILED", { runtime: parts.runtime, reason: "its answer broke off" });
        }
        if (next.value.kind === "stop") {
          await until(Promise.resolve(stream.return?.()), ends);
          return next.value.reason;
        }
        take(next.value);
      }
    } catch (thrown) {
      // Ends the stream if it still runs; one that hangs would never answer.
      void Promise.resolve(stream.return?.()).catch(() => undefined);
      throw thrown;
    }
  };
  return until(parts.session(work), ends);
}

function hear(update: Exclude<SessionUpdate, { kind: "permission_request" }>, answer: Answer): void {
  switch (update.kind) {
    case "agent_message_chunk":
      answer.add(update.text);
      break;
    case "tool_call":
      answer.breakOff();
      break;
    case "agent_thought_chunk":
    case "tool_call_update":
    case "usage":
    case "stop":
      break;
  }
}
