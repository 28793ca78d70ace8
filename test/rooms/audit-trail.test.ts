/** Audit entries on their way from decisions into the log, with ends of the bridge at every point of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuditEntry } from "../../src/core/audit.ts";
import { CrewError } from "../../src/core/errors.ts";
import type { Message } from "../../src/core/input.ts";
import type { AuditLog, Journal } from "../../src/journal/journal.ts";
import { openJournal } from "../../src/journal/open.ts";
import { createLogger } from "../../src/observe/log.ts";
import { appendAudit } from "../../src/rooms/audit-trail.ts";
import type { LanePorts } from "../../src/rooms/lane.ts";
import { recoverRooms } from "../../src/rooms/recovery.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { ada, anna, room, Scene, user, world } from "../core/scene.ts";

const log = createLogger({ level: "silent", format: "json" });
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "crewroom-trail-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let stores = 0;
const freshStore = (): string => `sqlite:${join(folder, `${++stores}.db`)}`;

let people = 0;
/** Somebody new who may not talk with agents says something: one entry. */
function refused(scene: Scene): Message {
  const sender = `${user(`guest${++people}`).split(":", 1)[0]}:elsewhere.org` as Message["sender"];
  return scene.message("hello", { sender, mentions: [ada.user] });
}

interface Run extends AsyncDisposable {
  readonly journal: Journal;
  readonly rooms: Rooms;
  /** What the record on disk still holds. */
  held(): Promise<readonly number[]>;
  logged(): Promise<readonly number[]>;
  recover(): Promise<void>;
}

/** A run of the bridge, as far as a room's decisions and the log go. */
async function open(url: string, audit?: (journal: Journal) => LanePorts["audit"]): Promise<Run> {
  const journal = await openJournal(url);
  const keep = audit?.(journal) ?? ((_room, entries) => journal.audit.append(entries));
  const rooms = new Rooms(world(), {
    load: (id) => journal.rooms.load(id),
    save: (id, record) => journal.rooms.save(id, record),
    audit: keep,
    dispatch: () => undefined,
    note: () => undefined,
    decided: () => undefined,
    now: () => 0,
  });
  return {
    journal,
    rooms,
    held: async () => (await journal.rooms.load(room))?.audit?.entries.map(({ seq }) => seq) ?? [],
    logged: async () => {
      const seqs: number[] = [];
      for await (const { entry } of journal.audit.read({ room })) seqs.push(entry.seq);
      expect(await journal.audit.verify()).toMatchObject({ ok: true, entries: seqs.length });
      return seqs;
    },
    recover: () => recoverRooms(journal.rooms, () => undefined, rooms, { dispatch: () => undefined }, world(), keep),
    [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
  };
}

/** A store with a room where Anna is with Ada. */
async function prepared(): Promise<{ url: string; scene: Scene }> {
  const url = freshStore();
  const scene = new Scene();
  scene.enter([anna]);
  await using journal = await openJournal(url);
  await journal.rooms.save(room, scene.record);
  return { url, scene };
}

/** Lets a port's calls through one by one. */
class Gate {
  readonly calls: { readonly entries: readonly AuditEntry[]; readonly go: () => void; readonly fail: () => void }[] =
    [];
  #wake: (() => void) | undefined;

  pass = async (entries: readonly AuditEntry[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.calls.push({ entries, go: resolve, fail: () => reject(new Error("full")) });
    this.#wake?.();
    await promise;
  };

  async call(number: number): Promise<Gate["calls"][number]> {
    for (;;) {
      const call = this.calls[number];
      if (call !== undefined) return call;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

const seqsOf = (entries: readonly AuditEntry[]): readonly number[] => entries.map(({ seq }) => seq);

describe("what a room writes down", () => {
  test("gets into the log, and leaves the record with the room's next write, without one of its own", async () => {
    const { url, scene } = await prepared();
    await using run = await open(url);
    await run.rooms.put(room, refused(scene));
    expect(await run.held()).toEqual([1]);
    expect(await run.logged()).toEqual([1]);
    await run.rooms.put(room, refused(scene));
    expect(await run.held()).toEqual([2]);
    expect(await run.logged()).toEqual([1, 2]);
  });

  test("is handed over only after the write of its record", async () => {
    const { url, scene } = await prepared();
    const seen: unknown[] = [];
    await using run = await open(url, (journal) => async (id, entries) => {
      seen.push(
        (await journal.rooms.load(id))?.audit?.entries.map(({ seq }) => seq),
        seqsOf(entries),
      );
    });
    await run.rooms.put(room, refused(scene));
    expect(await run.held()).toEqual([1]);
    expect(seen).toEqual([[1], [1]]);
  });

  test("never lets the room wait for the log, and goes in one lot once the log answers", async () => {
    const { url, scene } = await prepared();
    const gate = new Gate();
    await using run = await open(url, () => (_room, entries) => gate.pass(entries));
    for (let count = 0; count < 4; count++) await run.rooms.put(room, refused(scene));
    expect(await run.held()).toEqual([1, 2, 3, 4]);
    expect(gate.calls.map(({ entries }) => seqsOf(entries))).toEqual([[1]]);
    gate.calls[0]?.go();
    expect(seqsOf((await gate.call(1)).entries)).toEqual([2, 3, 4]);
    await run.rooms.put(room, refused(scene));
    expect(await run.held()).toEqual([2, 3, 4, 5]);
  });

  test("stays in the record while the log fails, and goes again with what the room writes next", async () => {
    const { url, scene } = await prepared();
    const gate = new Gate();
    await using run = await open(url, () => (_room, entries) => gate.pass(entries));
    await run.rooms.put(room, refused(scene));
    (await gate.call(0)).fail();
    await run.rooms.put(room, refused(scene));
    const again = await gate.call(1);
    expect(seqsOf(again.entries)).toEqual([1, 2]);
    expect(await run.held()).toEqual([1, 2]);
  });
});

describe("a bridge that ends", () => {
  test("between the record and the log has the entries in the log after its next start", async () => {
    const { url, scene } = await prepared();
    {
      await using run = await open(url, () => () => new Promise(() => undefined));
      await run.rooms.put(room, refused(scene));
      await run.rooms.put(room, refused(scene));
      expect(await run.logged()).toEqual([]);
    }
    await using run = await open(url);
    await run.recover();
    expect(await run.logged()).toEqual([1, 2]);
    await run.rooms.put(room, refused(scene));
    expect(await run.logged()).toEqual([1, 2, 3]);
  });

  test("between the log and the room's next write has them there once", async () => {
    const { url, scene } = await prepared();
    {
      await using run = await open(url);
      await run.rooms.put(room, refused(scene));
      expect(await run.logged()).toEqual([1]);
      expect(await run.held()).toEqual([1]);
    }
    await using run = await open(url);
    await run.recover();
    expect(await run.logged()).toEqual([1]);
    await run.rooms.put(room, refused(scene));
    expect(await run.logged()).toEqual([1, 2]);
  });

  test("in the middle of several entries has the rest after its next start", async () => {
    const { url, scene } = await prepared();
    {
      await using run = await open(url, (journal) => async (_room, entries) => {
        await journal.audit.append(entries.slice(0, 2));
        throw new Error("the process ends here");
      });
      await Promise.all([refused(scene), refused(scene), refused(scene)].map((input) => run.rooms.put(room, input)));
      expect(await run.logged()).toEqual([1, 2]);
    }
    await using run = await open(url);
    await run.recover();
    expect(await run.logged()).toEqual([1, 2, 3]);
  });
});

describe("a log that cannot be written", () => {
  test("is tried again, told once and counted, until it takes the entries", async () => {
    const attempts: (readonly AuditEntry[])[] = [];
    const told: string[] = [];
    let retries = 0;
    const { promise: taken, resolve } = Promise.withResolvers<void>();
    const failing: Pick<AuditLog, "append"> = {
      append: async (entries) => {
        attempts.push(entries);
        if (attempts.length < 3) throw new CrewError("STORE_UNUSABLE", { store: "sqlite:x", reason: "disk full" });
        resolve();
      },
    };
    const { url, scene } = await prepared();
    await using run = await open(
      url,
      () => (id, entries) =>
        appendAudit(failing, id, entries, {
          onRetry: () => retries++,
          log: { error: (_facts, sentence) => void told.push(sentence) },
          signal: new AbortController().signal,
        }),
    );
    await run.rooms.put(room, refused(scene));
    await taken;
    expect(attempts.map(seqsOf)).toEqual([[1], [1], [1]]);
    expect(retries).toBe(2);
    expect(told).toEqual(["the audit log cannot be written; its entries wait in the room's record"]);
  });

  test("is given up when the store belongs to another bridge, or the bridge ends", async () => {
    const ending = new AbortController();
    let failure: CrewError = new CrewError("STORE_LOCKED", { store: "redis://x", holder: "" });
    const append = (): Promise<void> =>
      appendAudit({ append: () => Promise.reject(failure) }, room, [], {
        onRetry: () => ending.abort(),
        log,
        signal: ending.signal,
      });
    await expect(append()).rejects.toBe(failure);
    failure = new CrewError("STORE_UNUSABLE", { store: "redis://x", reason: "away" });
    await expect(append()).rejects.toMatchObject({ name: "AbortError" });
  });
});
