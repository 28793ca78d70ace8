import { describe, expect, test } from "vitest";
import type { Commit, Conflict } from "../../src/core/files.ts";
import type { CommitHash } from "../../src/core/ids.ts";
import { conflictText, mergeInto } from "../../src/files/merge.ts";
import type { Merged, Repository } from "../../src/files/port.ts";
import { type Content, Story } from "./story.ts";

type Changes = Readonly<Record<string, Content>>;

/** Bo's subtask is on main already; Ada's comes now. */
async function meet(story: Story, before: Changes, onMain: Changes, inYours: Changes) {
  const start = await story.commit(before);
  const bo = await story.commit(onMain, { by: "Bo", subtask: "parser", onto: start.hash });
  await story.repository.move("main", bo.hash, start.hash);
  const ada = await story.commit(inYours, { by: "Ada", subtask: "lexer", onto: start.hash });
  const words = story.words({ by: "Bot", subtask: "lexer", message: "Merge lexer" });
  const merged = await mergeInto(story.git, story.repository, { into: "main", commit: ada.hash, words });
  return { bo, ada, merged };
}

function conflictsOf(merged: Merged): readonly Conflict[] {
  if (merged.kind !== "conflict") throw new Error("expected a conflict");
  return merged.conflicts;
}

function sides(bo: Commit, ada: Commit) {
  return {
    ours: { commit: bo.hash, by: "Bo", subtask: "parser" },
    theirs: { commit: ada.hash, by: "Ada", subtask: "lexer" },
  };
}

const lines = Array.from({ length: 20 }, (_, line) => `line ${line}\n`);
const text = lines.join("");
const withLine = (at: number, line: string): string => lines.with(at, `${line}\n`).join("");

describe("merging", () => {
  test("makes a merge commit even where a fast-forward would do", async () => {
    await using story = await Story.begin();
    const { repository } = story;
    const { hash } = await story.commit({ "a.txt": "a\n" }, { by: "Ada", subtask: "lexer" });
    const words = story.words({ by: "Bot", subtask: "lexer", message: "Merge lexer" });
    const merged = await mergeInto(story.git, repository, { into: "main", commit: hash, words });
    const head = await repository.head("main");
    expect(merged).toEqual({ kind: "merged", commit: head, fresh: true });
    const commit = await repository.read(merged.kind === "merged" ? merged.commit : hash, "main");
    expect(commit).toMatchObject({ parents: [repository.root, hash], subject: "Merge lexer" });
    expect(await repository.head("subtask/lexer")).toBe(hash);
  });

  test("done again finds the merge that brought it, also after others", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const merge = async (commit: CommitHash) =>
      mergeInto(git, repository, { into: "main", commit, words: story.words({ by: "Bot" }) });
    const [first, last] = [
      await story.commit({ "a.txt": "a\n" }, { subtask: "a" }),
      await story.commit({ "a.txt": "a2\n" }, { subtask: "a" }),
    ];
    const other = await story.commit({ "b.txt": "b\n" }, { subtask: "b" });
    const merged = await merge(last.hash);
    await merge(other.hash);
    const direct = await story.commit({ "c.txt": "c\n" });
    for (const { hash } of [first, last]) expect(await merge(hash)).toEqual({ ...merged, fresh: false });
    // Made on main itself.
    await story.commit({ "d.txt": "d\n" });
    const head = await repository.head("main");
    expect(await merge(direct.hash)).toEqual({ kind: "merged", commit: head, fresh: false });
  });

  test("of two changes to one line names both sides, and marks them in the file", async () => {
    await using story = await Story.begin();
    const { bo, ada, merged } = await meet(
      story,
      { "src/a.js": text },
      { "src/a.js": withLine(3, "by Bo") },
      { "src/a.js": withLine(3, "by Ada") },
    );
    const conflicts = conflictsOf(merged);
    expect(conflicts).toEqual([{ path: "src/a.js", kind: "content", ...sides(bo, ada) }]);
    expect(merged).toMatchObject({ main: bo.hash });
    expect(await story.repository.head("main")).toBe(bo.hash);
    const marked = merged.kind === "conflict" ? await story.show(merged.tree, "src/a.js") : "";
    expect(marked).toContain("<<<<<<< main\nby Bo\n=======\nby Ada\n>>>>>>> subtask/lexer\n");
    expect(conflictText(conflicts)).toEqual([
      `\`src/a.js\`: changed on both sides: on main by Bo (subtask \`parser\`, ${bo.hash.slice(0, 7)}), in yours by Ada (${ada.hash.slice(0, 7)})`,
    ]);
  });

  test("of changes to different lines, or the same change twice, is no conflict", async () => {
    await using story = await Story.begin();
    const { merged } = await meet(
      story,
      { "a.js": text, "b.js": text },
      { "a.js": withLine(1, "by Bo"), "b.js": withLine(5, "both") },
      { "a.js": withLine(18, "by Ada"), "b.js": withLine(5, "both") },
    );
    expect(merged).toMatchObject({ kind: "merged", fresh: true });
    const result = merged.kind === "merged" ? await story.show(merged.commit, "a.js") : "";
    expect(result).toBe(lines.with(1, "by Bo\n").with(18, "by Ada\n").join(""));
  });

  test("makes no commit when main has just the same already", async () => {
    await using story = await Story.begin();
    const { bo, merged } = await meet(story, {}, { "a.js": text }, { "a.js": text });
    expect(merged).toEqual({ kind: "merged", commit: bo.hash, fresh: false });
  });

  test.each([
    ["main deleted", { "a.js": undefined }, { "a.js": withLine(3, "by Ada") }],
    ["the subtask deleted", { "a.js": withLine(3, "by Bo") }, { "a.js": undefined }],
  ])("of an edit against what %s names both", async (_, onMain, inYours) => {
    await using story = await Story.begin();
    const { bo, ada, merged } = await meet(story, { "a.js": text }, onMain, inYours);
    expect(conflictsOf(merged)).toEqual([{ path: "a.js", kind: "modify/delete", ...sides(bo, ada) }]);
  });

  test("brings an edit to where the file was renamed to", async () => {
    await using story = await Story.begin();
    const { merged } = await meet(
      story,
      { "old.js": text },
      { "old.js": undefined, "new.js": text },
      { "old.js": withLine(3, "by Ada") },
    );
    expect(merged).toMatchObject({ kind: "merged", fresh: true });
    const commit = merged.kind === "merged" ? merged.commit : "";
    expect(await story.show(commit, "new.js")).toBe(withLine(3, "by Ada"));
    await expect(story.show(commit, "old.js")).rejects.toThrow("old.js");
  });

  test("leaves a new file where its author put it, though the other side renamed the folder", async () => {
    await using story = await Story.begin();
    const { merged } = await meet(
      story,
      { "lib/a.js": text, "lib/b.js": `${text}b\n` },
      { "lib/a.js": undefined, "lib/b.js": undefined, "src/a.js": text, "src/b.js": `${text}b\n` },
      { "lib/c.js": "new\n" },
    );
    expect(merged.kind === "merged" ? await story.show(merged.commit, "lib/c.js") : "").toBe("new\n");
  });

  test.each<[string, Changes, Changes, Changes, string, string]>([
    [
      "two names for one file",
      { "old.js": text },
      { "old.js": undefined, "bo.js": text },
      { "old.js": undefined, "ada.js": text },
      "old.js",
      "rename/rename",
    ],
    [
      "a renamed file that the other deleted",
      { "old.js": text },
      { "old.js": undefined, "bo.js": text },
      { "old.js": undefined },
      "bo.js",
      "rename/delete",
    ],
    ["two new files of one name", {}, { "a.js": "by Bo\n" }, { "a.js": "by Ada\n" }, "a.js", "add/add"],
    [
      "a binary file",
      { "a.png": new Uint8Array([0, 1, 2]) },
      { "a.png": new Uint8Array([0, 1, 3]) },
      { "a.png": new Uint8Array([0, 1, 4]) },
      "a.png",
      "binary",
    ],
  ])("tells of %s", async (_, before, onMain, inYours, path, kind) => {
    await using story = await Story.begin();
    const { bo, ada, merged } = await meet(story, before, onMain, inYours);
    expect(conflictsOf(merged)).toContainEqual({ path, kind, ...sides(bo, ada) });
    expect(new Set(conflictsOf(merged).map((conflict) => conflict.path)).size).toBe(conflictsOf(merged).length);
  });

  test("tells of a file where the other made a folder, and of a link where the other has a file", async () => {
    await using story = await Story.begin();
    const { merged } = await meet(
      story,
      {},
      { thing: "a file\n", other: { mode: "120000", content: "thing" } },
      { "thing/inside.js": "x\n", other: "a file\n" },
    );
    const kinds = conflictsOf(merged).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(["file/directory", "distinct types"]));
  });

  test("keeps odd names apart, and says each in one line", async () => {
    await using story = await Story.begin();
    const names = ["line\nbreak", "tab\t`tick`", "ünï 🥗"];
    const all = (content: string): Changes => Object.fromEntries(names.map((name) => [name, content]));
    const { merged } = await meet(story, all("0\n"), all("1\n"), all("2\n"));
    const conflicts = conflictsOf(merged);
    expect(conflicts.map(({ path }) => path).toSorted()).toEqual(names.toSorted());
    for (const line of conflictText(conflicts)) expect(line).not.toMatch(/\n/);
  });

  test("goes on top of what somebody else put on the branch in the same moment", async () => {
    await using story = await Story.begin();
    const { hash } = await story.commit({ "a.txt": "a\n" }, { subtask: "a" });
    let disturbed = 0;
    const repository: Repository = {
      ...story.repository,
      commitTree: async (tree, parents, words) => {
        if (disturbed++ === 0) await story.commit({ "other.txt": "meanwhile\n" });
        return story.repository.commitTree(tree, parents, words);
      },
    };
    const request = { into: "main", commit: hash, words: story.words() };
    const merged = await mergeInto(story.git, repository, request);
    expect(merged).toMatchObject({ kind: "merged", fresh: true });
    for (const path of ["a.txt", "other.txt"]) expect(await story.show("main", path)).not.toBe("");
  });

  test("is not talked into taking one side by a .gitattributes", async () => {
    await using story = await Story.begin();
    const { merged } = await meet(
      story,
      { ".gitattributes": "* merge=union\n", "a.js": text },
      { "a.js": withLine(3, "by Bo") },
      { "a.js": withLine(3, "by Ada") },
    );
    expect(conflictsOf(merged)).toMatchObject([{ path: "a.js", kind: "content" }]);
  });
});
