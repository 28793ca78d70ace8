import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { boss, defined } from "../core/scene.ts";
import { bo, cy, planner, rae, spec } from "../core/tasks/task-scene.ts";
import { nowhere, TaskBench } from "./task-bench.ts";

const small = { crew: [planner, bo, rae] };
const pair = { crew: [planner, bo, cy, rae] };

describe("an agent's files", () => {
  test("are recorded at the end of its turn, as its own, on its subtask's branch", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    expect(await at.write(bo, "src/a.txt", "hello\n")).toContain("Created");
    await at.end(bo);
    expect(await at.names("subtask/one")).toEqual(["src/a.txt"]);
    expect(
      await at.run("log", "-1", "--format=%an <%ae> %(trailers:key=Crewroom-Subtask,valueonly)", "subtask/one"),
    ).toContain(`Bo <${bo.user}> one`);
    expect(at.scene.task.files?.heads["subtask/one"]).toBe(await at.run("rev-parse", "subtask/one"));
  });

  test("are judged as handed in, merged when approved, and there for who goes on", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"), spec("two", { depends_on: ["one"] }));
    await at.write(bo, "a.txt", "1\n");
    expect(await at.submit(bo, "one")).toContain("Handed in");
    expect(await at.use(rae, { kind: "read", path: "a.txt" })).toContain("1");
    expect(await at.write(rae, "a.txt", "mine")).toMatch(/^Not written/);
    await at.review(rae, "one", "approve");
    expect(at.scene.subtask("one").state).toBe("done");
    expect(await at.names("main")).toEqual(["a.txt"]);
    expect(await at.use(bo, { kind: "read", path: "a.txt" })).toContain("1");
    await expect.poll(() => existsSync(at.folder("one.bo"))).toBe(false);
  });

  test("stay with who does the rework, also what is ignored", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "1\n");
    await at.write(bo, "node_modules/x/index.js", "made anew");
    await at.submit(bo, "one");
    expect(await at.names("subtask/one")).toEqual(["a.txt"]);
    await at.review(rae, "one", "reject");
    expect(await at.use(bo, { kind: "read", path: "node_modules/x/index.js" })).toContain("made anew");
  });

  test("are many in a folder from a number on, and where nobody can look into it", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    const { thread, turn } = at.scene.turnOf(bo);
    const isLarge = (given: string): Promise<boolean> =>
      at.files.isLarge(at.room, { agent: bo.id, thread, turn }, given);
    for (let count = 0; count < 20; count++) await at.write(bo, `many/in/${count}.txt`, "x");
    expect(await isLarge("many/")).toBe(false);
    await at.write(bo, "many/more.txt", "x");
    expect(await isLarge("./many/in/../")).toBe(true);
    expect(await isLarge("missing/")).toBe(false);
    await at.write(bo, "odd/a.txt", "x");
    expect(await isLarge("odd/")).toBe(false);
    await mkdir(Buffer.from(`${path.join(at.folder("one.bo"), "odd")}/\xff`, "latin1"));
    expect(await isLarge("odd/")).toBe(true);
  });

  test("are known to rules by the place that a path leads to", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    await at.write(bo, "secrets/key.txt", "1\n");
    const root = at.folder("one.bo");
    await symlink("secrets", path.join(root, "plain"));
    const { thread, turn } = at.scene.turnOf(bo);
    const placeOf = (kind: "read" | "write", given: string): Promise<string> =>
      at.files.placeOf(at.room, { agent: bo.id, thread, turn }, kind, given);
    expect(await placeOf("read", "plain/key.txt")).toBe("secrets/key.txt");
    expect(await placeOf("write", path.join(root, "src/../secrets/new.txt"))).toBe("secrets/new.txt");
    await expect(placeOf("write", "plain/new.txt")).rejects.toThrow("plain is a link");
    await expect(placeOf("read", "../x")).rejects.toThrow("leads out");
  });

  test("that come after its lease are kept apart", async () => {
    const at = await TaskBench.open(pair);
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "1\n");
    const old = at.folder("one.bo");
    at.scene.command("assign one cy");
    await writeFile(path.join(old, "late.txt"), "still working\n");
    await at.write(cy, "b.txt", "2\n");
    await at.end(cy);
    expect(await at.names("subtask/one")).toEqual(["b.txt"]);
    expect(await at.names("late/one/bo/1")).toEqual(["a.txt", "late.txt"]);
    expect(existsSync(old)).toBe(false);
  });

  test("are refused with their name when they are too large, and the subtask is not handed in", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "1\n");
    await writeFile(path.join(at.folder("one.bo"), "film.bin"), Buffer.alloc(1_500_000));
    const reply = await at.submit(bo, "one");
    expect(reply).toMatch(/^Not done: .*film\.bin.*1\.5 MB/);
    expect(at.scene.subtask("one").state).toBe("working");
    expect(await at.names("subtask/one")).toEqual(["a.txt"]);
    await at.use(bo, { kind: "delete", path: "film.bin" });
    expect(await at.submit(bo, "one")).toContain("Handed in");
  });

  test("that look like a secret are recorded only when a person says so", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    const key = ["AKIA", "QWERTYUIOPASDFGH"].join("");
    await at.write(bo, "deploy.sh", `export AWS_ACCESS_KEY_ID=${key}\n`);
    expect(await at.submit(bo, "one")).toContain("A person is asked");
    await at.end(bo);
    expect(await at.names("subtask/one")).toEqual([]);
    expect(JSON.stringify(at.scene.gone)).not.toContain(key);
    await at.answer("✅");
    expect(await at.names("subtask/one")).toEqual(["deploy.sh"]);
  });

  test("can be brought back after they were deleted, and their history says who did what", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "first\n");
    await at.use(bo, { kind: "delete", path: "a.txt" });
    await at.end(bo);
    const history = await at.use(bo, { kind: "history", path: "a.txt" });
    expect(history).toMatch(/Bo deleted it[\s\S]*Bo added it/);
    const [, commit = ""] = /`(\w+)` \S+ \S+ Bo added/.exec(history) ?? [];
    expect(await at.use(bo, { kind: "restore", path: "a.txt", commit })).toContain("Restored");
    expect(await at.use(bo, { kind: "read", path: "a.txt" })).toContain("first");
  });
});

describe("two subtasks that change the same", () => {
  async function collided(): Promise<TaskBench> {
    const at = await TaskBench.open(pair);
    await at.upload("shared.txt", "one\ntwo\nthree\n");
    at.scene.plan(spec("left"), spec("right"));
    await at.use(bo, { kind: "edit", path: "shared.txt", old: "two", new: "two from Bo" });
    await at.use(cy, { kind: "edit", path: "shared.txt", old: "two", new: "two from Cy" });
    await at.submit(bo, "left");
    await at.review(rae, "left", "approve");
    await at.submit(cy, "right");
    await at.review(rae, "right", "approve");
    return at;
  }

  test("come back with both sides, and are merged once they are brought together", async () => {
    const at = await collided();
    expect(at.scene.subtask("left").state).toBe("done");
    expect(at.scene.subtask("right")).toMatchObject({ state: "working", rework: 1, lease: { agent: cy.id } });
    expect(at.scene.turnOf(cy).messages.at(-1)?.text).toMatch(/shared\.txt.*Bo \(`left`\)/);
    const seen = await at.use(cy, { kind: "read", path: "shared.txt" });
    expect(seen).toMatch(/<<<<<<<[\s\S]*two from[\s\S]*=======[\s\S]*two from[\s\S]*>>>>>>>/);
    expect(await at.submit(cy, "right")).toMatch(/^Not done: .*shared\.txt/);
    await at.write(cy, "shared.txt", "one\ntwo from Bo and Cy\nthree\n");
    expect(await at.submit(cy, "right")).toContain("Handed in");
    await at.review(rae, "right", "approve");
    expect(at.scene.subtask("right").state).toBe("done");
    expect(await at.run("show", "main:shared.txt")).toBe("one\ntwo from Bo and Cy\nthree");
    expect(await at.run("log", "--format=%s", "--first-parent", "main")).toContain("Merge right");
  });

  test("come back all the same when the bridge ends in between", async () => {
    const at = await collided();
    await at.restart();
    await at.use(cy, { kind: "read", path: "shared.txt" });
    await at.restart();
    await at.write(cy, "shared.txt", "one\nboth\nthree\n");
    await at.submit(cy, "right");
    await at.review(rae, "right", "approve");
    expect(await at.run("show", "main:shared.txt")).toBe("one\nboth\nthree");
    expect((await at.run("log", "-1", "--format=%P", "subtask/right")).split(" ")).toHaveLength(2);
  });
});

describe("people's files", () => {
  test("are on main for the next lease, or in the thread's worktree at once", async () => {
    const at = await TaskBench.open(small);
    await at.upload("rules.md", "be kind\n");
    at.scene.plan(spec("one"));
    expect(await at.use(bo, { kind: "read", path: "rules.md" })).toContain("be kind");
    await at.write(bo, "a.txt", "1\n");
    await at.upload("data.csv", "1,2\n", at.scene.subtask("one").thread);
    expect(await at.use(bo, { kind: "read", path: "data.csv" })).toContain("1,2");
    await at.end(bo);
    expect(await at.names("subtask/one")).toEqual(["a.txt", "data.csv", "rules.md"]);
    expect(await at.names("main")).toEqual(["rules.md"]);
    expect(await at.run("log", "-1", "--format=%ae", "main")).toBe(boss);
  });

  test("of the same name replace each other, and the old one can be fetched", async () => {
    const at = await TaskBench.open(small);
    await at.upload("a.txt", "old\n");
    await at.upload("a.txt", "new\n");
    const log = (await at.command("log a.txt")).join("\n");
    const commits = [...log.matchAll(/`([0-9a-f]{10})`/g)].map(([, hash]) => hash);
    expect(commits).toHaveLength(2);
    await at.command(`show a.txt@${commits[1]}`);
    expect([...at.media.values()].at(-1)?.toString()).toBe("old\n");
    await at.command(`restore a.txt@${commits[1]}`);
    expect(await at.run("show", "main:a.txt")).toBe("old");
  });

  const redact = async (at: TaskBench, target: Awaited<ReturnType<TaskBench["upload"]>>): Promise<void> => {
    at.scene.put({ kind: "redaction", event: at.scene.fresh("redaction"), sender: boss, ts: at.scene.now, target });
    await at.settle();
  };

  test("are taken from every branch when they are withdrawn, also under another name; history keeps them", async () => {
    const at = await TaskBench.open(small);
    const event = await at.upload("photo.txt", "private\n");
    at.scene.plan(spec("one"));
    await at.use(bo, { kind: "run", command: "mv photo.txt album.txt && echo more > b.txt" });
    await at.end(bo);
    await redact(at, event);
    expect(await at.names("main")).toEqual([]);
    expect(await at.names("subtask/one")).toEqual(["b.txt"]);
    expect(await at.use(bo, { kind: "list", path: "" })).not.toContain("album");
    expect(await at.run("log", "--format=%s", "main")).toContain("Withdraw photo.txt");
    expect(await at.run("cat-file", "-p", "main~1:photo.txt")).toBe("private");
  });

  test("can be withdrawn also when the room no longer knows of them", async () => {
    const at = await TaskBench.open(small);
    const event = await at.upload("photo.txt", "private\n");
    await at.upload("other.txt", "else\n");
    const { state } = at.scene.record;
    const task = { ...at.scene.task, files: { ...defined(at.scene.task.files), uploads: [], forgotten: true } };
    at.scene.record = { ...at.scene.record, state: { ...state, task } };
    await redact(at, at.scene.fresh("only words"));
    expect(await at.names("main")).toEqual(["other.txt", "photo.txt"]);
    await redact(at, event);
    expect(await at.names("main")).toEqual(["other.txt"]);
  });

  test.each(["keep", "purge"] as const)(
    "of the same content that somebody else handed in stay (%s)",
    async (withdrawn) => {
      const at = await TaskBench.open(small, { withdrawn });
      const event = await at.upload("mine.txt", "the same\n");
      await at.upload("theirs.txt", "the same\n");
      await redact(at, event);
      expect(await at.names("main")).toEqual(["theirs.txt"]);
      expect(await at.run("show", "main:theirs.txt")).toBe("the same");
    },
  );

  test("are gone from history where the config says so, and the work goes on", async () => {
    const at = await TaskBench.open(small, { withdrawn: "purge" });
    const event = await at.upload("photo.txt", "private\n");
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "1\n");
    await at.submit(bo, "one");
    const blob = defined(at.scene.task.files?.uploads[0]).blob;
    await redact(at, event);
    await expect(at.run("cat-file", "-e", blob)).rejects.toThrow("cat-file");
    expect(await at.names("subtask/one")).toEqual(["a.txt"]);
    expect(await at.names(defined(at.scene.subtask("one").submission?.commit))).toEqual(["a.txt"]);
    await at.review(rae, "one", "approve");
    expect(at.scene.subtask("one").state).toBe("done");
    expect(await at.names("main")).toEqual(["a.txt"]);
  });
});

describe("after a crash", () => {
  test("a commit that was not told is told once", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "1\n");
    at.beforePut = ({ kind }) => {
      if (kind === "committed") throw new Error("the process ended here");
    };
    await at.files.ended(at.room, { agent: bo.id, turn: at.scene.turnOf(bo).turn, thread: at.scene.turnOf(bo).thread });
    expect(at.scene.task.files?.heads["subtask/one"]).toBeUndefined();
    at.beforePut = () => undefined;
    await at.restart();
    await at.restart();
    await at.settle();
    const told = at.scene.gone.filter((effect) => effect.kind === "publish");
    expect(told.map(({ commit }) => commit.hash)).toEqual([await at.run("rev-parse", "subtask/one")]);
  });

  test("what was written and not recorded is still there, and is recorded", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "1\n");
    await at.restart();
    expect(await readFile(path.join(at.folder("one.bo"), "a.txt"), "utf8")).toBe("1\n");
    await at.end(bo);
    expect(await at.names("subtask/one")).toEqual(["a.txt"]);
  });

  test("a merge that was made is not made again", async () => {
    const at = await TaskBench.open(small);
    at.scene.plan(spec("one"));
    await at.write(bo, "a.txt", "1\n");
    await at.submit(bo, "one");
    at.scene.act(rae, { kind: "review", subtask: "one", verdict: "approve", score: 4, issues: [], comment: "" });
    const merge = defined(at.scene.record.outbox.find((effect) => effect.kind === "files"));
    // Done, and its outcome lost.
    await at.files.job(at.room, merge, new AbortController().signal);
    await at.restart();
    await at.settle();
    expect(at.scene.subtask("one").state).toBe("done");
    expect((await at.run("log", "--format=%s", "--first-parent", "main")).split("\n")).toEqual([
      "Merge one: The one",
      "Task #7",
    ]);
  });
});

test("when the task is closed its files can still be read, and are no longer changed", async () => {
  const at = await TaskBench.open(small);
  await at.upload("rules.md", "be kind\n");
  at.scene.plan(spec("one"));
  await at.write(bo, "a.txt", "1\n");
  const turn = { agent: bo.id, turn: at.scene.turnOf(bo).turn, thread: at.scene.turnOf(bo).thread };
  await at.command("cancel");
  await at.files.ended(at.room, turn);
  expect(await at.names("subtask/one")).toEqual(["a.txt", "rules.md"]);
  const { signal } = new AbortController();
  expect(await at.files.use(at.room, turn, { kind: "read", path: "rules.md" }, nowhere, signal)).toContain("be kind");
  const write = { kind: "write", path: "b.txt", content: "2" } as const;
  expect(await at.files.use(at.room, turn, write, nowhere, signal)).toMatch(/^Not written/);
  await expect.poll(() => existsSync(at.folder("one.bo"))).toBe(false);
});
