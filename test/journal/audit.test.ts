import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditKinds, type AuditEntry } from "../../src/core/audit.ts";
import { asAgentId, asRoomId, asUserId, type RoomId } from "../../src/core/ids.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import { emptyRoom } from "../../src/core/room.ts";
import type { AuditFilter, AuditReader, ChainedEntry, Journal } from "../../src/journal/journal.ts";
import { openAuditReader, openJournal, type JournalOptions } from "../../src/journal/open.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { findProgram } from "../support/server.ts";
import { startOther } from "./process.ts";
import { storeKinds, type TestStore } from "./stores.ts";

const leaseMs = 600;
const docs = new URL("../../docs/audit.md", import.meta.url);

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("not given");
  return value;
}

const kitchen = given(asRoomId("!kitchen:example.org"));
const cellar = given(asRoomId("!cellar:example.org:8448"));
const ada = given(asAgentId("ada"));
const bo = given(asAgentId("bo"));
const anna = given(asUserId("@anna:example.org"));

function entry(seq: number, extra: Partial<AuditEntry> = {}): AuditEntry {
  return { room: kitchen, seq, ts: seq * 1_000, kind: "tool", what: "run_command", by: ada, task: 7, ...extra };
}

function entries(count: number, from = 1, extra: Partial<AuditEntry> = {}): AuditEntry[] {
  return Array.from({ length: count }, (_, index) => entry(from + index, extra));
}

function holding(room: RoomId, next: number, pending: readonly AuditEntry[]): RoomRecord {
  return { v: 1, state: emptyRoom(room), outbox: [], handled: [], audit: { next, entries: pending } };
}

async function read(log: AuditReader, filter?: AuditFilter): Promise<ChainedEntry[]> {
  const all: ChainedEntry[] = [];
  for await (const one of log.read(filter)) all.push(one);
  return all;
}

async function seqs(log: AuditReader, filter?: AuditFilter): Promise<number[]> {
  return (await read(log, filter)).map((one) => one.entry.seq);
}

const zeros = "0".repeat(64);

for (const kind of storeKinds) {
  const { name, missing } = kind;
  describe.skipIf(missing !== undefined)(
    `the audit log on ${name}${missing === undefined ? "" : ` (not here: ${missing})`}`,
    { timeout: 30_000 },
    () => {
      let store: TestStore;
      beforeAll(async () => {
        store = await kind.start();
      }, 60_000);
      afterAll(() => store[Symbol.asyncDispose]());

      const open = (url: string, options: JournalOptions = {}): Promise<Journal> =>
        openJournal(url, { leaseMs, ...options });

      test("is empty and whole before anything happens", async () => {
        await using journal = await open(await store.fresh());
        expect(await read(journal.audit)).toEqual([]);
        expect(await journal.audit.verify()).toEqual({ ok: true, entries: 0, head: zeros });
      });

      test("chains what it is given, in the order of the calls, over all rooms and restarts", async () => {
        const url = await store.fresh();
        let now = 5_000;
        const options = { now: () => now };
        {
          await using journal = await open(url, options);
          await Promise.all([
            journal.audit.append(entries(2)),
            journal.audit.append(entries(1, 1, { room: cellar })),
            journal.audit.append(entries(1, 3)),
          ]);
        }
        now = 9_000;
        await using journal = await open(url, options);
        await journal.audit.append([entry(4, { detail: "ls 'ä' \"\\ \u0000 🥗", by: anna })]);
        const all = await read(journal.audit);
        expect(all.map(({ n, at, entry: { room, seq } }) => [n, at, room, seq])).toEqual([
          [1, 5_000, kitchen, 1],
          [2, 5_000, kitchen, 2],
          [3, 5_000, cellar, 1],
          [4, 5_000, kitchen, 3],
          [5, 9_000, kitchen, 4],
        ]);
        expect(all.map(({ prev }) => prev)).toEqual([zeros, ...all.slice(0, -1).map(({ hash }) => hash)]);
        expect(all[4]?.entry).toEqual(entry(4, { detail: "ls 'ä' \"\\ \u0000 🥗", by: anna }));
        expect(await journal.audit.verify()).toEqual({ ok: true, entries: 5, head: all[4]?.hash });
      });

      test("leaves out what is handed over again: at once, later, and after a restart", async () => {
        const url = await store.fresh();
        {
          await using journal = await open(url);
          await Promise.all([journal.audit.append(entries(2)), journal.audit.append(entries(3))]);
          await journal.audit.append(entries(3));
        }
        await using journal = await open(url);
        await journal.audit.append(entries(4));
        await journal.audit.append([]);
        expect(await seqs(journal.audit)).toEqual([1, 2, 3, 4]);
      });

      test("knows at opening what it has, also when there is more than one opening reads and several transactions", async () => {
        const url = await store.fresh();
        {
          await using journal = await open(url);
          await journal.audit.append(entries(700));
          await journal.audit.append(entries(30, 1, { room: cellar }));
        }
        const said: number[] = [];
        await using journal = await open(url, { onAudited: (added) => said.push(...added.map(({ n }) => n)) });
        await journal.audit.append([...entries(701), ...entries(31, 1, { room: cellar })]);
        expect(said).toEqual([731, 732]);
        expect(await seqs(journal.audit, { room: kitchen })).toEqual(entries(701).map(({ seq }) => seq));
        expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: 732 });
      });

      test("needs no index: without it, or with one that cannot be read, it is found from the entries", async () => {
        const url = await store.fresh();
        {
          await using journal = await open(url);
          await journal.audit.append(entries(300));
        }
        await store.replace(url, "audit", "index", "[");
        {
          await using journal = await open(url);
          await journal.audit.append(entries(301));
          expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: 301 });
        }
        await store.erase(url, "audit", "index");
        await using journal = await open(url);
        await journal.audit.append(entries(302));
        expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: 302 });
      });

      test("reads by task, room, agent, kind and time, oldest or newest first, and as many as asked for", async () => {
        await using journal = await open(await store.fresh());
        await journal.audit.append([
          ...entries(300),
          entry(1, { room: cellar, task: 8, kind: "moderation", what: "kick", by: anna, agent: bo, ts: 1 }),
          entry(2, { room: cellar, task: 8, kind: "command", what: "stop", by: anna, agent: ada, ts: 2 }),
          entry(3, { room: cellar, task: 8, kind: "action", what: "submit", by: bo, ts: 3 }),
        ]);
        const { audit } = journal;
        expect(await seqs(audit, { task: 8 })).toEqual([1, 2, 3]);
        expect(await seqs(audit, { room: cellar, agent: bo })).toEqual([1, 3]);
        expect(await seqs(audit, { agent: ada, task: 8 })).toEqual([2]);
        expect(await seqs(audit, { kind: "moderation" })).toEqual([1]);
        expect(await seqs(audit, { since: 298_000 })).toEqual([298, 299, 300]);
        expect(await seqs(audit, { until: 2 })).toEqual([1, 2]);
        expect(await seqs(audit, { limit: 2 })).toEqual([1, 2]);
        expect(await seqs(audit, { limit: 0 })).toEqual([]);
        expect(await seqs(audit, { newestFirst: true, limit: 5 })).toEqual([3, 2, 1, 300, 299]);
        expect(await seqs(audit, { newestFirst: true, room: kitchen })).toEqual(
          entries(300)
            .map(({ seq }) => seq)
            .toReversed(),
        );
      });

      test("finds the entries of a room wherever they are, and none of one that has none", async () => {
        const url = await store.fresh();
        await using journal = await open(url);
        const attic = given(asRoomId("!attic:example.org"));
        await journal.audit.append(entries(700));
        await journal.audit.append(entries(3, 1, { room: cellar }));
        await journal.audit.append(entries(300, 701));
        const newest = { newestFirst: true, limit: 20 };
        expect(await seqs(journal.audit, { ...newest, room: cellar })).toEqual([3, 2, 1]);
        expect(await seqs(journal.audit, { ...newest, room: cellar, kind: "budget" })).toEqual([]);
        expect(await seqs(journal.audit, { ...newest, room: attic })).toEqual([]);
        await journal.audit.append(entries(2, 1, { room: attic }));
        expect(await seqs(journal.audit, { ...newest, room: attic })).toEqual([2, 1]);
        expect(await seqs(journal.audit, { ...newest, room: kitchen, limit: 302 })).toHaveLength(302);
      });

      test("reads back to the beginning of a time, and no further", async () => {
        const hour = 3_600_000;
        let now = 0;
        await using journal = await open(await store.fresh(), { now: () => now });
        for (const [index, at] of [1, 2, 9, 10].entries()) {
          now = at * hour;
          await journal.audit.append([entry(index + 1, { ts: index === 0 ? 9 * hour : now })]);
        }
        // The first says that it is as new as the third; nobody reads as far back as where it stands.
        expect(await seqs(journal.audit, { newestFirst: true, since: 9 * hour })).toEqual([4, 3]);
        expect(await seqs(journal.audit, { since: 9 * hour })).toEqual([1, 3, 4]);
      });

      test("is read and verified beside a bridge that runs and goes on, without its lock", async () => {
        const url = await store.fresh();
        await using journal = await open(url);
        await journal.audit.append(entries(3));
        await using reader = await openAuditReader(url);
        expect(await seqs(reader)).toEqual([1, 2, 3]);
        await journal.audit.append(entries(4));
        expect(await seqs(reader, { newestFirst: true, limit: 1 })).toEqual([4]);
        expect(await reader.verify()).toEqual(await journal.audit.verify());
      });

      test("misses nothing that the bridge adds while a page is read", async () => {
        const url = await store.fresh();
        await using journal = await open(url);
        await journal.audit.append(entries(100));
        await using reader = await openAuditReader(url);
        const seen: number[] = [];
        for await (const { entry: one } of reader.read()) {
          // The first page is read by now, and its end was empty.
          if (one.seq === 1) await journal.audit.append(entries(100, 101));
          seen.push(one.seq);
        }
        expect(seen).toEqual(entries(200).map(({ seq }) => seq));
      });

      test("is never called broken for what comes while it is verified", async () => {
        const url = await store.fresh();
        await using journal = await open(url);
        await using reader = await openAuditReader(url);
        const writing = (async () => {
          for (let last = 0; last < 2_000; last += 20) await journal.audit.append(entries(20, last + 1));
          return "written" as const;
        })();
        for (let first: unknown; first !== "written";) {
          const verdict = reader.verify();
          first = await Promise.race([writing, verdict]);
          expect(await verdict).toMatchObject({ ok: true });
        }
        expect(await reader.verify()).toMatchObject({ ok: true, entries: 2_000 });
      });

      describe("verified", () => {
        async function broken(
          change: (url: string, log: readonly ChainedEntry[]) => Promise<void>,
          count = 300,
        ): Promise<unknown> {
          const url = await store.fresh();
          {
            await using journal = await open(url);
            await journal.rooms.save(kitchen, holding(kitchen, count + 1, []));
            await journal.audit.append(entries(count));
            expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: count });
            await change(url, await read(journal.audit));
          }
          await using reader = await openAuditReader(url);
          return await reader.verify();
        }
        const key = (n: number): string => String(n).padStart(16, "0");
        const rewritten = (log: readonly ChainedEntry[], n: number, change: Partial<ChainedEntry>): string =>
          JSON.stringify({ ...given(log[n - 1]), ...change });

        test.each([
          ["what happened", { entry: entry(200, { what: "read_file" }) }, "its hash is not that of its content"],
          ["the time", { at: 1 }, "its hash is not that of its content"],
          ["the number", { n: 199 }, "it says that it is entry 199"],
          ["something besides", { more: 1 } as Partial<ChainedEntry>, "it has more besides"],
        ])("names the entry of which %s was changed", async (_what, change, why) => {
          const verdict = broken((url, log) => store.replace(url, "audit", key(200), rewritten(log, 200, change)));
          expect(await verdict).toEqual({ ok: false, at: 200, why });
        });

        test("names where two were exchanged, one was put in, and where all of it was replaced", async () => {
          const swapped = broken(async (url, log) => {
            await store.replace(url, "audit", key(40), rewritten(log, 41, {}));
            await store.replace(url, "audit", key(41), rewritten(log, 40, {}));
          });
          expect(await swapped).toEqual({ ok: false, at: 40, why: "it says that it is entry 41" });
          // A chain of its own that is sound, of another length: what the rooms say does not fit it.
          const whole = (count: number) => async (url: string) => {
            const other = await store.fresh();
            await using journal = await open(other);
            await journal.audit.append(entries(count, 1, { what: "list_files" }));
            for (const link of await read(journal.audit))
              await store.replace(url, "audit", key(link.n), JSON.stringify(link));
          };
          expect(await broken(whole(300))).toEqual({
            ok: false,
            at: 256,
            why: "it had another hash when it was written",
          });
          expect(await broken(whole(50))).toEqual({ ok: false, at: 51, why: "it does not follow the entry before it" });
          const putIn = broken(async (url, log) => {
            for (let n = 300; n > 40; n--) {
              const text = rewritten(log, n - 1, { n });
              if (n === 300) await store.plant(url, "audit", key(301), rewritten(log, 300, { n: 301 }));
              await store.replace(url, "audit", key(n), text);
            }
          });
          expect(await putIn).toEqual({ ok: false, at: 41, why: "its hash is not that of its content" });
        });

        test("names one that cannot be read, and one that was removed", async () => {
          expect(await broken((url) => store.replace(url, "audit", key(17), "{"))).toEqual({
            ok: false,
            at: 17,
            why: "it is not JSON",
          });
          expect(await broken((url) => store.erase(url, "audit", key(128)))).toEqual({
            ok: false,
            at: 128,
            why: "it is missing",
          });
        });

        test("names where the end was cut off: from the index, and from what rooms have handed over", async () => {
          const cut = (from: number) => async (url: string, log: readonly ChainedEntry[]) => {
            for (const { n } of log.slice(from - 1)) await store.erase(url, "audit", key(n));
          };
          expect(await broken(cut(256), 260)).toEqual({ ok: false, at: 256, why: "it is missing" });
          expect(await broken(cut(3), 4)).toEqual({
            ok: false,
            at: 3,
            why: `it is missing: ${kitchen} has handed over its entries up to 4, and the log ends with 2`,
          });
        });

        test("does not miss what a room still holds", async () => {
          await using journal = await open(await store.fresh());
          await journal.audit.append(entries(2));
          await journal.rooms.save(kitchen, holding(kitchen, 4, [entry(3)]));
          expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: 2 });
        });

        test("sees when the chain was made anew without an entry: the room's numbers no longer follow", async () => {
          await using journal = await open(await store.fresh());
          await journal.audit.append([entry(1), entry(3)]);
          expect(await journal.audit.verify()).toEqual({
            ok: false,
            at: 2,
            why: `it is number 3 of ${kitchen}, and follows number 1`,
          });
        });
      });

      test("goes on behind a damaged end, and puts nothing where something is missing", async () => {
        const url = await store.fresh();
        {
          await using journal = await open(url);
          await journal.audit.append(entries(5));
        }
        await store.erase(url, "audit", "0000000000000003");
        await store.replace(url, "audit", "0000000000000005", "damaged");
        await using journal = await open(url);
        await journal.audit.append(entries(2, 1, { room: cellar }));
        expect((await read(journal.audit, { newestFirst: true, limit: 2 })).map(({ n }) => n)).toEqual([7, 6]);
        expect((await read(journal.audit)).map(({ n }) => n)).toEqual([1, 2, 4, 6, 7]);
        expect(await journal.audit.verify()).toEqual({ ok: false, at: 3, why: "it is missing" });
      });

      test("writes over no entry that stands behind a gap, however wide", async () => {
        const url = await store.fresh();
        {
          await using journal = await open(url);
          await journal.audit.append(entries(450));
        }
        for (let n = 257; n <= 400; n++) await store.erase(url, "audit", String(n).padStart(16, "0"));
        await using journal = await open(url);
        await journal.audit.append(entries(300, 1, { room: cellar }));
        const kept = await read(journal.audit);
        const ofKitchen = kept.filter((one) => one.entry.room === kitchen).map((one) => one.entry.seq);
        expect(ofKitchen).toEqual(entries(450).flatMap(({ seq }) => (seq > 256 && seq <= 400 ? [] : [seq])));
        expect(kept.filter((one) => one.entry.room === cellar)).toHaveLength(300);
        expect(await journal.audit.verify()).toMatchObject({ ok: false });
        await journal.audit.append(entries(1, 301, { room: cellar }));
        expect((await read(journal.audit, { newestFirst: true, limit: 1 }))[0]?.entry.seq).toBe(301);
      });

      test("has every acknowledged entry once after kill -9, and nothing between them is missing", async () => {
        const url = await store.fresh();
        await using writer = startOther("audit", url, leaseMs);
        await writer.untilSaid(200);
        await writer.kill();
        const acknowledged = writer.said.filter((line) => line !== "held");
        await using journal = await patiently(() => open(url));
        const kept = new Set((await read(journal.audit)).map((one) => `${one.entry.room} ${one.entry.seq}`));
        expect(acknowledged.filter((line) => !kept.has(line))).toEqual([]);
        expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: kept.size });
        const before = kept.size;
        await journal.audit.append(entries(1, 1, { room: kitchen }));
        expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: before + 1 });
      });
    },
  );
}

describe("the audit log on SQLite's group commit", () => {
  test("shares its transaction with all that is written in the same turn", async () => {
    await using store = await given(storeKinds[0]).start();
    const url = await store.fresh();
    await using journal = await openJournal(url);
    const reader = new DatabaseSync(url.slice("sqlite:".length), { readOnly: true });
    const rows = (): number => Number(reader.prepare("SELECT count(*) AS n FROM entry").get()?.["n"]);
    const seenWhenResolved: number[] = [];
    const writes = [
      journal.audit.append(entries(2)),
      journal.rooms.save(cellar, holding(cellar, 1, [])),
      journal.audit.append(entries(1, 1, { room: cellar })),
      journal.inbox.append("a transaction"),
    ];
    await Promise.all(writes.map((write) => write.then(() => seenWhenResolved.push(rows()))));
    expect(seenWhenResolved).toEqual([5, 5, 5, 5]);
    reader.close();
  });
});

describe("the audit log on a store that cannot be written", () => {
  test("keeps the order and the places that entries have, and writes them when it can be", async () => {
    await using store = await given(storeKinds[0]).start();
    const url = await store.fresh();
    const written: number[] = [];
    await using journal = await openJournal(url, {
      now: () => 1,
      onAudited: (added) => written.push(...added.map(({ n }) => n)),
    });
    await journal.audit.append(entries(1));
    // Another program that writes makes every commit fail.
    const other = new DatabaseSync(url.slice("sqlite:".length));
    other.exec("BEGIN IMMEDIATE");
    const failed = await Promise.allSettled([journal.audit.append(entries(3)), journal.audit.append(entries(3))]);
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    other.exec("ROLLBACK");
    other.close();
    expect(written).toEqual([1]);
    await Promise.all([
      journal.audit.append(entries(1, 1, { room: cellar })),
      journal.audit.append(entries(3)),
      journal.audit.append(entries(4)),
    ]);
    expect(written).toEqual([1, 2, 3, 4, 5]);
    expect((await read(journal.audit)).map((one) => [one.entry.room, one.entry.seq])).toEqual([
      [kitchen, 1],
      [kitchen, 2],
      [kitchen, 3],
      [cellar, 1],
      [kitchen, 4],
    ]);
    expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: 5 });
  });
});

describe("reading beside the bridge", () => {
  test("makes no store where there is none", async () => {
    await using store = await given(storeKinds[0]).start();
    await expect(openAuditReader(await store.fresh())).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  });

  test.skipIf(findProgram("python3") === undefined)(
    "the program in the docs checks the chain from what is read",
    async () => {
      await using journal = await openJournal("sqlite::memory:");
      await journal.audit.append(
        auditKinds.map((kind, index) => entry(index + 1, { kind, detail: "é 🥗 \u0001\u007f\u2028 \"'\\/\n" })),
      );
      const lines = (await read(journal.audit)).map((one) => JSON.stringify(one));
      const program = /```python\n(.*?)```/s.exec(await readFile(docs, "utf8"))?.[1];
      const check = (input: readonly string[]): { status: number | null; said: string } => {
        const { status, stdout, stderr } = spawnSync("python3", ["-c", given(program)], { input: input.join("\n") });
        return { status, said: `${stdout.toString()}${stderr.toString()}`.trim() };
      };
      const verdict = await journal.audit.verify();
      expect(verdict).toMatchObject({ ok: true, entries: auditKinds.length });
      expect(check(lines)).toEqual({ status: 0, said: "head" in verdict ? verdict.head : undefined });
      expect(check(lines.toSpliced(3, 1))).toEqual({ status: 1, said: "it breaks at entry 4" });
      expect(check(lines.with(1, given(lines[1]).replace("ada", "bo")))).toEqual({
        status: 1,
        said: "it breaks at entry 2",
      });
    },
  );

  test.skipIf(postgresMissing !== undefined)("needs no more of PostgreSQL than SELECT, and takes no lock", async () => {
    await using server = await startPostgres();
    const url = await server.database();
    await using journal = await openJournal(url);
    await journal.audit.append(entries(3));
    await server.sql(url, "CREATE ROLE peek LOGIN; GRANT SELECT ON crewroom TO peek");
    await using reader = await openAuditReader(url.replace("crewroom@", "peek@"));
    expect(await reader.verify()).toMatchObject({ ok: true, entries: 3 });
    expect((await server.sql(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).trim()).toBe("1");
  });

  test.skipIf(redisMissing !== undefined)("needs no more of Redis than to read", async () => {
    await using server = await startRedis();
    const url = await server.database();
    await using journal = await openJournal(url);
    await journal.audit.append(entries(3));
    await server.command(url, "acl", "setuser", "peek", "on", ">secret", "~crewroom:*", "+@read", "+@connection");
    await using reader = await openAuditReader(url.replace("redis://", "redis://peek:secret@"));
    expect(await reader.verify()).toMatchObject({ ok: true, entries: 3 });
  });
});

describe("docs/audit.md", () => {
  test("has a row for every kind of entry, and for nothing else", async () => {
    const kinds = (await readFile(docs, "utf8")).split("| kind ")[1]?.split("\n\n")[0] ?? "";
    expect([...kinds.matchAll(/^\| `(\w+)`/gm)].map(([, kind]) => kind)).toEqual(auditKinds);
  });
});

/** A server notices a moment later that a client was killed. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "STORE_LOCKED")) throw thrown;
    }
  }
}
