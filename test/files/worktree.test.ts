import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { CommitHash } from "../../src/core/ids.ts";
import { createGit } from "../../src/files/git.ts";
import { record } from "../../src/files/record.ts";
import { openRepository } from "../../src/files/repository.ts";
import { scan } from "../../src/files/scan.ts";
import { addWorktree, listWorktrees, moveWorktree, removeWorktree, updateWorktree } from "../../src/files/worktree.ts";
import { bench, freshFolder, rules, words } from "./support.ts";

async function two() {
  const made = await bench();
  const { folder, git, repository } = made;
  const wish = {
    id: "s1.ada",
    root: path.join(folder, "w"),
    at: { branch: "subtask/s1", from: repository.root },
    writable: true,
  };
  const tree = await addWorktree(git, repository, wish);
  await mkdir(path.join(tree.root, "d"));
  await writeFile(path.join(tree.root, "d/a"), "1");
  await writeFile(path.join(tree.root, "b"), "1");
  const one = await record(git, repository, tree, words("one"), rules());
  await rm(path.join(tree.root, "d"), { recursive: true });
  await writeFile(path.join(tree.root, "d"), "a file");
  await writeFile(path.join(tree.root, "b"), "2");
  const other = await record(git, repository, tree, words("two"), rules());
  const [first, second] = [one.commit?.hash, other.commit?.hash];
  if (first === undefined || second === undefined) throw new Error("nothing was recorded");
  const treeOf = (commit: CommitHash): Promise<string> =>
    git.text({ gitDir: repository.path }, ["rev-parse", `${commit}^{tree}`]);
  return { ...made, wish, tree, first, second, treeOf };
}

test("a worktree is taken up again with its changes, also when its .git was damaged or its folder taken away", async () => {
  const { git, repository, wish, tree } = await two();
  await writeFile(path.join(tree.root, "b"), "not recorded");
  await rm(path.join(tree.root, ".git"));
  await symlink("/etc", path.join(tree.root, ".git"));
  await rm(path.join(tree.gitDir, "gitdir"));
  await addWorktree(git, repository, wish);
  expect(await readFile(path.join(tree.root, "b"), "utf8")).toBe("not recorded");
  expect(await readFile(path.join(tree.root, ".git"), "utf8")).toBe(`gitdir: ${tree.gitDir}\n`);
  expect(await scan(git, tree, rules())).toEqual({ take: ["b"], held: [] });
  await rm(tree.root, { recursive: true });
  await expect(scan(git, tree, rules())).rejects.toMatchObject({ code: "GIT_FAILED" });
  await addWorktree(git, repository, wish);
  expect(await readFile(path.join(tree.root, "b"), "utf8")).toBe("2");
  expect((await scan(git, tree, rules())).take).toEqual([]);
  // An agent's own git finds its branch there.
  expect(
    execFileSync("git", ["-C", tree.root, "-c", "safe.directory=*", "status", "--porcelain=v1", "-b"]).toString(),
  ).toBe("## subtask/s1\n");
});

test("an update brings files, and takes nothing that is not recorded", async () => {
  const { git, tree, first, treeOf } = await two();
  await updateWorktree(git, tree, await treeOf(first));
  expect(await readFile(path.join(tree.root, "d/a"), "utf8")).toBe("1");
  const index = await readFile(path.join(tree.gitDir, "index"));
  await writeFile(path.join(tree.root, "b"), "mine");
  await updateWorktree(git, tree, await treeOf(first));
  expect(await readFile(path.join(tree.root, "b"), "utf8")).toBe("mine");
  expect(await readFile(path.join(tree.gitDir, "index"))).toEqual(index);
});

test("an update that would overwrite something is refused as a whole", async () => {
  const { git, tree, first, treeOf } = await two();
  await writeFile(path.join(tree.root, "b"), "mine");
  await expect(updateWorktree(git, tree, await treeOf(first))).rejects.toMatchObject({ code: "FILES_MOVED" });
  expect(await readFile(path.join(tree.root, "b"), "utf8")).toBe("mine");
  expect(await readFile(path.join(tree.root, "d"), "utf8")).toBe("a file");
});

test("an update that a crash broke off is completed", async () => {
  const { git, repository, tree, first, second, treeOf } = await two();
  await repository.move("subtask/s1", first, second);
  const way = { tree: await treeOf(first), index: "take", manner: "strict" };
  await writeFile(path.join(tree.gitDir, "crewroom-way.json"), JSON.stringify(way));
  await rm(path.join(tree.root, "d"));
  await writeFile(path.join(tree.root, "b"), "changed meanwhile");
  const { commit } = await record(git, repository, tree, words(), rules());
  expect(commit?.parents).toEqual([first]);
  expect(await readFile(path.join(tree.root, "d/a"), "utf8")).toBe("1");
  expect(await readFile(path.join(tree.root, "b"), "utf8")).toBe("changed meanwhile");
});

test("a read-only worktree becomes exactly the commit, whatever a command left in it", async () => {
  const { folder, git, repository, first, second } = await two();
  const root = path.join(folder, "review");
  const tree = await addWorktree(git, repository, { id: "r", root, at: { commit: first }, writable: false });
  expect(tree.branch).toBeUndefined();
  expect(await readFile(path.join(root, "d/a"), "utf8")).toBe("1");
  const outside = path.join(folder, "outside");
  await mkdir(outside);
  await writeFile(path.join(outside, "a"), "theirs");
  await rm(path.join(root, "d"), { recursive: true });
  await symlink(outside, path.join(root, "d"));
  execFileSync("mkfifo", [path.join(root, ".gitattributes")]);
  await mkdir(path.join(root, "node_modules/x"), { recursive: true });
  await writeFile(path.join(root, "b"), "changed");
  await moveWorktree(git, tree, first);
  expect((await readdir(root, { recursive: true })).toSorted()).toEqual([".git", "b", "d", path.join("d", "a")]);
  expect(await readFile(path.join(root, "b"), "utf8")).toBe("1");
  expect(await readFile(path.join(outside, "a"), "utf8")).toBe("theirs");
  await moveWorktree(git, tree, second);
  expect(await readFile(path.join(root, "d"), "utf8")).toBe("a file");
  expect(await git.text({ gitDir: tree.gitDir }, ["rev-parse", "HEAD"])).toBe(second);
});

test("worktrees are listed and removed, also twice; their branches stay", async () => {
  const { git, repository, tree, second } = await two();
  expect(await listWorktrees(git, repository)).toEqual([{ id: "s1.ada", root: tree.root, branch: "subtask/s1" }]);
  await removeWorktree(git, repository, "s1.ada", tree.root);
  await removeWorktree(git, repository, "s1.ada", tree.root);
  expect(await listWorktrees(git, repository)).toEqual([]);
  expect(existsSync(tree.root)).toBe(false);
  expect(await repository.head("subtask/s1")).toBe(second);
});

function mounted(folder: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("on a full disk nothing is lost, and all is recorded when there is room", async ({ skip }) => {
  const folder = path.join(await freshFolder(), "disk");
  await mkdir(folder);
  if (!mounted(folder)) skip("a small disk cannot be mounted here");
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  const git = createGit();
  const repository = await openRepository(git, folder, 7);
  const at = { branch: "subtask/s1", from: repository.root };
  const root = path.join(folder, "w");
  const tree = await addWorktree(git, repository, { id: "w", root, at, writable: true });
  const { randomBytes } = await import("node:crypto");
  await writeFile(path.join(root, "a"), randomBytes(900_000));
  const filler = path.join(folder, "filler");
  await writeFile(filler, randomBytes(4_500_000));
  await expect(record(git, repository, tree, words(), rules())).rejects.toMatchObject({ code: "FILES_FULL" });
  expect(await repository.head("subtask/s1")).toBe(repository.root);
  await rm(filler);
  const again = await openRepository(git, folder, 7);
  expect((await record(git, again, tree, words(), rules())).commit).toMatchObject({ parents: [again.root] });
  expect((await scan(git, tree, rules())).take).toEqual([]);
});
