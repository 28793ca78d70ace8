/**
 * The audit log: one chain for the whole bridge, to which entries are only ever added.
 *
 * ```
 *  handed over ──known──▶ left out
 *      │ new
 *      ▼
 *    sealed (number, time, hashes) ──written──▶ settled ──every 256──▶ index
 *      ▲                                │
 *      └────────── it failed ───────────┘ written again as they are, before any later one
 * ```
 *
 * - An entry gets its place when it is handed over and keeps it. A write that failed may have happened all the same, or
 *   happen late; written again it is the same bytes under the same key, so the chain cannot fork.
 * - Entries go in batches, each all or nothing, one batch after another: a crash leaves the log whole up to some entry.
 *   What waits meanwhile goes together; on SQLite that is the transaction of everything else in that turn.
 * - Nothing is ever written over: where an entry is already, what comes goes behind it, and a verification names the place.
 * - The index is only a shortcut for opening. It is never ahead of the log, and what comes after it is read.
 */
import type { AuditEntry } from "../core/audit.ts";
import type { RoomId } from "../core/ids.ts";
import { chained, chainStart, encodeChained, endAfter, type ChainEnd } from "./audit-chain.ts";
import { pageEntries, StoredAuditReader } from "./audit-reader.ts";
import type { JournalOptions } from "./backend.ts";
import type { Entries } from "./entries.ts";
import type { AuditLog, ChainedEntry } from "./journal.ts";
import { numberKey } from "./number-key.ts";

/** Entries between two writes of the index: what opening reads at most, but for the last batch. */
const indexEvery = 256;
/** Entries in one transaction: at most some 100 KB. */
const batchEntries = 128;

export class StoredAudit extends StoredAuditReader implements AuditLog {
  readonly #now: () => number;
  readonly #onAudited: JournalOptions["onAudited"];
  /** Where the next entry joins: after the last sealed one. */
  #end: ChainEnd = chainStart;
  /** The last `seq` of each room that has a place in the chain. */
  readonly #known = new Map<RoomId, number>();
  /** The same of entries that are on disk for certain. */
  readonly #settled = new Map<RoomId, number>();
  /** Entries with a place that may not be on disk, in order. */
  readonly #sealed: ChainedEntry[] = [];
  #indexed = 0;
  /** Up to this number nothing stands behind the end: looked at a page at a time, so that few writes wait for it. */
  #free = 0;
  /** The write that goes on; never rejects. */
  #writing: Promise<unknown> = Promise.resolve();
  /** The one after it. */
  #next: Promise<void> | undefined;

  constructor(entries: Entries, rooms: Entries, now: () => number, onAudited: JournalOptions["onAudited"]) {
    super(entries, rooms);
    this.#now = now;
    this.#onAudited = onAudited;
  }

  /** Finds the end of the chain. Where entries are missing none is put in their place: a verification names the gap. */
  async open(): Promise<void> {
    const { n, hash, rooms } = await this.index();
    this.#end = { n, hash };
    this.#indexed = n;
    for (const [room, seq] of Object.entries(rooms)) this.#know(room as RoomId, seq);
    for await (const [found, text] of this.kept(n + 1)) {
      if (text === undefined) continue;
      const end = endAfter(found, text);
      this.#end = end;
      if (end.entry !== undefined) this.#know(end.entry.room, end.entry.seq);
    }
    // The look ended with a page in which nothing was.
    this.#free = this.#end.n + pageEntries;
  }

  append(entries: readonly AuditEntry[]): Promise<void> {
    for (const entry of entries) this.#seal(entry);
    if (this.#sealed.length === 0) return Promise.resolve();
    return (this.#next ??= this.#writing.then(() => this.#write()));
  }

  #know(room: RoomId, seq: number): void {
    this.#known.set(room, seq);
    this.#settled.set(room, seq);
  }

  #seal(entry: AuditEntry): void {
    if (entry.seq <= (this.#known.get(entry.room) ?? 0)) return;
    const link = chained(this.#end, entry, this.#now());
    this.#end = { n: link.n, hash: link.hash };
    this.#known.set(entry.room, entry.seq);
    this.#sealed.push(link);
  }

  #write(): Promise<void> {
    this.#next = undefined;
    const writing = this.#writeSealed(this.#sealed.length);
    this.#writing = writing.catch(() => undefined);
    return writing;
  }

  async #writeSealed(due: number): Promise<void> {
    for (let left = due; left > 0;) {
      const batch = this.#sealed.slice(0, Math.min(left, batchEntries));
      if (!(await this.#isFree(batch.at(-1)?.n ?? 0))) continue;
      await this.entries.setMany(batch.map((link) => ({ key: numberKey(link.n), value: encodeChained(link) })));
      this.#sealed.splice(0, batch.length);
      left -= batch.length;
      for (const { entry } of batch) this.#settled.set(entry.room, entry.seq);
      this.#onAudited?.(batch);
      await this.#noteIndex(batch.at(-1));
    }
  }

  /**
   * Whether nothing stands up to this number. Behind a gap that somebody made there may be entries: none is written over,
   * and what has no place on disk yet moves behind them.
   */
  async #isFree(n: number): Promise<boolean> {
    if (n <= this.#free) return true;
    let end: ChainEnd | undefined;
    for await (const [found, text] of this.kept(this.#free + 1)) if (text !== undefined) end = endAfter(found, text);
    this.#free = (end?.n ?? this.#free) + pageEntries;
    if (end === undefined) return n <= this.#free;
    this.#end = { n: end.n, hash: end.hash };
    for (const [index, { entry, at }] of this.#sealed.entries()) {
      const link = chained(this.#end, entry, at);
      this.#end = { n: link.n, hash: link.hash };
      this.#sealed[index] = link;
    }
    return false;
  }

  async #noteIndex(last: ChainedEntry | undefined): Promise<void> {
    if (last === undefined || last.n - this.#indexed < indexEvery) return;
    try {
      await this.writeIndex({ n: last.n, hash: last.hash, rooms: Object.fromEntries(this.#settled) });
      this.#indexed = last.n;
    } catch {
      // The entries are written, and the next ones bring it up to date; a store that fails is told with those.
    }
  }
}
