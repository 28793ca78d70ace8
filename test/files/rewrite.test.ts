import { mkdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { CommitHash } from "../../src/core/ids.ts";
import { mergeInto } from "../../src/files/merge.ts";
import { rewriteWithout } from "../../src/files/rewrite.ts";
import { failure, Story } from "./story.ts";

const secret = "the withdrawn content\n";

/** All that a commit says, without its name, its parents' and its tree's. */
async function said(story: Story, branch: string): Promise<string> {
  const format = "--format=%an <%ae> %at%n%cn <%ce> %ct%n%B";
  return story.git.text({ gitDir: story.repository.path }, ["log", "--topo-order", format, branch]);
}

async function names(story: Story, branch: string): Promise<readonly string[]> {
  const list = await story.git.text({ gitDir: story.repository.path }, ["log", "--format=%H", "--topo-order", branch]);
  return list.split("\n");
}

async function has(story: Story, object: string): Promise<boolean> {
  const place = { gitDir: story.repository.path };
  return (await story.git.run(place, ["cat-file", "-e", object], { expected: [0, 1, 128] })).code === 0;
}

describe("taking a content out of history", () => {
  test("leaves everything else: files, authors, dates, messages, merges and emptied commits", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const before = await story.commit({ "kept.txt": "kept\n" }, { message: "Before" });
    await story.commit(
      { "upload.txt": secret },
      { by: "Bo", message: `Add it\n\nM 100644 ${await story.blob(secret)} x` },
    );
    const sub = await story.commit(
      { "ünï/copy \n of it": secret, "own.txt": "own\n", bin: new Uint8Array([0, 10, 255]) },
      { by: "Ada", subtask: "parser", message: "Work on it" },
    );
    await story.commit({ "kept.txt": "kept and changed\n" }, { message: "Meanwhile" });
    const words = story.words({ by: "Bot", subtask: "parser", message: "Merge parser" });
    await mergeInto(git, repository, { into: "main", commit: sub.hash, words });
    await story.commit({ "upload.txt": "another version\n" }, { message: "Replace" });
    await story.commit({ "late.txt": "late\n" }, { branch: "late/parser/ada/1", onto: before.hash });
    const blob = await story.blob(secret);
    const heads = await repository.heads();
    const [saidBefore, olds] = [await said(story, "main"), await names(story, "main")];

    const result = await rewriteWithout(git, repository, blob, heads);

    expect(await has(story, blob)).toBe(false);
    expect(await said(story, "main")).toBe(saidBefore);
    const news = await names(story, "main");
    expect(news).toEqual(olds.map((old) => result.map[old] ?? old));
    expect(Object.keys(result.map)).toHaveLength(5);
    expect(result.map[before.hash]).toBeUndefined();
    for (const old of Object.keys(result.map)) expect(await has(story, old)).toBe(false);
    expect(await repository.heads()).toEqual(result.heads);
    expect(result.heads["late/parser/ada/1"]).toBe(heads["late/parser/ada/1"]);
    const place = { gitDir: repository.path };
    expect(await git.text(place, ["ls-tree", "-r", "--name-only", "main"])).toBe(
      ["bin", "kept.txt", "own.txt", "upload.txt"].join("\n"),
    );
    expect(await story.show("main", "kept.txt")).toBe("kept and changed\n");
    expect(await git.text(place, ["for-each-ref", "--format=%(refname)", "refs/crewroom"])).toBe("");
    await git.run(place, ["fsck", "--strict"]);
    const merge = await repository.read((await names(story, "main^"))[0] as CommitHash, "main");
    expect(merge.parents).toEqual([expect.any(String), result.heads["subtask/parser"]]);
  });

  test("gives a path back the state before, where the content had replaced another", async () => {
    await using story = await Story.begin();
    await story.commit({ "a.txt": "one\n", "b.txt": "b\n" });
    await story.commit({ "a.txt": secret, "b.txt": undefined, "b.txt/below": secret });
    await story.commit({ "c.txt": "c\n" });
    const blob = await story.blob(secret);
    await rewriteWithout(story.git, story.repository, blob, await story.repository.heads());
    const place = { gitDir: story.repository.path };
    expect(await story.git.text(place, ["ls-tree", "-r", "--name-only", "main"])).toBe("c.txt");
    expect(await has(story, blob)).toBe(false);
  });

  test("is refused, with nothing changed, while a worktree or another ref holds it", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const { hash } = await story.commit({ "a.txt": secret });
    await story.commit({ "a.txt": undefined });
    const blob = await story.blob(secret);
    const heads = await repository.heads();
    const place = { gitDir: repository.path };
    const attempt = () => rewriteWithout(git, repository, blob, heads);

    await git.run(place, ["update-ref", "refs/tags/v1", hash]);
    const tagged = await failure(attempt);
    expect(tagged.code).toBe("FILES_HELD");
    expect(tagged.message).toContain("refs/tags/v1");
    await git.run(place, ["update-ref", "-d", "refs/tags/v1"]);

    await mkdir(story.path("work"));
    await git.run(place, ["worktree", "add", "--detach", story.path("work/reader"), hash]);
    const open = await failure(attempt);
    expect(open.code).toBe("FILES_HELD");
    expect(open.message).toContain("reader");
    expect(await repository.heads()).toEqual(heads);
    await git.run(place, ["worktree", "remove", "--force", story.path("work/reader")]);

    await attempt();
    expect(await has(story, blob)).toBe(false);
  });

  test("is not kept from it by what a crash left while a bundle was made", async () => {
    await using story = await Story.begin();
    const { git, repository } = story;
    const { hash } = await story.commit({ "a.txt": secret });
    await git.run({ gitDir: repository.path }, ["update-ref", "refs/crewroom/bundle/left", hash]);
    const blob = await story.blob(secret);
    await rewriteWithout(git, repository, blob, await repository.heads());
    expect(await has(story, blob)).toBe(false);
  });

  test("is refused when a branch is not where it was said to be", async () => {
    await using story = await Story.begin();
    const { hash } = await story.commit({ "a.txt": secret });
    await story.commit({ "b.txt": "b\n" });
    const blob = await story.blob(secret);
    const { code } = await failure(() => rewriteWithout(story.git, story.repository, blob, { main: hash }));
    expect(code).toBe("FILES_MOVED");
    expect(await has(story, blob)).toBe(true);
  });
});
