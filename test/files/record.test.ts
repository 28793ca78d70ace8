import { existsSync } from "node:fs";
import { chmod, link, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import type { CommitHash } from "../../src/core/ids.ts";
import type { CommitRules, Worktree } from "../../src/files/port.ts";
import { record, setMergeHead } from "../../src/files/record.ts";
import { scan } from "../../src/files/scan.ts";
import { addWorktree, materialise, updateWorktree } from "../../src/files/worktree.ts";
import { bench, type Bench, rules, words } from "./support.ts";

interface Desk extends Bench {
  readonly tree: Worktree;
  readonly at: (name: string) => string;
  record(more?: Partial<CommitRules>): ReturnType<typeof record>;
  /** `mode path` of all files of the branch. */
  files(): Promise<readonly string[]>;
}

async function desk(): Promise<Desk> {
  const made = await bench();
  const { folder, git, repository } = made;
  const tree = await addWorktree(git, repository, {
    id: "s1.ada",
    root: path.join(folder, "work", "s1.ada"),
    at: { branch: "subtask/s1", from: repository.root },
    writable: true,
  });
  return {
    ...made,
    tree,
    at: (name) => path.join(tree.root, name),
    record: (more) => record(git, repository, tree, words(), rules(more)),
    async files() {
      const list = await git.text({ gitDir: repository.path }, [
        "ls-tree",
        "-r",
        "-z",
        "--format=%(objectmode) %(path)",
        "subtask/s1",
      ]);
      return list.split("\0").filter(Boolean);
    },
  };
}

async function showFile({ git, repository }: Bench, name: string): Promise<string> {
  return (await git.run({ gitDir: repository.path }, ["show", `subtask/s1:${name}`])).stdout.toString();
}

const odd = [
  "new\nline",
  'quo"te',
  "-dash",
  "..foo",
  ". .",
  "ünïcode",
  " lead",
  "tab\tx",
  "back\\slash",
  "*",
  ":(top)x",
];

test("adds, edits, deletes, renames and modes are recorded, under any name", async () => {
  const made = await desk();
  await mkdir(made.at("dir/deep"), { recursive: true });
  for (const name of odd) await writeFile(made.at(`dir/deep/${name}`), name);
  await writeFile(made.at("empty"), "");
  await writeFile(made.at("binary"), Buffer.from([0, 255, 13, 10]));
  await writeFile(made.at("run.sh"), "#!/bin/sh\r\n");
  await writeFile(made.at(".gitattributes"), "* text eol=lf ident working-tree-encoding=UTF-16 filter=evil\n");
  const first = await made.record();
  expect(first.held).toEqual([]);
  expect(first.commit).toMatchObject({ by: "ada", branch: "subtask/s1", parents: [made.repository.root] });
  expect((await made.files()).length).toBe(odd.length + 4);
  expect(await showFile(made, "run.sh")).toBe("#!/bin/sh\r\n");
  expect((await made.record()).commit).toBeUndefined();

  await chmod(made.at("run.sh"), 0o755);
  await rename(made.at("empty"), made.at("Empty"));
  await rm(made.at("dir"), { recursive: true });
  await writeFile(made.at("dir"), "now a file");
  await made.record();
  expect(await made.files()).toEqual([
    "100644 .gitattributes",
    "100644 Empty",
    "100644 binary",
    "100644 dir",
    "100755 run.sh",
  ]);
  await rm(made.at("dir"));
  await mkdir(made.at("dir"));
  await writeFile(made.at("dir/again"), "a folder");
  await made.record();
  expect(await made.files()).toContain("100644 dir/again");
});

test.runIf(process.platform === "linux")("a name that is no UTF-8 is recorded as it is", async () => {
  const made = await desk();
  const name = Buffer.from([0x66, 0xff, 0x6f]);
  await writeFile(Buffer.concat([Buffer.from(`${made.tree.root}/`), name]), "x");
  await made.record();
  const { stdout } = await made.git.run({ gitDir: made.repository.path }, [
    "ls-tree",
    "-z",
    "--name-only",
    "subtask/s1",
  ]);
  expect(stdout).toEqual(Buffer.concat([name, Buffer.from([0])]));
});

test("what is ignored stays out, and what was recorded before it was ignored goes on", async () => {
  const made = await desk();
  await mkdir(made.at("out"));
  await mkdir(made.at("node_modules/x"), { recursive: true });
  await writeFile(made.at("node_modules/x/y"), "");
  await writeFile(made.at("out/kept"), "1");
  await made.record();
  await writeFile(made.at(".gitignore"), "out/\n*.log\n!keep.log\n");
  for (const name of ["out/kept", "out/new", "a.log", "keep.log"]) await writeFile(made.at(name), "2");
  expect(await scan(made.git, made.tree, rules())).toEqual({ take: [".gitignore", "keep.log", "out/kept"], held: [] });
});

test("what may not be recorded is held back by name, and the rest is recorded", async () => {
  const made = await desk();
  await writeFile(made.at("large"), "x".repeat(2000));
  await writeFile(made.at("middle"), "m".repeat(900));
  await writeFile(made.at("small"), "s".repeat(300));
  await writeFile(made.at("key"), "SECRET");
  await symlink("/etc/passwd", made.at("passwd"));
  await symlink("../../..", made.at("up"));
  await symlink("up/x", made.at("through"));
  await symlink("small", made.at("fine"));
  await symlink("loop2", made.at("loop"));
  await symlink("loop", made.at("loop2"));
  await made.git.run(undefined, ["init", "--quiet", made.at("nested")]);
  await writeFile(made.at("nested/code"), "c");
  const secretIn = (_path: string, content: Uint8Array): Promise<string | undefined> =>
    Promise.resolve(Buffer.from(content).includes("SECRET") ? "a secret" : undefined);
  const { held } = await made.record({ fileBytes: 1000, commitBytes: 1000, secretIn });
  expect(Object.fromEntries(held.map(({ path, why }) => [path, why]))).toEqual({
    large: "too_large",
    middle: "commit_too_large",
    key: "secret",
    passwd: "link_out",
    up: "link_out",
    through: "link_out",
  });
  expect((await made.files()).map((file) => file.slice(7))).toEqual(["fine", "loop", "loop2", "nested/code", "small"]);
  const sha256 = held.find(({ path }) => path === "key")?.sha256 ?? "";
  expect(await made.record({ secretIn, allowed: new Set([sha256]) })).toMatchObject({ commit: {} });
  expect(await showFile(made, "key")).toBe("SECRET");
});

test("pipes are never opened, whatever they are called", async () => {
  const { execFileSync } = await import("node:child_process");
  const made = await desk();
  await writeFile(made.at("was"), "a file");
  await made.record();
  await rm(made.at("was"));
  for (const name of ["was", "pipe", ".gitignore", ".gitattributes", ".GIT"]) execFileSync("mkfifo", [made.at(name)]);
  await writeFile(made.at("a"), "1");
  const { held, commit } = await made.record();
  expect(commit).toBeDefined();
  expect(held.map(({ path, why }) => `${path} ${why}`).toSorted()).toEqual(
    [".GIT special", ".gitattributes special", ".gitignore special", "pipe special", "was special"].toSorted(),
  );
  expect(await made.files()).toEqual(["100644 a", "100644 was"]);
});

test("nothing that the files ask for is run, and nothing outside is touched", async () => {
  const made = await desk();
  const { git, at, folder, tree } = made;
  const canary = path.join(folder, "canary");
  const script = path.join(tree.root, "evil.sh");
  await writeFile(script, `#!/bin/sh\ntouch ${canary}\n`, { mode: 0o755 });
  const evil = [
    `[core]\n\tfsmonitor = ${script}\n\thooksPath = ${tree.root}/hooks\n\tworktree = /etc\n`,
    `[filter "evil"]\n\tclean = ${script}\n\tsmudge = ${script}\n[diff "evil"]\n\ttextconv = ${script}\n`,
    `[include]\n\tpath = ${tree.root}/more\n`,
  ].join("");
  await rm(at(".git"));
  await git.run(undefined, ["init", "--quiet", tree.root]);
  for (const where of [".git", "nested/.git"]) {
    await mkdir(at(path.join(where, "hooks")), { recursive: true });
    await mkdir(at(path.join(where, "objects/info")), { recursive: true });
    for (const hook of ["pre-commit", "post-checkout", "post-index-change", "reference-transaction"])
      await writeFile(at(`${where}/hooks/${hook}`), `#!/bin/sh\ntouch ${canary}\n`, { mode: 0o755 });
    await writeFile(at(`${where}/HEAD`), "ref: refs/heads/main\n");
    await writeFile(at(`${where}/config`), evil);
    await writeFile(at(`${where}/objects/info/alternates`), "/etc\n");
  }
  await writeFile(at("nested/file"), "kept");
  await writeFile(at(".gitattributes"), "* filter=evil diff=evil merge=evil\n");
  await writeFile(at(".gitmodules"), `[submodule "../x"]\n\tpath = nested\n\turl = -u./evil.sh\n`);
  const { commit, held } = await made.record();
  expect(held).toEqual([]);
  expect((await made.files()).map((file) => file.slice(7))).toEqual([
    ".gitattributes",
    ".gitmodules",
    "evil.sh",
    "nested/file",
  ]);
  const mended = await addWorktree(git, made.repository, {
    id: "s1.ada",
    root: tree.root,
    at: { branch: "subtask/s1", from: commit?.hash ?? made.repository.root },
    writable: true,
  });
  expect(await readFile(at(".git"), "utf8")).toBe(`gitdir: ${mended.gitDir}\n`);
  expect((await record(git, made.repository, mended, words(), rules())).commit).toBeUndefined();
  expect(existsSync(canary)).toBe(false);
});

test("a folder that became a link out is not followed", async () => {
  const made = await desk();
  await mkdir(made.at("a"));
  await writeFile(made.at("a/passwd"), "mine");
  await made.record();
  const outside = path.join(made.folder, "outside");
  await mkdir(outside);
  await writeFile(path.join(outside, "passwd"), "theirs");
  await rm(made.at("a"), { recursive: true });
  await symlink(outside, made.at("a"));
  const { held } = await made.record();
  expect(held).toMatchObject([{ path: "a", why: "link_out" }]);
  expect(await made.files()).toEqual([]);
  const before = await made.git.text({ gitDir: made.repository.path }, ["rev-parse", "subtask/s1~1^{tree}"]);
  await expect(updateWorktree(made.git, made.tree, before)).rejects.toMatchObject({ code: "FILES_MOVED" });
  expect(await readFile(path.join(outside, "passwd"), "utf8")).toBe("theirs");
});

test("a folder swapped for a link while it is looked through gives nothing away", async () => {
  const made = await desk();
  const outside = path.join(made.folder, "outside");
  await mkdir(outside);
  await writeFile(path.join(outside, "b"), "OUTSIDE");
  await mkdir(made.at("d"));
  await writeFile(made.at("d/b"), "inside");
  const seen: string[] = [];
  const secretIn = async (_path: string, content: Uint8Array): Promise<undefined> => {
    seen.push(Buffer.from(content).toString());
    // Between the look and the storing.
    if (existsSync(made.at("d/b")) && seen.length === 1) {
      await rename(made.at("d"), made.at("e"));
      await symlink(outside, made.at("d"));
    }
    return undefined;
  };
  const { held } = await made.record({ secretIn });
  expect(held).toMatchObject([{ path: "d", why: "link_out" }]);
  expect(seen).not.toContain("OUTSIDE");
  expect(await made.files()).toEqual(["100644 e/b"]);
});

test("what somebody else put on the branch stays, beside what the worktree has", async () => {
  const made = await desk();
  const { git, repository, tree, at } = made;
  await writeFile(at("both"), "0");
  const first = await made.record();
  const other = await addWorktree(git, repository, {
    id: "other",
    root: path.join(made.folder, "other"),
    at: { branch: "subtask/s1", from: repository.root },
    writable: true,
  });
  await writeFile(path.join(other.root, "upload"), "u");
  await writeFile(path.join(other.root, "both"), "theirs");
  const upload = await record(git, repository, other, words("upload"), rules());
  await writeFile(at("mine"), "m");
  await writeFile(at("both"), "mine");
  const { commit, held } = await made.record();
  expect(first.commit?.hash).toBe(upload.commit?.parents[0]);
  expect(commit?.parents).toEqual([upload.commit?.hash]);
  expect(held).toMatchObject([{ path: "both", why: "unmerged" }]);
  expect((await made.files()).map((file) => file.slice(7))).toEqual(["both", "mine", "upload"]);
  expect(await showFile(made, "both")).toBe("mine");
  expect(await readFile(at("upload"), "utf8")).toBe("u");
  expect(await scan(git, tree, rules())).toEqual({ take: [], held: [] });
});

test("a crash after the branch was moved makes no second commit", async () => {
  const made = await desk();
  const index = path.join(made.tree.gitDir, "index");
  const before = await readFile(index);
  await writeFile(made.at("a"), "1");
  const { commit } = await made.record();
  await writeFile(index, before);
  expect(await made.record()).toEqual({ held: [] });
  expect(await made.repository.head("subtask/s1")).toBe(commit?.hash);
  expect((await scan(made.git, made.tree, rules())).take).toEqual([]);
});

test("a merge is recorded when no mark of a conflict is left, with both parents", async () => {
  const made = await desk();
  const { git, repository, tree, at } = made;
  await writeFile(at("a"), "base\n");
  const base = await made.record();
  const from = base.commit?.hash ?? repository.root;
  const other = await addWorktree(git, repository, {
    id: "m",
    root: path.join(made.folder, "m"),
    at: { branch: "subtask/m", from },
    writable: true,
  });
  await writeFile(path.join(other.root, "a"), "theirs\n");
  await writeFile(path.join(other.root, "more"), "more\n");
  const theirs = (await record(git, repository, other, words(), rules())).commit?.hash ?? ("" as CommitHash);
  await writeFile(at("a"), "ours\n");
  const ours = (await made.record()).commit?.hash ?? "";
  const merged = await git.text({ gitDir: repository.path }, ["merge-tree", "--write-tree", ours, theirs], {
    expected: [1],
  });
  await setMergeHead(git, tree, theirs, ["a"]);
  await materialise(git, tree, merged.slice(0, 40));
  expect(await readFile(at("a"), "utf8")).toContain("<<<<<<< ");
  await writeFile(at("own"), "own\n");
  expect(await made.record()).toMatchObject({ held: [{ path: "a", why: "unmerged" }] });
  expect(await repository.head("subtask/s1")).toBe(ours);
  // An agent whose lease is gone joins nothing any more; what it had is kept all the same.
  await repository.move("late/s1/ada/1", ours as CommitHash, undefined);
  const index = await readFile(path.join(tree.gitDir, "index"));
  const merge = await readFile(path.join(tree.gitDir, "crewroom-merge.json"));
  const late = await record(git, repository, { ...tree, branch: "late/s1/ada/1" }, words(), rules());
  expect(late.commit?.parents).toEqual([ours]);
  await writeFile(path.join(tree.gitDir, "index"), index);
  await writeFile(path.join(tree.gitDir, "crewroom-merge.json"), merge);
  await writeFile(path.join(tree.gitDir, "MERGE_HEAD"), `${theirs}\n`);
  await writeFile(at("a"), "both\n");
  const { commit } = await made.record();
  expect(commit?.parents).toEqual([ours, theirs]);
  expect((await made.files()).map((file) => file.slice(7))).toEqual(["a", "more", "own"]);
  await writeFile(at("a"), "after\n");
  expect((await made.record()).commit?.parents).toEqual([commit?.hash]);
});

test("a second name of a file is a file", async () => {
  const made = await desk();
  await writeFile(made.at("a"), "1");
  await link(made.at("a"), made.at("b"));
  await made.record();
  expect(await made.files()).toEqual(["100644 a", "100644 b"]);
});

test("a change to as many bytes is seen, also when a program sets the old times again", async () => {
  const made = await desk();
  const name = made.at("a.txt");
  await writeFile(name, "one");
  const { atime, mtime } = await stat(name);
  await made.record();
  // Looked at once more, its content is remembered by now.
  expect((await made.record()).commit).toBeUndefined();
  await writeFile(name, "two");
  await utimes(name, atime, mtime);
  expect((await made.record()).commit).toBeDefined();
  expect(await showFile(made, "a.txt")).toBe("two");
});
