/**
 * Group commit over one SQLite connection. SQLite answers in the calling thread, and a durable commit costs a sync of
 * the disk however much it holds; so everything that is asked for in one turn of the event loop goes into one
 * transaction.
 *
 * ```
 *  idle ──first write or read──▶ collecting ──setImmediate──▶ BEGIN, every write, COMMIT, every read ──▶ idle
 *                                                                     │ one fails
 *                                                                     └▶ ROLLBACK, all writes of the turn reject
 * ```
 *
 * Reads come after the commit of their turn. So they see every write asked for before them, also a write that reached
 * the queue a few microtasks late because keyv awaits its serializer first, and they never see what is not on disk.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { CrewError, reasonOf } from "../core/errors.ts";

interface Job {
  /** Does the work and returns what tells the caller about it. */
  readonly run: () => () => void;
  readonly reject: (error: CrewError) => void;
}

export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #name: string;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #writes: Job[] = [];
  #reads: Job[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #closed = false;

  /** Takes the connection over; `name` is the store's name in errors. */
  constructor(db: DatabaseSync, name: string) {
    this.#db = db;
    this.#name = name;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
  }

  /** Runs `work` in this turn's transaction. Resolves after COMMIT; rejects with `STORE_UNUSABLE` and nothing written. */
  write<T>(work: () => T): Promise<T> {
    return this.#enqueue(this.#writes, work);
  }

  /** Runs `work` outside of any transaction, after the writes asked for in this turn. */
  read<T>(work: () => T): Promise<T> {
    return this.#enqueue(this.#reads, work);
  }

  /** Commits what is waiting, then closes the connection. Later calls reject with `STORE_UNUSABLE`. */
  close(): void {
    if (this.#closed) return;
    this.#turn();
    this.#closed = true;
    this.#db.close();
  }

  #enqueue<T>(queue: Job[], work: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(this.#unusable("it is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    queue.push({
      run: () => {
        const value = work();
        return () => resolve(value);
      },
      reject,
    });
    this.#scheduled ??= setImmediate(() => this.#turn());
    return promise;
  }

  #turn(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const writes = this.#writes;
    const reads = this.#reads;
    this.#writes = [];
    this.#reads = [];
    if (writes.length > 0) this.#transact(writes);
    for (const read of reads) {
      try {
        read.run()();
      } catch (thrown) {
        read.reject(this.#unusable(thrown));
      }
    }
  }

  #transact(writes: readonly Job[]): void {
    const done: (() => void)[] = [];
    try {
      this.#begin.run();
      for (const write of writes) done.push(write.run());
      this.#commit.run();
    } catch (thrown) {
      const error = this.#unusable(thrown);
      this.#rollback();
      for (const write of writes) write.reject(error);
      return;
    }
    for (const tell of done) tell();
  }

  /** SQLite ends the transaction by itself on some errors (a full disk among them) and leaves it open on others. */
  #rollback(): void {
    if (!this.#db.isTransaction) return;
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // The transaction is gone all the same; the error that led here is the one to report.
    }
  }

  #unusable(thrown: unknown): CrewError {
    if (thrown instanceof CrewError && thrown.code === "STORE_UNUSABLE") return thrown;
    return new CrewError("STORE_UNUSABLE", { store: this.#name, reason: reasonOf(thrown) }, thrown);
  }
}
