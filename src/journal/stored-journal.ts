/** The journal's records as entries of a store. The lanes, the crew and the ingress see only `journal.ts`. */
import type { RoomId, SessionId } from "../core/ids.ts";
import type { DeadLetter, RoomRecord } from "../core/record.ts";
import { Access } from "./access.ts";
import { StoredAuditReader } from "./audit-reader.ts";
import { StoredAudit } from "./audit.ts";
import type { Backend, JournalOptions } from "./backend.ts";
import { Entries } from "./entries.ts";
import type { AuditReader, DeadLetters, Inbox, InboxSeq, Journal, Meta, Rooms, Sessions } from "./journal.ts";
import { numberKey } from "./number-key.ts";

/** Values that JSON does not know (`undefined`) are kept as `null`. */
function encode(value: unknown): string {
  return JSON.stringify(value ?? null);
}

class JsonEntries<Value> {
  readonly #entries: Entries;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  async load(key: string): Promise<Value | undefined> {
    const text = await this.#entries.get(key);
    return text === undefined ? undefined : this.#decode(key, text);
  }

  async save(key: string, value: Value): Promise<void> {
    await this.#entries.set(key, encode(value));
  }

  remove(key: string): Promise<void> {
    return this.#entries.delete([key]);
  }

  async *all(): AsyncGenerator<readonly [string, Value]> {
    for await (const [key, text] of this.#entries.all()) yield [key, this.#decode(key, text)];
  }

  #decode(key: string, text: string): Value {
    try {
      return JSON.parse(text) as Value;
    } catch (thrown) {
      throw this.#entries.unreadable(key, thrown);
    }
  }
}

class StoredInbox implements Inbox {
  readonly #entries: Entries;
  readonly #now: () => number;
  #last = 0;

  constructor(entries: Entries, now: () => number) {
    this.#entries = entries;
    this.#now = now;
  }

  /**
   * Sequences go on after the highest one left, and never below the clock's microseconds: they grow across a restart
   * also when the inbox was empty, without a write of their own.
   */
  async open(): Promise<void> {
    const left = (await this.#entries.keys()).map((key) => this.#seq(key));
    this.#last = Math.max(left.at(-1) ?? 0, this.#now() * 1_000);
  }

  async append(body: string): Promise<InboxSeq> {
    const seq = ++this.#last;
    await this.#entries.set(numberKey(seq), body);
    return seq;
  }

  remove(seqs: readonly InboxSeq[]): Promise<void> {
    return this.#entries.delete(seqs.map(numberKey));
  }

  async *pending(): AsyncGenerator<{ readonly seq: InboxSeq; readonly body: string }> {
    for await (const [key, body] of this.#entries.all()) yield { seq: this.#seq(key), body };
  }

  #seq(key: string): InboxSeq {
    if (!/^\d{16}$/.test(key)) throw this.#entries.unreadable(key, "its key is not a sequence of 16 digits");
    return Number(key);
  }
}

/** Makes a journal over `backend`, which it closes with itself. */
export async function storedJournal(backend: Backend, options: JournalOptions): Promise<Journal> {
  const now = options.now ?? Date.now;
  const access = new Access(backend);
  const inbox = new StoredInbox(new Entries(access, "inbox"), now);
  await inbox.open();
  const records = new Entries(access, "room");
  const audit = new StoredAudit(new Entries(access, "audit"), records, now, options.onAudited);
  await audit.open();
  const room = new JsonEntries<RoomRecord>(records);
  const session = new JsonEntries<unknown>(new Entries(access, "session"));
  const letters = new JsonEntries<DeadLetter>(new Entries(access, "dead"));
  const facts = new JsonEntries<unknown>(new Entries(access, "meta"));
  const probe = storeProbe(access, new Entries(access, "probe"));

  const rooms: Rooms = {
    load: (id) => room.load(id),
    save: (id, record) => room.save(id, record),
    remove: (id) => room.remove(id),
    async *all() {
      for await (const [key, record] of room.all()) yield [key as RoomId, record];
    },
  };
  const sessions: Sessions = {
    load: (id: SessionId) => session.load(id),
    save: (id, value) => session.save(id, value),
    remove: (id) => session.remove(id),
  };
  const dead: DeadLetters = {
    add: (letter) => letters.save(`${numberKey(letter.ts)} ${letter.effect.id}`, letter),
    async *all() {
      for await (const [, letter] of letters.all()) yield letter;
    },
  };
  const meta: Meta = {
    get: (name) => facts.load(name),
    set: (name, value) => facts.save(name, value),
  };
  return { inbox, rooms, sessions, dead, meta, audit, probe, [Symbol.asyncDispose]: () => access.close() };
}

/** The audit log of `backend`, which it closes with itself. */
export function storedAuditReader(backend: Backend): AuditReader & AsyncDisposable {
  const access = new Access(backend);
  const reader = new StoredAuditReader(new Entries(access, "audit"), new Entries(access, "room"));
  return {
    read: (filter) => reader.read(filter),
    verify: () => reader.verify(),
    [Symbol.asyncDispose]: () => access.close(),
  };
}

/** Writes a new value and reads it back. Calls that overlap share one probe: each would find the other's value. */
function storeProbe(access: Access, entries: Entries): () => Promise<void> {
  let count = 0;
  let running: Promise<void> | undefined;
  const once = async (): Promise<void> => {
    const written = String(++count);
    await entries.set("probe", written);
    const found = await entries.get("probe");
    if (found === written) return;
    throw access.unusable("it does not give back what was written");
  };
  return () => {
    running ??= once().finally(() => {
      running = undefined;
    });
    return running;
  };
}
