/**
 * Reads the audit log, also beside a bridge that writes it: entries only ever come at the end, and a page that is read
 * later shows more of them, never other ones.
 */
import type { AuditEntry } from "../core/audit.ts";
import type { RoomId } from "../core/ids.ts";
import { chainStart, decodeChained, hashOf, type ChainEnd } from "./audit-chain.ts";
import type { Entries } from "./entries.ts";
import type { AuditFilter, AuditReader, AuditVerdict, ChainedEntry } from "./journal.ts";
import { numberKey } from "./number-key.ts";

/** Entries read at once: some 60 KB. */
export const pageEntries = 128;
const indexKey = "index";

/** How far the log was when it was last noted, so that opening need not read it from the beginning. */
export interface AuditIndex extends ChainEnd {
  /** The `seq` of each room's last entry. */
  readonly rooms: Readonly<Record<RoomId, number>>;
}

const noIndex: AuditIndex = { ...chainStart, rooms: {} };

/** An entry as it is kept, or `undefined` where one is missing. */
type Kept = readonly [n: number, text: string | undefined];

export class StoredAuditReader implements AuditReader {
  protected readonly entries: Entries;
  readonly #rooms: Entries;

  /** @param rooms Their records say which entries must be in the log. */
  constructor(entries: Entries, rooms: Entries) {
    this.entries = entries;
    this.#rooms = rooms;
  }

  async *read(filter: AuditFilter = {}): AsyncGenerator<ChainedEntry> {
    let left = filter.limit ?? Infinity;
    if (left <= 0) return;
    for await (const [, text] of filter.newestFirst === true ? this.#backwards(filter.room) : this.kept(1)) {
      const found = text === undefined ? undefined : decodeChained(text);
      if (found === undefined || typeof found === "string") continue;
      if (fits(found.entry, filter)) {
        yield found;
        if (--left <= 0) return;
      }
      if (filter.newestFirst === true && isEnough(filter, found)) return;
    }
  }

  async verify(): Promise<AuditVerdict> {
    // In this order: what was noted and claimed before the log is read must be in it.
    const index = await this.index();
    const claims = await this.#claims();
    const last = new Map<RoomId, number>();
    let end = chainStart;
    for await (const [n, text] of this.kept(1, index.n)) {
      const found = text === undefined ? "it is missing" : decodeChained(text);
      const why = typeof found === "string" ? found : wrong(found, n, end, last);
      if (why !== undefined) return { ok: false, at: n, why };
      if (typeof found === "string") continue;
      if (n === index.n && found.hash !== index.hash) {
        return { ok: false, at: n, why: "it had another hash when it was written" };
      }
      last.set(found.entry.room, found.entry.seq);
      end = found;
    }
    for (const [room, seq] of claims) {
      const has = last.get(room) ?? 0;
      if (has >= seq) continue;
      const why = `it is missing: ${room} has handed over its entries up to ${seq}, and the log ends with ${has}`;
      return { ok: false, at: end.n + 1, why };
    }
    return { ok: true, entries: end.n, head: end.hash };
  }

  /** One that cannot be read is as if there were none. */
  protected async index(): Promise<AuditIndex> {
    return decodeIndex(await this.entries.get(indexKey)) ?? noIndex;
  }

  protected async writeIndex(index: AuditIndex): Promise<void> {
    await this.entries.set(indexKey, JSON.stringify(index));
  }

  /**
   * What is kept from number `from` on, until there is nothing for a whole page and nothing is to be expected.
   * @param least The highest number that is known to have been written.
   */
  protected async *kept(from: number, least = 0): AsyncGenerator<Kept> {
    const missing: number[] = [];
    for (let first = from; ; first += pageEntries) {
      const page = await this.#page(first);
      const found = page.some(([, text]) => text !== undefined);
      for (const [n, text] of page) {
        if (text === undefined && n > least) {
          missing.push(n);
          continue;
        }
        // What comes after them was written later: now they are there, or they were removed.
        if (missing.length > 0) yield* await this.#texts(missing.splice(0));
        yield [n, text];
      }
      if (!found && first + pageEntries > least) return;
    }
  }

  /** @param room Of interest alone: when the index does not know it, what is older is not read. */
  async *#backwards(room: RoomId | undefined): AsyncGenerator<Kept> {
    const { n: indexed, rooms } = await this.index();
    let last = indexed;
    for await (const [n] of this.kept(indexed + 1)) last = n;
    const oldest = room === undefined || Object.hasOwn(rooms, room) ? 1 : indexed + 1;
    for (let end = last; end >= oldest; end -= pageEntries) {
      const first = Math.max(oldest, end - pageEntries + 1);
      yield* (await this.#page(first, end - first + 1)).toReversed();
    }
  }

  async #page(first: number, count = pageEntries): Promise<Kept[]> {
    return this.#texts(Array.from({ length: count }, (_, index) => first + index));
  }

  async #texts(numbers: readonly number[]): Promise<Kept[]> {
    const texts = await this.entries.many(numbers.map(numberKey));
    return numbers.map((n, index) => [n, texts[index]] as const);
  }

  /** What each room's record says to be in the log: all that it has written down, but for what it still holds. */
  async #claims(): Promise<ReadonlyMap<RoomId, number>> {
    const claims = new Map<RoomId, number>();
    for await (const [room, text] of this.#rooms.all()) {
      const seq = handedOver(text);
      if (seq > 0) claims.set(room as RoomId, seq);
    }
    return claims;
  }
}

function decodeIndex(text = "null"): AuditIndex | undefined {
  try {
    const { n, hash, rooms } = JSON.parse(text) as AuditIndex;
    return Number.isSafeInteger(n) && typeof hash === "string" && typeof rooms === "object" && rooms !== null
      ? { n, hash, rooms }
      : undefined;
  } catch {
    return undefined;
  }
}

/** A record that cannot be read claims nothing; its room tells of it. */
function handedOver(record: string): number {
  try {
    const { audit } = JSON.parse(record) as { audit?: { next: number; entries: readonly { seq: number }[] } };
    return audit === undefined ? 0 : (audit.entries[0]?.seq ?? audit.next) - 1;
  } catch {
    return 0;
  }
}

function wrong(found: ChainedEntry, n: number, end: ChainEnd, last: ReadonlyMap<RoomId, number>): string | undefined {
  const { room, seq } = found.entry;
  if (found.n !== n) return `it says that it is entry ${found.n}`;
  if (found.hash !== hashOf(found)) return "its hash is not that of its content";
  if (found.prev !== end.hash) return "it does not follow the entry before it";
  const before = last.get(room) ?? 0;
  if (seq !== before + 1) return `it is number ${seq} of ${room}, and follows number ${before}`;
  return undefined;
}

/** A clock that is set back further than that hides entries from who looks for those of a time. */
const clockSlackMs = 3_600_000;

/** Nothing that fits is older: the log is long, and most rooms and tasks are not. */
function isEnough({ room, since }: AuditFilter, { at, entry }: ChainedEntry): boolean {
  if (room !== undefined && entry.room === room && entry.seq === 1) return true;
  return since !== undefined && at < since - clockSlackMs;
}

function fits({ task, room, kind, by, agent, ts }: AuditEntry, filter: AuditFilter): boolean {
  return (
    (filter.task === undefined || task === filter.task) &&
    (filter.room === undefined || room === filter.room) &&
    (filter.kind === undefined || kind === filter.kind) &&
    (filter.agent === undefined || by === filter.agent || agent === filter.agent) &&
    (filter.since === undefined || ts >= filter.since) &&
    (filter.until === undefined || ts <= filter.until)
  );
}
