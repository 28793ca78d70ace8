import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { CommitHash } from "../../src/core/ids.ts";
import type { Repository } from "../../src/files/port.ts";
import { blobAt, blobText, editTree, pathsOf, readBlob, treeAt, type TreeEdit } from "../../src/files/tree-edit.ts";
import { failure, Story } from "./story.ts";

async function edit(story: Story, edits: readonly TreeEdit[], branch = "main") {
  return editTree(story.git, story.repository, branch, edits, story.words({ message: "Add it" }));
}

async function onDisk(story: Story, content: string | Uint8Array): Promise<string> {
  await writeFile(story.path("upload"), content);
  return story.path("upload");
}

async function paths(story: Story, commit: string): Promise<readonly string[]> {
  return (await treeAt(story.git, story.repository, commit, "")).map(({ path }) => path);
}

describe("a commit without a worktree", () => {
  test("puts files from disk and from history, and takes others away", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const { hash } = await story.commit({
      "a.txt": "a\n",
      "b.txt": "b\n",
      "run.sh": { mode: "100755", content: "x\n" },
    });
    const old = await blobAt(git, repository, hash, "a.txt");
    const content = await onDisk(story, "line\r\nends stay\r\n");
    const commit = await edit(story, [
      { path: "dir/new.txt", content },
      { path: "copy.txt", blob: old?.blob ?? "" },
      { path: "run.sh", content },
      { path: "b.txt", remove: true },
      { path: "never there.txt", remove: true },
    ]);
    expect(commit).toMatchObject({ parents: [hash], subject: "Add it", branch: "main" });
    const head = await repository.head("main");
    expect(commit?.hash).toBe(head);
    expect(await paths(story, head ?? "")).toEqual(["a.txt", "copy.txt", "dir/new.txt", "run.sh"]);
    expect(await story.show("main", "dir/new.txt")).toBe("line\r\nends stay\r\n");
    expect((await blobAt(git, repository, head ?? "", "run.sh"))?.mode).toBe("100755");
  });

  test("does nothing when nothing differs", async () => {
    await using story = await Story.begin();
    const { hash } = await story.commit({ "a.txt": "a\n" });
    const content = await onDisk(story, "a\n");
    expect(await edit(story, [{ path: "a.txt", content }])).toBeUndefined();
    expect(await edit(story, [{ path: "gone.txt", remove: true }])).toBeUndefined();
    expect(await story.repository.head("main")).toBe(hash);
  });

  test("begins a new branch at main", async () => {
    await using story = await Story.begin();
    const { hash } = await story.commit({ "a.txt": "a\n" });
    const commit = await edit(story, [{ path: "b.txt", content: await onDisk(story, "b\n") }], "subtask/parser");
    expect(commit?.parents).toEqual([hash]);
    expect(await story.repository.head("subtask/parser")).toBe(commit?.hash);
    expect(await story.repository.head("main")).toBe(hash);
  });

  test("refuses paths that no file can have there, with the reason", async () => {
    await using story = await Story.begin();
    await story.commit({ "dir/a.txt": "a\n", file: "f\n" });
    const content = await onDisk(story, "x\n");
    const refused = [
      "",
      "/etc/passwd",
      "../out",
      "a/../../out",
      "a//b",
      "./a",
      "dir/",
      ".git/hooks/x",
      "a/.GIT/x",
      "a\0b",
    ];
    for (const path of [...refused, "dir", "file/below"]) {
      const { code, message } = await failure(() => edit(story, [{ path, content }]));
      expect([path, code]).toEqual([path, "FILE_REFUSED"]);
      expect(message).toContain(path);
    }
    expect((await failure(() => edit(story, [{ path: "dir", remove: true }]))).code).toBe("FILE_REFUSED");
    expect(await paths(story, "main")).toEqual(["dir/a.txt", "file"]);
  });

  test("takes any other name as it is", async () => {
    await using story = await Story.begin();
    const names = ["-rf", ":(top)x", "*", "line\nbreak", "ünï/🥗.txt", 'q"uote\\'];
    const content = await onDisk(story, "x\n");
    await edit(
      story,
      names.map((path) => ({ path, content })),
    );
    expect((await paths(story, "main")).toSorted()).toEqual(names.toSorted());
    for (const path of names)
      expect(await blobAt(story.git, story.repository, "main", path)).toMatchObject({ mode: "100644", size: 2 });
  });

  test("goes on top of what somebody else put there in the same moment", async () => {
    await using story = await Story.begin();
    let disturbed = 0;
    const repository: Repository = {
      ...story.repository,
      commitTree: async (tree, parents, words) => {
        if (disturbed++ === 0) await story.commit({ "other.txt": "meanwhile\n" });
        return story.repository.commitTree(tree, parents, words);
      },
    };
    const content = await onDisk(story, "x\n");
    await editTree(story.git, repository, "main", [{ path: "a.txt", content }], story.words());
    expect(await paths(story, "main")).toEqual(["a.txt", "other.txt"]);
  });
});

describe("reading a commit", () => {
  test("lists a folder with sizes, a file, and nothing for what is not there", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    await story.commit({ "src/b.js": "bb\n", "src/a/a.js": "a\n", "src.txt": "s\n" });
    expect(await treeAt(git, repository, "main", "src")).toEqual([
      { path: "src/a/a.js", mode: "100644", size: 2 },
      { path: "src/b.js", mode: "100644", size: 3 },
    ]);
    expect(await treeAt(git, repository, "main", "src/")).toHaveLength(2);
    expect(await treeAt(git, repository, "main", "src.txt")).toHaveLength(1);
    expect(await treeAt(git, repository, "main", "sr")).toEqual([]);
    expect(await treeAt(git, repository, "main", "")).toHaveLength(3);
    for (const path of ["src", "src/", "nothing", ""])
      expect(await blobAt(git, repository, "main", path)).toBeUndefined();
  });

  test("finds a content by whatever names it has", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const { hash } = await story.commit({ "a.txt": "same\n", "dir/b.txt": "same\n", "c.txt": "other\n" });
    const { blob } = (await blobAt(git, repository, hash, "a.txt")) ?? { blob: "" };
    expect(await pathsOf(git, repository, hash, blob)).toEqual(["a.txt", "dir/b.txt"]);
    expect(await pathsOf(git, repository, repository.root, blob)).toEqual([]);
  });

  test("writes a content to a file, and gives it as text only when it is short and text", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const big = Buffer.alloc(3_000_000, "0123456789\n");
    const { hash } = await story.commit({ "big.txt": big, "a.bin": new Uint8Array([65, 0]) });
    const blobOf = async (path: string, at: CommitHash = hash) => (await blobAt(git, repository, at, path))?.blob ?? "";
    await readBlob(git, repository, await blobOf("big.txt"), story.path("out"));
    expect(big.equals(await readFile(story.path("out")))).toBe(true);
    expect(await blobText(git, repository, await blobOf("big.txt"), 3_000_000)).toHaveLength(3_000_000);
    expect(await blobText(git, repository, await blobOf("big.txt"), 2_999_999)).toBeUndefined();
    expect(await blobText(git, repository, await blobOf("a.bin"), 100)).toBeUndefined();
    // Never over a file that is there.
    const again = await failure(async () => readBlob(git, repository, await blobOf("big.txt"), story.path("out")));
    expect(again.code).toBe("GIT_FAILED");
  });
});
