import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { factsOf } from "../../src/files/changes.ts";
import { changesTold } from "../../src/files/port.ts";
import { mergeInto } from "../../src/files/merge.ts";
import { Story } from "./story.ts";

function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

const long = Array.from({ length: 40 }, (_, line) => `line ${line}\n`).join("");

describe("what a commit changed", () => {
  test("tells each kind with lines, sizes, modes and hashes of the bytes", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    await story.commit({ "a.txt": "one\ntwo\n", "gone.txt": "bye\n", "old name.txt": long, "run.sh": "#!/bin/sh\n" });
    const binary = new Uint8Array([0, 1, 2, 255]);
    const commit = await story.commit({
      "a.txt": "one\n2\nthree\n",
      "gone.txt": undefined,
      "old name.txt": undefined,
      "dir/new name.txt": `${long}more\n`,
      "run.sh": { mode: "100755", content: "#!/bin/sh\n" },
      empty: "",
      "picture.png": binary,
      link: { mode: "120000", content: "a.txt" },
    });
    const facts = await factsOf(git, repository, commit, 10_000);
    expect(facts.changes).toEqual([
      {
        path: "a.txt",
        kind: "modified",
        mode: "100644",
        added: 2,
        removed: 1,
        size: 12,
        sha256: sha256("one\n2\nthree\n"),
      },
      {
        path: "dir/new name.txt",
        kind: "renamed",
        from: "old name.txt",
        mode: "100644",
        added: 1,
        removed: 0,
        size: long.length + 5,
        sha256: sha256(`${long}more\n`),
      },
      { path: "empty", kind: "added", mode: "100644", added: 0, removed: 0, size: 0, sha256: sha256("") },
      { path: "gone.txt", kind: "deleted", added: 0, removed: 1 },
      { path: "link", kind: "added", mode: "120000", added: 1, removed: 0, size: 5, sha256: sha256("a.txt") },
      { path: "picture.png", kind: "added", mode: "100644", size: 4, sha256: sha256(binary) },
      { path: "run.sh", kind: "mode", mode: "100755", added: 0, removed: 0, size: 10, sha256: sha256("#!/bin/sh\n") },
    ]);
    expect(facts).toMatchObject({ files: 7, added: 4, removed: 2 });
    expect(facts.diff).toContain("-two\n+2\n+three\n");
    expect(facts.diff).toContain("rename from old name.txt");
  });

  test("keeps odd names as they are", async () => {
    await using story = await Story.begin();
    const names = [
      "-rf",
      ":(top)x",
      " space ",
      "tab\there",
      "line\nbreak",
      'quo"te',
      "ünï/🥗.txt",
      "back\\slash",
      "*?[a]",
    ];
    const commit = await story.commit(Object.fromEntries(names.map((name) => [name, `${name}\n`])));
    const { changes } = await factsOf(story.git, story.repository, commit, 0);
    expect(changes.map(({ path }) => path)).toEqual(
      names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    for (const { path, sha256: told } of changes) expect(told).toBe(sha256(`${path}\n`));
  });

  test("gives no diff where it is too long, and none where there is no text", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const text = await story.commit({ "a.txt": long });
    const { diff = "" } = await factsOf(git, repository, text, 10_000);
    expect((await factsOf(git, repository, text, Buffer.byteLength(diff))).diff).toBe(diff);
    expect((await factsOf(git, repository, text, Buffer.byteLength(diff) - 1)).diff).toBeUndefined();
    expect((await factsOf(git, repository, text, 0)).diff).toBeUndefined();
    const binary = await story.commit({ "b.bin": new Uint8Array([0, 1, 2]) });
    expect((await factsOf(git, repository, binary, 10_000)).diff).toBeUndefined();
  });

  test("says of a merge what it brought to the branch that it was made on", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const { hash } = await story.commit({ "sub.txt": "from the subtask\n" }, { subtask: "parser" });
    await story.commit({ "main.txt": "meanwhile\n" });
    const merged = await mergeInto(git, repository, { into: "main", commit: hash, words: story.words() });
    if (merged.kind !== "merged") throw new Error("expected it to go together");
    const facts = await factsOf(git, repository, await repository.read(merged.commit, "main"), 1000);
    expect(facts.changes.map(({ path }) => path)).toEqual(["sub.txt"]);
  });

  test("tells only the first of 10,000 files, but counts all", async () => {
    await using story = await Story.begin();
    const many = Array.from({ length: 10_000 }, (_, count): [string, string] => [
      `src/${String(count).padStart(5, "0")}.txt`,
      "the same\n",
    ]);
    const [blob, lines] = [await story.blob("the same\n"), [] as string[]];
    for (const [path] of many) lines.push(`100644 ${blob}\t${path}\0`);
    const place = { gitDir: story.repository.path };
    const env = { GIT_INDEX_FILE: story.path("many") };
    await story.git.run(place, ["update-index", "-z", "--index-info"], { env, input: lines.join("") });
    const tree = await story.git.text(place, ["write-tree"], { env });
    const hash = await story.repository.commitTree(tree, [story.repository.root], story.words());
    const facts = await factsOf(story.git, story.repository, await story.repository.read(hash, "main"), 10_000);
    expect(facts.changes).toHaveLength(changesTold);
    expect(facts.changes.at(-1)).toMatchObject({ path: "src/00049.txt", sha256: sha256("the same\n") });
    expect(facts).toMatchObject({ files: 10_000, added: 10_000, removed: 0 });
    expect(facts.diff).toBeUndefined();
  });

  test("says of an empty commit that nothing changed", async () => {
    await using story = await Story.begin();
    const commit = await story.commit({});
    expect(await factsOf(story.git, story.repository, commit, 1000)).toEqual({
      commit,
      changes: [],
      files: 0,
      added: 0,
      removed: 0,
    });
  });
});
