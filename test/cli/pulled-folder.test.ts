/** A folder that people work in, between pulls. */
import { chmod, lstat, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PulledFolder } from "../../src/cli/pulled-folder.ts";
import { asCommitHash, type CommitHash } from "../../src/core/ids.ts";
import { createGit } from "../../src/files/git.ts";
import { room } from "../matrix/ids.ts";

const git = createGit();
const place = room("!task:localhost");
const person = { GIT_AUTHOR_NAME: "Sam", GIT_AUTHOR_EMAIL: "sam@example.org" };
const env = { ...person, GIT_COMMITTER_NAME: "Sam", GIT_COMMITTER_EMAIL: "sam@example.org" };

let folder: string;
let into: string;
let made: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "crewroom-pulled-"));
  into = join(folder, "here");
  made = join(folder, "made");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Files = Readonly<Record<string, string>>;

/** A commit with these files in the room's repository. */
async function commit(files: Files, ...parents: CommitHash[]): Promise<CommitHash> {
  const gitDir = join(into, ".git", "crewroom", "repo.git");
  await git.run(undefined, ["init", "--bare", "--quiet", "--", gitDir]);
  await rm(made, { recursive: true, force: true });
  await mkdir(made);
  await fill(made, files);
  const index = { ...env, GIT_INDEX_FILE: join(folder, "index") };
  await git.run({ gitDir, workTree: made }, ["read-tree", "--empty"], { env: index });
  await git.run({ gitDir, workTree: made }, ["add", "--all"], { env: index });
  const tree = await git.text({ gitDir, workTree: made }, ["write-tree"], { env: index });
  const ancestors = parents.flatMap((parent) => ["-p", parent]);
  return hashOf(await git.text({ gitDir }, ["commit-tree", tree, ...ancestors, "-m", "x"], { env }));
}

async function fill(root: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
}

function hashOf(text: string): CommitHash {
  const hash = asCommitHash(text);
  if (hash === undefined) throw new Error(`${text} is no commit`);
  return hash;
}

async function update(branches: Readonly<Record<string, CommitHash>>): Promise<readonly string[]> {
  const pulled = await PulledFolder.open(git, into, place);
  return pulled.update({ path: join(pulled.store, "repo.git") }, branches);
}

/** What a person's own git says in the folder. */
const here = (...args: string[]): Promise<string> =>
  git.text({ gitDir: join(into, ".git"), workTree: into }, args, { env });
const read = (name: string): Promise<string> => readFile(join(into, name), "utf8");
const open = (): Promise<PulledFolder> => PulledFolder.open(git, into, place);

test("The files of main are there, and every branch, and git sees nothing to do", async () => {
  await open();
  const main = await commit({ "a.txt": "a", "deep/b.txt": "b", "ü ñ.txt": "c" });
  const side = await commit({ "a.txt": "side" }, main);
  expect(await update({ main, "subtask/parser": side })).toEqual([]);
  expect([await read("a.txt"), await read("deep/b.txt"), await read("ü ñ.txt")]).toEqual(["a", "b", "c"]);
  expect(await here("status", "--porcelain")).toBe("");
  expect(await here("rev-parse", "HEAD", "subtask/parser", "room/main")).toBe([main, side, main].join("\n"));
  await here("checkout", "--quiet", "subtask/parser");
  expect(await read("a.txt")).toBe("side");
});

test("A second time it brings what is new, takes away what is gone, and leaves what the person added", async () => {
  await open();
  const one = await commit({ "a.txt": "a", "b.txt": "b", "c.txt": "c" });
  await update({ main: one });
  await fill(into, { "notes.txt": "mine", "c.txt": "changed here, and not in the room" });
  const two = await commit({ "a.txt": "new", "c.txt": "c", "d/e.txt": "e" }, one);
  expect(await update({ main: two })).toEqual([]);
  expect(await update({ main: two })).toEqual([]);
  expect(await here("status", "--porcelain")).toBe(" M c.txt\n?? notes.txt");
  expect([await read("a.txt"), await read("d/e.txt"), await here("rev-parse", "main")]).toEqual(["new", "e", two]);
  await expect(lstat(join(into, "b.txt"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("A changed file that would be overwritten is named, and nothing moves", async () => {
  await open();
  const one = await commit({ "a.txt": "a", "b.txt": "b", "gone.txt": "g", "same.txt": "s" });
  await update({ main: one });
  await fill(into, { "b.txt": "mine", "gone.txt": "mine", "new.txt": "mine", "same.txt": "as in the room" });
  const files = { "a.txt": "new", "b.txt": "theirs", "new.txt": "theirs", "same.txt": "as in the room" };
  const two = await commit(files, one);
  await expect(update({ main: two })).rejects.toMatchObject({
    code: "FILES_IN_THE_WAY",
    details: { files: "- b.txt\n- gone.txt\n- new.txt" },
  });
  expect([await read("a.txt"), await read("b.txt"), await read("new.txt")]).toEqual(["a", "mine", "mine"]);
  expect(await here("rev-parse", "HEAD")).toBe(one);
  await fill(into, { "b.txt": "b", "gone.txt": "g" });
  await rm(join(into, "new.txt"));
  expect(await update({ main: two })).toEqual([]);
  expect(await here("status", "--porcelain")).toBe("");
});

test("What lay in the folder before is not overwritten, unless it is the same", async () => {
  await fill(into, { "a.txt": "a", "b.txt": "mine" });
  await symlink("/etc/hostname", join(into, "link"));
  await open();
  const main = await commit({ "a.txt": "a", "b.txt": "theirs", link: "no link" });
  const refused = { code: "FILES_IN_THE_WAY", details: { files: "- b.txt\n- link" } };
  await expect(update({ main })).rejects.toMatchObject(refused);
  expect(await readlink(join(into, "link"))).toBe("/etc/hostname");
  await rm(join(into, "b.txt"));
  await rm(join(into, "link"));
  expect(await update({ main })).toEqual([]);
  expect(await here("status", "--porcelain")).toBe("");
});

test("A folder in the place of a file, and a file in that of a folder, stay as well", async () => {
  await open();
  const main = await commit({ a: "file", "b/c": "file" });
  await fill(into, { "a/mine": "mine" });
  await expect(update({ main })).rejects.toMatchObject({ code: "FILES_IN_THE_WAY" });
  await rm(join(into, "a"), { recursive: true });
  await fill(into, { b: "mine" });
  await expect(update({ main })).rejects.toThrow(/\bb\b/);
  expect(await read("b")).toBe("mine");
});

test("A branch with commits of the person's own stays, and goes on when the room has them too", async () => {
  await open();
  const one = await commit({ "a.txt": "a" });
  await update({ main: one, "subtask/parser": one });
  await fill(into, { "mine.txt": "mine" });
  await here("add", "mine.txt");
  await here("commit", "--quiet", "-m", "mine");
  const mine = await here("rev-parse", "HEAD");
  const two = await commit({ "a.txt": "new" }, one);
  expect(await update({ main: two, "subtask/parser": two })).toEqual([
    "main stays where it is, because there are commits on it that the room does not have; the room's is room/main",
  ]);
  expect([await here("rev-parse", "main", "room/main", "subtask/parser"), await read("a.txt")]).toEqual([
    [mine, two, two].join("\n"),
    "a",
  ]);
  await here("merge", "--quiet", "-m", "both", "room/main");
  expect(await update({ main: two })).toEqual([]);
  expect(await read("mine.txt")).toBe("mine");
});

test("History that was rewritten in the room is followed where nobody has committed", async () => {
  await open();
  const one = await commit({ "a.txt": "a", "secret.txt": "s" });
  await update({ main: one });
  const anew = await commit({ "a.txt": "b" });
  expect(await update({ main: anew })).toEqual([]);
  expect([await here("rev-parse", "main"), await here("status", "--porcelain")]).toEqual([anew, ""]);
});

test("While another branch is checked out, its files stay", async () => {
  await open();
  const one = await commit({ "a.txt": "a" });
  await update({ main: one });
  await here("checkout", "--quiet", "-b", "own");
  const two = await commit({ "a.txt": "new" }, one);
  expect(await update({ main: two })).toEqual([]);
  expect([await read("a.txt"), await here("rev-parse", "main")]).toEqual(["a", two]);
});

test("A pull that was cut off before it moved main goes on", async () => {
  await open();
  const one = await commit({ "a.txt": "a" });
  await update({ main: one });
  const two = await commit({ "a.txt": "new", "b.txt": "b" }, one);
  await here("read-tree", "-m", "-u", one, two);
  expect(await update({ main: two })).toEqual([]);
  expect([await here("rev-parse", "main"), await here("status", "--porcelain")]).toEqual([two, ""]);
});

test("A program stays one, and a link a link", async () => {
  await open();
  await fill(made, { "run.sh": "#!/bin/sh" });
  const plain = await commit({ "run.sh": "#!/bin/sh", "a.txt": "a" });
  await update({ main: plain });
  await chmod(join(into, "run.sh"), 0o755);
  await symlink("a.txt", join(into, "link"));
  await here("add", "--all");
  await here("commit", "--quiet", "-m", "mode");
  const own = hashOf(await here("rev-parse", "HEAD"));
  await here("reset", "--quiet", "--hard", plain);
  expect(await update({ main: own })).toEqual([]);
  expect((await lstat(join(into, "run.sh"))).mode & 0o100).toBe(0o100);
  expect(await readlink(join(into, "link"))).toBe("a.txt");
});

test("A folder of another room, or a repository of something else, is refused", async () => {
  await open();
  const other = PulledFolder.open(git, into, room("!other:localhost"));
  await expect(other).rejects.toThrow("has the files of another room");
  const foreign = join(folder, "foreign");
  await git.run(undefined, ["init", "--quiet", "--", foreign]);
  await expect(PulledFolder.open(git, foreign, place)).rejects.toThrow("is a repository of something else");
});
