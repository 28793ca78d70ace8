import { describe, expect, test } from "vitest";
import type { CommitHash } from "../../src/core/ids.ts";
import { fileHistory } from "../../src/files/history.ts";
import { mergeInto } from "../../src/files/merge.ts";
import { Story } from "./story.ts";

const text = Array.from({ length: 20 }, (_, line) => `line ${line}\n`).join("");

async function head(story: Story): Promise<CommitHash> {
  return (await story.repository.head("main")) ?? story.repository.root;
}

async function told(story: Story, path: string, limit = 100) {
  const steps = await fileHistory(story.git, story.repository, await head(story), path, limit);
  return steps.map(({ commit, change, path }) => [commit.subject, change, path]);
}

async function merge(story: Story, commit: CommitHash): Promise<void> {
  const words = story.words({ by: "Bot", message: "Merge" });
  expect((await mergeInto(story.git, story.repository, { into: "main", commit, words })).kind).toBe("merged");
}

describe("a file's history", () => {
  test("follows it through renames, newest first", async () => {
    await using story = await Story.begin();
    await story.commit({ "a.txt": text, "other.txt": "x\n" }, { message: "1 add" });
    await story.commit({ "other.txt": "y\n" }, { message: "2 another file" });
    await story.commit({ "a.txt": `${text}more\n` }, { message: "3 edit" });
    await story.commit({ "a.txt": undefined, "dir/b.txt": `${text}more\n` }, { message: "4 rename" });
    await story.commit({ "dir/b.txt": { mode: "100755", content: `${text}more\n` } }, { message: "5 mode" });
    expect(await told(story, "dir/b.txt")).toEqual([
      ["5 mode", "mode", "dir/b.txt"],
      ["4 rename", "renamed", "dir/b.txt"],
      ["3 edit", "modified", "a.txt"],
      ["1 add", "added", "a.txt"],
    ]);
    expect(await told(story, "dir/b.txt", 2)).toHaveLength(2);
  });

  test("of one that is gone begins with its end, and the next is the last commit that has it", async () => {
    await using story = await Story.begin();
    await story.commit({ "a.txt": text }, { message: "1 add" });
    await story.commit(
      { "a.txt": `${text}more\n` },
      { message: "2 edit", by: "Bo", subtask: "parser", branch: "main" },
    );
    await story.commit({ "a.txt": undefined }, { message: "3 delete" });
    await story.commit({ "b.txt": "b\n" }, { message: "4 else" });
    expect(await told(story, "a.txt")).toEqual([
      ["3 delete", "deleted", "a.txt"],
      ["2 edit", "modified", "a.txt"],
      ["1 add", "added", "a.txt"],
    ]);
    const [, last] = await fileHistory(story.git, story.repository, await head(story), "a.txt", 10);
    expect(await story.show(last?.commit.hash ?? "", "a.txt")).toBe(`${text}more\n`);
    expect(last?.commit).toMatchObject({ by: "bo", subtask: "parser", branch: "subtask/parser" });
  });

  test("of one that has another name now says so", async () => {
    await using story = await Story.begin();
    await story.commit({ "a.txt": text }, { message: "1 add" });
    await story.commit({ "a.txt": undefined, "b.txt": text }, { message: "2 rename" });
    expect(await told(story, "a.txt")).toEqual([
      ["2 rename", "renamed", "b.txt"],
      ["1 add", "added", "a.txt"],
    ]);
  });

  test("has what one branch did under the old name while another renamed it", async () => {
    await using story = await Story.begin();
    await story.commit({ "a.txt": text }, { message: "1 add" });
    const renamed = await story.commit(
      { "a.txt": undefined, "b.txt": text },
      { subtask: "rename", message: "2 rename" },
    );
    const edited = await story.commit({ "a.txt": `first\n${text}` }, { subtask: "edit", message: "3 edit" });
    await merge(story, edited.hash);
    await merge(story, renamed.hash);
    // Another file of the old name has nothing to do with it.
    await story.commit({ "a.txt": "something else\n" }, { message: "4 a new file" });
    const steps = await told(story, "b.txt");
    // Branches have no order among each other. The merge is the first that has it under the new name with the edit.
    expect(new Set(steps.map(String))).toEqual(
      new Set(["1 add,added,a.txt", "2 rename,renamed,b.txt", "3 edit,modified,a.txt", "Merge,modified,b.txt"]),
    );
    expect(steps.at(-1)).toEqual(["1 add", "added", "a.txt"]);
  });

  test("has a merge only when the file is in it as on none of its sides", async () => {
    await using story = await Story.begin();
    const start = await story.commit({ "a.txt": "0\n", "b.txt": "0\n" }, { message: "1 add" });
    const theirs = await story.commit({ "a.txt": "1\n", "b.txt": "1\n" }, { subtask: "s", message: "2 theirs" });
    const ours = await story.commit({ "a.txt": "2\n" }, { message: "3 ours", onto: start.hash });
    await story.commit(
      { "a.txt": "1 and 2\n", "b.txt": "1\n" },
      { message: "4 join", onto: ours.hash, also: [theirs.hash] },
    );
    expect(new Set((await told(story, "a.txt")).map(([subject]) => subject))).toEqual(
      new Set(["1 add", "2 theirs", "3 ours", "4 join"]),
    );
    expect((await told(story, "b.txt")).map(([subject]) => subject)).toEqual(["2 theirs", "1 add"]);
  });

  test("of a name that there never was is empty, and odd names are found", async () => {
    await using story = await Story.begin();
    await story.commit({ ":(glob)*\n🥗": "x\n", "a.txt": "a\n" }, { message: "1 add" });
    expect(await told(story, "nothing.txt")).toEqual([]);
    expect(await told(story, "*.txt")).toEqual([]);
    expect(await told(story, ":(glob)*\n🥗")).toEqual([["1 add", "added", ":(glob)*\n🥗"]]);
  });
});
