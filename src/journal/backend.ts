/** What a store must offer to carry a journal, and what a journal tells about it. */
import type { Keyv } from "keyv";
import { CrewError } from "../core/errors.ts";
import type { ChainedEntry } from "./journal.ts";

/** The namespaces of the table in `journal.ts`, and `probe` for `/ready`. */
export type Namespace = "inbox" | "room" | "audit" | "session" | "dead" | "meta" | "probe";

export interface Backend {
  /** The store as errors name it: an address without a password. */
  readonly name: string;
  /** The keyv of one namespace. It stores strings as they are and throws on every failure. */
  keyv(namespace: Namespace): Keyv<string>;
  /** Why this process may not write: `STORE_LOCKED` once its lock is lost, and for good; see also {@link onlyRead}. */
  lockLost(): CrewError | undefined;
  /** Writes what is waiting, gives the lock back and closes every connection. */
  close(): Promise<void>;
}

export interface JournalOptions {
  /** Milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number;
  /** Called with one sentence for the operator's log, e.g. that the server may lose the last writes. */
  readonly onWarning?: (sentence: string) => void;
  /**
   * Called once when another process may have taken the store (PostgreSQL, Redis). From then on every write rejects
   * with `STORE_LOCKED`; the process should end and be started anew. SQLite's lock cannot be lost.
   */
  readonly onLockLost?: (error: CrewError) => void;
  /** Called with entries of the audit log that have just got to the disk, each once. */
  readonly onAudited?: (entries: readonly ChainedEntry[]) => void;
  /** Redis only: how long a lock outlives a process that was killed, in milliseconds. Default 10 000. */
  readonly leaseMs?: number;
  /** Ends the wait for a lock that a killed process left behind (Redis). */
  readonly signal?: AbortSignal;
}

/** How a backend is opened. */
export interface BackendOptions extends JournalOptions {
  /** Takes no lock and changes nothing, beside a bridge that runs: every write rejects. */
  readonly readOnly?: boolean;
}

/** Why nothing may be written to a store that was opened for reading. */
export function onlyRead(store: string): CrewError {
  return new CrewError("STORE_UNUSABLE", { store, reason: "it is open for reading only" });
}

/** Who holds the lock, as the second bridge reads it. */
export function holderText(pid: number, host: string): string {
  return `process ${pid} on ${host}`;
}
