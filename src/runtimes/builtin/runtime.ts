/**
 * The builtin runtime: agents that think in this process, through an OpenAI-compatible model. An idle session holds its
 * opening and nothing else; its history is loaded for a turn and dropped after it.
 */
import { CrewError } from "../../core/errors.ts";
import type { TurnId } from "../../core/ids.ts";
import type { Models } from "../../models/port.ts";
import type { Prompt, Runtime, RuntimeSession, SessionOpening, SessionStore, SessionUpdate } from "../port.ts";
import { systemPrompt, userMessage } from "./compose.ts";
import {
  closeInterrupted,
  finish,
  forget,
  readHistory,
  writeHistory,
  type History,
  type RunningTurn,
} from "./history.ts";
import { runTurn, type TurnParts } from "./turn.ts";

export interface BuiltinRuntimeOptions {
  readonly models: Models;
  readonly sessions: SessionStore;
}

function stopping(): CrewError {
  return new CrewError("RUNTIME_FAILED", { runtime: "builtin", reason: "the session was closed while the turn ran" });
}

class BuiltinSession implements RuntimeSession {
  readonly #models: Models;
  readonly #store: SessionStore;
  readonly #opening: SessionOpening;
  readonly #onClose: () => void;
  /** There only while a turn runs. */
  #active: { readonly history: History; readonly running: RunningTurn; forgotten: boolean } | undefined;
  #closing: AbortController | undefined;
  #closed = false;
  /** Reads and writes of the stored history happen one after the other: a redaction may come while a turn saves. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: BuiltinRuntimeOptions, opening: SessionOpening, onClose: () => void) {
    this.#models = options.models;
    this.#store = options.sessions;
    this.#opening = opening;
    this.#onClose = onClose;
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    // Without the result: an idle session must not hold its history.
    this.#queue = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  async #load(): Promise<History> {
    return readHistory(await this.#store.load(this.#opening.session));
  }

  async #save(history: History): Promise<void> {
    await this.#store.save(this.#opening.session, writeHistory(history));
  }

  async *prompt(prompt: Prompt, signal: AbortSignal): AsyncGenerator<SessionUpdate> {
    if (this.#closed) throw stopping();
    if (this.#active !== undefined) {
      throw new CrewError("RUNTIME_FAILED", { runtime: "builtin", reason: "the session's last turn has not ended" });
    }
    const history = await this.#alone(async () => this.#load());
    if (history.last?.id === prompt.turn) {
      const { text, reason } = history.last;
      if (text !== "") yield { kind: "agent_message_chunk", text };
      yield { kind: "stop", reason };
      return;
    }
    const running = this.#begin(history, prompt);
    const active = { history, running, forgotten: false };
    const closing = new AbortController();
    this.#active = active;
    this.#closing = closing;
    const parts: TurnParts = {
      models: this.#models,
      opening: this.#opening,
      system: systemPrompt(this.#opening.agent),
      history,
      running,
      signal: AbortSignal.any([signal, closing.signal]),
      partial: "",
      save: async () =>
        this.#alone(async () => {
          if (active.forgotten) return;
          history.running = running;
          await this.#save(history);
        }),
    };
    const end = async (reason: Parameters<typeof finish>[2]): Promise<void> =>
      this.#alone(async () => {
        if (active.forgotten) return;
        finish(history, running, reason);
        await this.#save(history);
      });

    try {
      if (running.text !== "") yield { kind: "agent_message_chunk", text: running.text };
      const reason = yield* runTurn(parts);
      await end(reason);
      yield { kind: "stop", reason };
    } catch (thrown) {
      // Closed, the turn is left as a crash would leave it: the same turn goes on after the restart.
      if (closing.signal.aborted) throw stopping();
      if (!signal.aborted) throw thrown;
      closeInterrupted(running, parts.partial.trimStart());
      running.text += parts.partial;
      await end("cancelled");
      yield { kind: "stop", reason: "cancelled" };
    } finally {
      this.#active = undefined;
      this.#closing = undefined;
    }
  }

  /** The turn to run: the one that a crash left, or a new one. */
  #begin(history: History, prompt: Prompt): RunningTurn {
    const left = history.running;
    if (left?.id === prompt.turn) return left;
    if (left !== undefined) {
      // It failed or was never asked again, but its tools have run: the agent must know of that.
      closeInterrupted(left, "");
      finish(history, left, "cancelled");
    }
    return { id: prompt.turn, messages: [userMessage(prompt.content)], text: "" };
  }

  async forget(turn: TurnId): Promise<void> {
    await this.#alone(async () => {
      const active = this.#active;
      const history = active?.history ?? (await this.#load());
      if (active?.running.id === turn) {
        active.forgotten = true;
        history.running = active.running;
      }
      forget(history, turn);
      await this.#save(history);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing?.abort();
    this.#onClose();
    await this.#queue;
  }
}

/** Makes the builtin runtime. Nothing is loaded or contacted before the first prompt. */
export function createBuiltinRuntime(options: BuiltinRuntimeOptions): Runtime {
  const open = new Set<BuiltinSession>();
  return {
    name: "builtin",
    async openSession(opening) {
      const session = new BuiltinSession(options, opening, () => open.delete(session));
      open.add(session);
      return session;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open].map(async (session) => session.close()));
    },
  };
}
