import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
import { Keyv } from "keyv";
import * as vitest from "vitest";
import { GroupCommit } from "../../src/journal/group-commit.ts";
import { openJournal } from "../../src/journal/open.ts";
import { SqliteFile, SqliteStore } from "../../src/journal/sqlite.ts";

const { afterAll, describe, expect, test } = vitest;
const folder = mkdtempSync(join(tmpdir(), "crewroom-sqlite-"));
let count = 0;
const fresh = (): string => join(folder, `${++count}.db`);
afterAll(() => rmSync(folder, { recursive: true }));

describe("the SQLite adapter passes keyv's own test suite", () => {
  const file = new SqliteFile(fresh());
  afterAll(() => file[Symbol.dispose]());
  const store = (): SqliteStore => new SqliteStore(file);
  keyvTestSuite(vitest, Keyv, store);
  keyvIteratorTests(vitest, Keyv, store);
});

describe("the SQLite adapter", () => {
  test("lets a read see a write asked for before it, though keyv delays the write", async () => {
    using file = new SqliteFile(fresh());
    const keyv = new Keyv<string>({ store: new SqliteStore(file) });
    const writing = keyv.set("key", "new");
    expect(await keyv.get("key")).toBe("new");
    await writing;
  });

  test("forgets an entry when its time is over, on reading and for good on reopening", async () => {
    const path = fresh();
    let now = 1_000;
    using file = new SqliteFile(path, () => now);
    const store = new SqliteStore(file);
    await store.set("short", "a", 50);
    await store.set("long", "b");
    now = 1_049;
    expect(await store.getMany(["short", "long"])).toEqual(["a", "b"]);
    now = 1_050;
    expect(await store.getMany(["short", "long"])).toEqual([undefined, "b"]);
    expect(await store.has("short")).toBe(false);
    file[Symbol.dispose]();

    using again = new SqliteFile(path, () => 0);
    expect(await new SqliteStore(again).has("short")).toBe(true);
    again[Symbol.dispose]();
    using later = new SqliteFile(path, () => now);
    later[Symbol.dispose]();
    using purged = new SqliteFile(path, () => 0);
    expect(await new SqliteStore(purged).has("short")).toBe(false);
  });

  test("iterates past one page, within its namespace", async () => {
    using file = new SqliteFile(fresh());
    const store = new SqliteStore(file);
    const keys = Array.from({ length: 200 }, (_, index) => `a:${String(index).padStart(3, "0")}`);
    await store.setMany([...keys, "ab:1", "a;", "b:1"].map((key) => ({ key, value: "v" })));
    const seen: unknown[] = [];
    for await (const [key] of store.iterator("a")) seen.push(key);
    expect(seen).toEqual(keys);
  });

  test("refuses a file of a newer Crewroom and one that is no database", async () => {
    const newer = fresh();
    const db = new DatabaseSync(newer);
    db.exec("PRAGMA user_version = 99");
    db.close();
    await expect(openJournal(`sqlite:${newer}`)).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining("newer Crewroom") as unknown,
    });
    const text = fresh();
    writeFileSync(
      text,
      "This is a letter, long enough to be taken for a database's header, which it is not. ".repeat(9),
    );
    await expect(openJournal(`sqlite:${text}`)).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
    await expect(openJournal(`sqlite:${folder}/missing/x.db`)).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  });

  test("makes its files readable by the owner alone, and knows a link as the same store", async () => {
    const path = fresh();
    await using journal = await openJournal(`sqlite:${path}`);
    await journal.inbox.append("private");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
    const link = fresh();
    symlinkSync(path, link);
    await expect(openJournal(`sqlite:${link}`)).rejects.toMatchObject({ code: "STORE_LOCKED" });
  });
});

describe("group commit", () => {
  function opened(path: string): { db: DatabaseSync; commits: GroupCommit; insert: (text: string) => Promise<void> } {
    const db = new DatabaseSync(path);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (text TEXT)");
    const commits = new GroupCommit(db, "sqlite:test");
    const statement = db.prepare("INSERT INTO t VALUES (?)");
    return { db, commits, insert: (text) => commits.write(() => void statement.run(text)) };
  }

  test("resolves only after the commit, and puts what one turn asks for into one", async () => {
    const path = fresh();
    const { commits, insert } = opened(path);
    const reader = new DatabaseSync(path, { readOnly: true });
    const rows = (): number => Number(reader.prepare("SELECT count(*) AS n FROM t").get()?.["n"]);

    const seenWhenResolved: number[] = [];
    const writing = Array.from({ length: 8 }, (_, index) =>
      insert(String(index)).then(() => seenWhenResolved.push(rows())),
    );
    await Promise.resolve();
    expect(rows()).toBe(0);
    await Promise.all(writing);
    expect(seenWhenResolved).toEqual(Array.from({ length: 8 }, () => 8));
    reader.close();
    commits.close();
  });

  test("rejects all of a failed turn, writes none of it, and goes on", async () => {
    const { db, commits, insert } = opened(fresh());
    const failing = commits.write(() => db.exec("INSERT INTO nowhere VALUES (1)"));
    const results = await Promise.allSettled([insert("with it"), failing]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await insert("after it");
    expect(await commits.read(() => db.prepare("SELECT text FROM t").all())).toEqual([{ text: "after it" }]);
    commits.close();
  });

  test("tells a full disk as STORE_UNUSABLE, keeps earlier data, and writes again when there is room", async () => {
    const { db, commits, insert } = opened(fresh());
    await insert("earlier");
    const pages = Number(db.prepare("PRAGMA page_count").get()?.["page_count"]);
    db.exec(`PRAGMA max_page_count = ${pages + 4}`);
    const large = "x".repeat(100_000);
    await expect(insert(large)).rejects.toMatchObject({
      code: "STORE_UNUSABLE",
      message: "The store sqlite:test cannot be used: database or disk is full.",
    });
    await insert("small");
    db.exec("PRAGMA max_page_count = 1000000");
    await insert(large);
    const texts = await commits.read(() =>
      db
        .prepare("SELECT text FROM t")
        .all()
        .map((row) => row["text"]),
    );
    expect(texts).toEqual(["earlier", "small", large]);
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    commits.close();
  });

  test("commits what is waiting when it is closed", async () => {
    const path = fresh();
    const { commits, insert } = opened(path);
    const writing = insert("last");
    commits.close();
    await writing;
    const reader = new DatabaseSync(path, { readOnly: true });
    expect(reader.prepare("SELECT text FROM t").all()).toEqual([{ text: "last" }]);
    reader.close();
    await expect(insert("late")).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
  });
});
