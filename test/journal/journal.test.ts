import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CrewError } from "../../src/core/errors.ts";
import type { RoomId, SessionId } from "../../src/core/ids.ts";
import type { DeadLetter, RoomRecord } from "../../src/core/record.ts";
import { openJournal, type JournalOptions } from "../../src/journal/open.ts";
import { startOther } from "./process.ts";
import { storeKinds, type TestStore } from "./stores.ts";

const room = "!kitchen:example.org" as RoomId;
/** Short, so that a test which waits for a killed holder's lease is quick. Only Redis has leases. */
const leaseMs = 600;

function record(topic: string): RoomRecord {
  return JSON.parse(JSON.stringify({ v: 1, state: { topic }, outbox: [], handled: ["$1"] })) as RoomRecord;
}

function letter(id: string, ts: number): DeadLetter {
  return JSON.parse(
    JSON.stringify({ room, effect: { id }, code: "M_FORBIDDEN", reason: "not in room", ts }),
  ) as DeadLetter;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function thrownBy(work: () => Promise<unknown>): Promise<CrewError> {
  const thrown = await work().then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof CrewError)) throw new Error(`expected a CrewError, got ${String(thrown)}`);
  return thrown;
}

for (const kind of storeKinds) {
  const { name, missing } = kind;
  describe.skipIf(missing !== undefined)(
    `the journal on ${name}${missing === undefined ? "" : ` (not here: ${missing})`}`,
    { timeout: 30_000 },
    () => {
      let store: TestStore;
      beforeAll(async () => {
        store = await kind.start();
      }, 60_000);
      afterAll(() => store[Symbol.asyncDispose]());

      const open = (url: string, options: JournalOptions = {}) => openJournal(url, { leaseMs, ...options });

      test("gives a room's record back as it was saved, also after a restart", async () => {
        const url = await store.fresh();
        {
          await using journal = await open(url);
          expect(await journal.rooms.load(room)).toBeUndefined();
          await journal.rooms.save(room, record("soup"));
          await journal.rooms.save(room, record("salad 🥗 'quoted' \"twice\" \\ % _"));
        }
        await using journal = await open(url);
        expect(await journal.rooms.load(room)).toEqual(record("salad 🥗 'quoted' \"twice\" \\ % _"));
      });

      test("lists every room once and forgets removed ones", async () => {
        await using journal = await open(await store.fresh());
        const rooms = Array.from({ length: 150 }, (_, index) => `!room-${index}:example.org:8448` as RoomId);
        await Promise.all(rooms.map((id) => journal.rooms.save(id, record(id))));
        await journal.rooms.remove(rooms[7] as RoomId);
        const listed = new Map(await collect(journal.rooms.all()));
        expect([...listed.keys()].sort()).toEqual(rooms.filter((_, index) => index !== 7).sort());
        expect(listed.get(rooms[149] as RoomId)).toEqual(record("!room-149:example.org:8448"));
      });

      test("keeps a room id of the longest length that Matrix allows", async () => {
        await using journal = await open(await store.fresh());
        const longest = `!${"é".repeat(60)}${"x".repeat(134)}` as RoomId;
        await journal.rooms.save(longest, record("long"));
        expect(await collect(journal.rooms.all())).toEqual([[longest, record("long")]]);
      });

      test("returns what the inbox still holds, oldest first and byte for byte", async () => {
        const url = await store.fresh();
        const bodies = Array.from({ length: 100 }, (_, index) => `{ "n":${index}, "text": "ä\\u0000\\ud83d" }\n`);
        {
          await using journal = await open(url);
          const seqs = await Promise.all(bodies.map((body) => journal.inbox.append(body)));
          expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
          await journal.inbox.remove(seqs.slice(10, 20));
          await journal.inbox.remove([]);
        }
        await using journal = await open(url);
        const left = await collect(journal.inbox.pending());
        expect(left.map(({ body }) => body)).toEqual([...bodies.slice(0, 10), ...bodies.slice(20)]);
      });

      test("never gives a sequence twice: not after a restart, an emptied inbox, or a clock that went back", async () => {
        const url = await store.fresh();
        const at = async (ms: number, body: string): Promise<number> => {
          await using journal = await open(url, { now: () => ms });
          return await journal.inbox.append(body);
        };
        const first = await at(2_000_000, "first");
        const clockWentBack = await at(1_000_000, "second");
        expect(clockWentBack).toBeGreaterThan(first);
        {
          await using journal = await open(url, { now: () => 2_000_000 });
          await journal.inbox.remove([first, clockWentBack]);
        }
        expect(await at(2_000_001, "third")).toBeGreaterThan(clockWentBack);
      });

      test("keeps sessions, facts and dead letters apart, letters oldest first", async () => {
        await using journal = await open(await store.fresh());
        const session = "same key" as SessionId;
        await journal.sessions.save(session, [{ role: "user" }]);
        await journal.meta.set("same key", { ghosts: 3 });
        await journal.dead.add(letter("b", 20));
        await journal.dead.add(letter("a", 1_000));
        await journal.dead.add(letter("c", 20));
        expect(await journal.sessions.load(session)).toEqual([{ role: "user" }]);
        expect(await journal.meta.get("same key")).toEqual({ ghosts: 3 });
        await journal.sessions.remove(session);
        expect(await journal.sessions.load(session)).toBeUndefined();
        expect(await journal.meta.get("never set")).toBeUndefined();
        expect(await collect(journal.dead.all())).toEqual([letter("b", 20), letter("c", 20), letter("a", 1_000)]);
      });

      test("names the entry that cannot be read and goes on with the others", async () => {
        const url = await store.fresh();
        await using journal = await open(url);
        await journal.rooms.save("!whole:example.org" as RoomId, record("whole"));
        await store.plant(url, "room", "!broken:example.org", '{"v":1,');
        const loading = await thrownBy(() => journal.rooms.load("!broken:example.org" as RoomId));
        expect(loading.code).toBe("STORE_UNUSABLE");
        expect(loading.message).toContain("the entry !broken:example.org in room cannot be read");
        expect((await thrownBy(() => collect(journal.rooms.all()))).message).toBe(loading.message);
        expect(await journal.rooms.load("!whole:example.org" as RoomId)).toEqual(record("whole"));
      });

      test("is probed by a write that is read back, also by several at once", async () => {
        await using journal = await open(await store.fresh());
        await expect(Promise.all([journal.probe(), journal.probe(), journal.probe()])).resolves.toBeDefined();
        await expect(journal.probe()).resolves.toBeUndefined();
      });

      test("ends what runs when it is closed, and rejects with STORE_UNUSABLE after", async () => {
        const journal = await open(await store.fresh());
        const writing = Array.from({ length: 40 }, () => journal.inbox.append("in time"));
        await journal[Symbol.asyncDispose]();
        await journal[Symbol.asyncDispose]();
        await expect(Promise.all(writing)).resolves.toHaveLength(40);
        expect((await thrownBy(() => journal.probe())).code).toBe("STORE_UNUSABLE");
        expect((await thrownBy(() => journal.inbox.append("late"))).code).toBe("STORE_UNUSABLE");
      });

      test("refuses a second bridge while the first lives, and lets it in when the first was killed", async () => {
        const url = await store.fresh();
        await using first = startOther("hold", url, leaseMs);
        await first.untilSaid(1);
        expect(first.said).toEqual(["held"]);

        const refused = await thrownBy(() => open(url));
        expect(refused.code).toBe("STORE_LOCKED");
        expect(refused.message).toContain(`process ${first.pid} on `);

        await first.kill();
        await using second = await patiently("STORE_LOCKED", () => open(url));
        await second.probe();
      });

      test("refuses a second journal in the same process", async () => {
        const url = await store.fresh();
        await using journal = await open(url);
        expect((await thrownBy(() => open(url))).code).toBe("STORE_LOCKED");
        // The failed attempt must not have loosened the lock of the first.
        expect((await thrownBy(() => open(url))).code).toBe("STORE_LOCKED");
        await journal.probe();
      });

      test("has every acknowledged transaction after kill -9", async () => {
        const url = await store.fresh();
        await using writer = startOther("append", url, leaseMs);
        await writer.untilSaid(200);
        await writer.kill();
        const acknowledged = writer.said.filter((line) => line !== "held").map(Number);
        expect(acknowledged.length).toBeGreaterThanOrEqual(199);

        await using journal = await patiently("STORE_LOCKED", () => open(url));
        const left = new Map((await collect(journal.inbox.pending())).map(({ seq, body }) => [seq, body]));
        const body = JSON.stringify({ events: "x".repeat(20_000) });
        expect(acknowledged.filter((seq) => left.get(seq) !== body)).toEqual([]);
      });

      test.runIf(name !== "SQLite")("stops every write once its lock is lost, and says so once", async () => {
        const url = await store.fresh();
        const told: CrewError[] = [];
        const { promise: lost, resolve } = Promise.withResolvers<void>();
        await using journal = await open(url, {
          onLockLost: (error) => {
            told.push(error);
            resolve();
          },
        });
        await journal.rooms.save(room, record("before"));
        await store.breakLock?.(url);
        await lost;
        expect((await thrownBy(() => journal.rooms.save(room, record("after")))).code).toBe("STORE_LOCKED");
        expect((await thrownBy(() => journal.inbox.append("after"))).code).toBe("STORE_LOCKED");
        expect((await thrownBy(() => journal.probe())).code).toBe("STORE_LOCKED");
        expect(await patiently("STORE_UNUSABLE", () => journal.rooms.load(room))).toEqual(record("before"));
        expect(told.map(({ code }) => code)).toEqual(["STORE_LOCKED"]);
      });
    },
  );
}

/** Asks again while the answer is `code`: a server notices that a client was killed, or is noticed, a moment later. */
async function patiently<T>(code: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      if (!(thrown instanceof CrewError) || thrown.code !== code) throw thrown;
    }
  }
}
