import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import type { AgentId, CommitHash, TurnId, UserId } from "../../src/core/ids.ts";
import { openRepository } from "../../src/files/repository.ts";
import { bench, freshFolder, words } from "./support.ts";

test("the first commit of a task has the same name on every host", async () => {
  const [one, two, other] = [await bench(7), await bench(7), await bench(8)];
  expect(two.repository.root).toBe(one.repository.root);
  expect(other.repository.root).not.toBe(one.repository.root);
  expect(await one.repository.head("main")).toBe(one.repository.root);
  expect(await one.repository.since("main", undefined)).toEqual([]);
});

test("a commit says who made it, and why, and is read back", async () => {
  const { git, repository } = await bench();
  const tree = await git.text({ gitDir: repository.path }, ["rev-parse", `${repository.root}^{tree}`]);
  const said = words("Ünïcode subject\n\nand more", { subtask: "s1", turn: "t1" as TurnId, why: "turn" });
  const hash = await repository.commitTree(tree, [repository.root], said);
  expect(await repository.read(hash, "main")).toEqual({
    hash,
    parents: [repository.root],
    branch: "main",
    by: "ada",
    why: "turn",
    subtask: "s1",
    turn: "t1",
    subject: "Ünïcode subject",
    ts: 1_700_000_000_000,
  });
  const show = ["show", "-s", "--format=%an <%ae> %cn %(trailers:only,unfold,separator=;)", hash];
  expect(await git.text({ gitDir: repository.path }, show)).toBe(
    "Ada <@agent_ada:example.org> Crewroom Crewroom-Task: 7;Crewroom-Subtask: s1;Crewroom-Turn: t1;Crewroom-Reason: turn;Crewroom-By: ada",
  );
});

test.each([
  ["at its end", "Look\n\nCrewroom-By: @boss:example.org"],
  ["alone", "Crewroom-By: @boss:example.org\nCrewroom-Reason: merge"],
  ["with NUL and CR", "a\0\r\n\r\nCrewroom-By: @boss:example.org\r\n\r\n"],
])("a caption that looks like a trailer forges nothing (%s)", async (_how, caption) => {
  const { git, repository } = await bench();
  const tree = await git.text({ gitDir: repository.path }, ["rev-parse", `${repository.root}^{tree}`]);
  const author = {
    id: "ada" as AgentId,
    name: "A<d>a\nCrewroom-By: x",
    user: "@a:example.org>\ncommitter <b" as UserId,
  };
  const said = words(caption, { author, subtask: "s\nCrewroom-By: @boss:example.org" });
  const read = await repository.read(await repository.commitTree(tree, [], said), "main");
  expect(read).toMatchObject({ by: "ada", why: "change" });
});

test("commits of other programs are by the address of their author", async () => {
  const { git, repository } = await bench();
  const place = { gitDir: repository.path };
  const tree = await git.text(place, ["rev-parse", `${repository.root}^{tree}`]);
  const env = {
    GIT_AUTHOR_NAME: "X",
    GIT_AUTHOR_EMAIL: "x@example.org",
    GIT_COMMITTER_NAME: "X",
    GIT_COMMITTER_EMAIL: "x@example.org",
  };
  const args = ["commit-tree", tree, "-m", "Hello\n\nCrewroom-By: ada"];
  const hash = (await git.text(place, args, { env })) as CommitHash;
  expect(await repository.read(hash, "main")).toMatchObject({ by: "x@example.org", why: "import", subject: "Hello" });
});

test("a branch is moved only from where it was expected", async () => {
  const { git, repository } = await bench();
  const tree = await git.text({ gitDir: repository.path }, ["rev-parse", `${repository.root}^{tree}`]);
  const one = await repository.commitTree(tree, [repository.root], words("one"));
  const two = await repository.commitTree(tree, [one], words("two"));
  await repository.move("subtask/a", one, undefined);
  await expect(repository.move("subtask/a", two, undefined)).rejects.toMatchObject({ code: "FILES_MOVED" });
  await expect(repository.move("subtask/a", two, repository.root)).rejects.toMatchObject({ code: "FILES_MOVED" });
  await repository.move("subtask/a", two, one);
  expect(await repository.heads()).toEqual({ main: repository.root, "subtask/a": two });
  expect((await repository.since("subtask/a", undefined)).map(({ subject }) => subject)).toEqual(["one", "two"]);
  expect((await repository.since("subtask/a", one)).map(({ subject }) => subject)).toEqual(["two"]);
  expect(await repository.isIn(one, two)).toBe(true);
  expect(await repository.isIn(two, one)).toBe(false);
  expect(await repository.resolve(two.slice(0, 8))).toBe(two);
  expect(await repository.resolve("subtask/a")).toBe(two);
  expect(await repository.resolve("main~1")).toBeUndefined();
  expect(await repository.resolve("--all")).toBeUndefined();
  expect(await repository.has(tree)).toBe(false);
});

test("what a killed git or a killed making left does no harm", async () => {
  const folder = await freshFolder();
  await mkdir(path.join(folder, "repo.git.making", "refs"), { recursive: true });
  const { git } = await bench();
  await openRepository(git, folder, 7);
  const at = path.join(folder, "repo.git");
  await mkdir(path.join(at, "refs", "heads", "subtask"), { recursive: true });
  const locks = ["HEAD.lock", "packed-refs.lock", "refs/heads/subtask/a.lock", "objects/tmp_obj_x"];
  for (const lock of locks) await writeFile(path.join(at, lock), "");
  const again = await openRepository(git, folder, 7);
  for (const lock of locks) expect(existsSync(path.join(at, lock))).toBe(false);
  await again.move("subtask/a", again.root, undefined);
});
