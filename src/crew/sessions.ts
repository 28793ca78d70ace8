/**
 * The open sessions of the runtimes, one per history. They are opened on demand; above {@link openSessions} the one that
 * was idle the longest is closed, and opened again when it is needed (its history is the runtime's).
 *
 *   (none) ──use──▶ open, in use ──last use done──▶ idle ──use──▶ in use
 *     ▲                  │                            │
 *     └──── dropped ─────┴──── too many are open ─────┘
 */
import type { SessionId } from "../core/ids.ts";
import type { RuntimeSession } from "../runtimes/port.ts";
import type { TurnLog } from "./ports.ts";

/** An idle session of `builtin` holds its opening only, about a kilobyte; runtimes with a process each have own limits. */
export const openSessions = 200;

interface Entry {
  readonly session: Promise<RuntimeSession>;
  uses: number;
}

export class SessionPool implements AsyncDisposable {
  /** In order of last use. */
  readonly #open = new Map<SessionId, Entry>();
  readonly #closing = new Map<SessionId, Promise<void>>();
  readonly #most: number;
  readonly #log: TurnLog;

  constructor(log: TurnLog, most: number = openSessions) {
    this.#log = log;
    this.#most = most;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Works with the session of a history, which stays open meanwhile. Rejects with what `open` or `work` reject with. */
  async use<T>(
    history: SessionId,
    open: () => Promise<RuntimeSession>,
    work: (session: RuntimeSession) => Promise<T>,
  ): Promise<T> {
    const entry = this.#open.get(history) ?? this.#begin(history, open);
    this.#open.delete(history);
    this.#open.set(history, entry);
    entry.uses += 1;
    try {
      return await work(await entry.session);
    } finally {
      entry.uses -= 1;
      this.#trim();
    }
  }

  #begin(history: SessionId, open: () => Promise<RuntimeSession>): Entry {
    const opened = async (): Promise<RuntimeSession> => {
      // A history has one session at a time, also while the last one still closes.
      await this.#closing.get(history);
      return open();
    };
    const entry: Entry = { session: opened(), uses: 0 };
    entry.session.catch(() => {
      if (this.#open.get(history) === entry) this.#open.delete(history);
    });
    return entry;
  }

  #trim(): void {
    for (const [history, entry] of this.#open) {
      if (this.#open.size <= this.#most) return;
      if (entry.uses > 0) continue;
      this.#open.delete(history);
      const closing = this.#close(history, entry).finally(() => this.#closing.delete(history));
      this.#closing.set(history, closing);
    }
  }

  /** Never rejects. */
  async #close(history: SessionId, entry: Entry): Promise<void> {
    try {
      await (await entry.session).close();
    } catch (thrown) {
      this.#log.debug({ session: history, err: thrown }, "a session did not close cleanly");
    }
  }

  /** Lets go of a session that went wrong; the next use opens a new one and does not wait for this one to close. */
  drop(history: SessionId): void {
    const entry = this.#open.get(history);
    if (entry === undefined) return;
    this.#open.delete(history);
    void this.#close(history, entry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open].map(async ([history, entry]) => this.#close(history, entry));
    this.#open.clear();
    await Promise.all([...open, ...this.#closing.values()]);
  }
}
