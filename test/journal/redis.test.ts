import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openJournal } from "../../src/journal/open.ts";
import { redisMissing, startRedis, type TestRedis } from "../support/redis.ts";

const why = redisMissing === undefined ? "" : ` (not here: ${redisMissing})`;

describe.skipIf(redisMissing !== undefined)(`the lease on Redis${why}`, () => {
  const leaseMs = 2_000;
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("outlives a broken connection: the lock stays, a write may fail as STORE_UNUSABLE, then they go on", async () => {
    const url = await server.database();
    const lost: string[] = [];
    await using journal = await openJournal(url, { leaseMs, onLockLost: (error) => lost.push(error.message) });
    const failures: unknown[] = [];
    const writing = journal.inbox.append("before").catch((thrown: unknown) => failures.push(thrown));
    const killed = await server.command(url, "client", "kill", "type", "normal");
    expect(killed.trim()).toBe("1");
    await writing;
    for (let written = false; !written;) {
      try {
        await journal.probe();
        written = true;
      } catch (thrown) {
        failures.push(thrown);
        await new Promise(setImmediate);
      }
    }
    for (const failure of failures) expect(failure).toMatchObject({ code: "STORE_UNUSABLE" });
    expect(lost).toEqual([]);
    await expect(openJournal(url, { leaseMs })).rejects.toMatchObject({ code: "STORE_LOCKED" });
  });

  test("is over for a process that stood still too long, before it writes again", async () => {
    const url = await server.database();
    const lost: string[] = [];
    const standing = await openJournal(url, { leaseMs: 300, onLockLost: (error) => lost.push(error.code) });
    // Stops this thread as a suspended machine would.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    await expect(standing.inbox.append("late")).rejects.toMatchObject({ code: "STORE_LOCKED" });
    expect(lost).toEqual(["STORE_LOCKED"]);

    await using next = await openJournal(url, { leaseMs: 300 });
    // Closing the loser must not free the lock of its successor.
    await standing[Symbol.asyncDispose]();
    await expect(openJournal(url, { leaseMs: 300 })).rejects.toMatchObject({ code: "STORE_LOCKED" });
    expect(await Array.fromAsync(next.inbox.pending())).toEqual([]);
  });

  test("stops waiting for a killed holder when it is told to", async () => {
    const url = await server.database();
    await server.command(url, "set", "crewroom:lock", "process 1 on gone 0", "px", "60000");
    const stop = new AbortController();
    const opening = openJournal(url, { signal: stop.signal });
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  });
});
