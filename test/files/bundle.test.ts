import { createHash } from "node:crypto";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { CommitHash } from "../../src/core/ids.ts";
import { makeBundle, takeBundle } from "../../src/files/bundle.ts";
import { failure, Story } from "./story.ts";

async function refs(story: Story): Promise<string> {
  return story.git.text({ gitDir: story.repository.path }, ["for-each-ref"]);
}

/** A bundle of a commit with this tree, written past all that git itself would refuse. */
async function hostile(story: Story, entries: readonly (readonly [mode: string, name: string, hash: string])[]) {
  const place = { gitDir: story.repository.path };
  const raw = Buffer.concat(
    entries.flatMap(([mode, name, hash]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(hash, "hex")]),
  );
  const tree = await story.git.text(place, ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], {
    input: raw,
  });
  const text = `tree ${tree}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nhostile\n`;
  const commit = await story.git.text(place, ["hash-object", "-t", "commit", "-w", "--stdin"], { input: text });
  const path = story.path("hostile.bundle");
  await makeBundle(story.git, story.repository, commit as CommitHash, [], path);
  return { path, commit: commit as CommitHash };
}

describe("a commit's bundle", () => {
  test("brings exactly that commit to another repository, and moves no branch there", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const one = await here.commit({ "a.txt": "one\n" });
    const two = await here.commit({ "a.txt": "two\n", "b.bin": new Uint8Array([0, 255]) });
    const before = await refs(there);
    const hereBefore = await refs(here);
    const first = await makeBundle(here.git, here.repository, one.hash, [], here.path("one"));
    const second = await makeBundle(here.git, here.repository, two.hash, [one.hash], here.path("two"));
    expect(first.needs).toEqual([]);
    expect(second.needs).toEqual([one.hash]);
    const bytes = await readFile(second.path);
    expect(second).toMatchObject({ size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
    expect(await refs(here)).toBe(hereBefore);

    await takeBundle(there.git, there.repository, first.path, one.hash);
    expect(await there.repository.has(two.hash)).toBe(false);
    await takeBundle(there.git, there.repository, second.path, two.hash);
    await takeBundle(there.git, there.repository, second.path, two.hash);
    expect(await there.show(two.hash, "a.txt")).toBe("two\n");
    expect(await refs(there)).toBe(before);
  });

  test("names the commits that it builds on when they are not there", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const one = await here.commit({ "a.txt": "one\n" });
    const two = await here.commit({ "a.txt": "two\n" });
    const { path } = await makeBundle(here.git, here.repository, two.hash, [one.hash], here.path("two"));
    const { code, message } = await failure(() => takeBundle(there.git, there.repository, path, two.hash));
    expect(code).toBe("FILES_DAMAGED");
    expect(message).toContain(one.hash);
  });

  test("is refused when a byte is wrong, when it is cut off, and when it is none", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const one = await here.commit({ "a.txt": "some text that is long enough\n".repeat(20) });
    const { path } = await makeBundle(here.git, here.repository, one.hash, [], here.path("one"));
    const bytes = await readFile(path);
    const wrong = Buffer.from(bytes);
    const at = wrong.length - 40;
    wrong.writeUInt8(wrong.readUInt8(at) ^ 1, at);
    for (const content of [wrong, bytes.subarray(0, bytes.length - 30), Buffer.from("hello"), Buffer.alloc(0)]) {
      await writeFile(here.path("broken"), content);
      const { code } = await failure(() => takeBundle(there.git, there.repository, here.path("broken"), one.hash));
      expect(code).toBe("FILES_DAMAGED");
    }
    expect(await there.repository.has(one.hash)).toBe(false);
  });

  test("is refused when it brings another commit than it says", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const one = await here.commit({ "a.txt": "one\n" });
    const two = await here.commit({ "a.txt": "two\n" });
    const { path } = await makeBundle(here.git, here.repository, one.hash, [], here.path("one"));
    expect((await failure(() => takeBundle(there.git, there.repository, path, two.hash))).code).toBe("FILES_DAMAGED");
    // Its header may say what it likes.
    const bytes = await readFile(path);
    const header = bytes.indexOf("\n\n") + 2;
    const lie = bytes.toString("latin1", 0, header).replaceAll(one.hash, two.hash);
    await writeFile(here.path("lie"), Buffer.concat([Buffer.from(lie), bytes.subarray(header)]));
    const told = await failure(() => takeBundle(there.git, there.repository, here.path("lie"), two.hash));
    expect(told.code).toBe("FILES_DAMAGED");
  });

  test("is refused when it hides what it builds on", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const one = await here.commit({ "a.txt": "one\n", "kept.txt": "kept\n" });
    const two = await here.commit({ "a.txt": "two\n" });
    const { path } = await makeBundle(here.git, here.repository, two.hash, [one.hash], here.path("two"));
    const bytes = await readFile(path);
    const text = bytes.toString("latin1", 0, bytes.indexOf("\n\n"));
    const without = text.replace(/\n-[^\n]*/, "");
    expect(without).not.toBe(text);
    await writeFile(here.path("hiding"), Buffer.concat([Buffer.from(without), bytes.subarray(text.length)]));
    const { code } = await failure(() => takeBundle(there.git, there.repository, here.path("hiding"), two.hash));
    expect(code).toBe("FILES_DAMAGED");
    expect(await there.repository.has(two.hash)).toBe(false);
  });

  test("is refused with names that lead out or into git's own folder, and with a path twice", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const blob = await here.blob("#!/bin/sh\ntouch /tmp/pwned\n");
    const target = await here.blob("/etc");
    const place = { gitDir: here.repository.path };
    const folder = await here.git.text(place, ["mktree"], { input: `100755 blob ${blob}\tpost-checkout\n` });
    const trees = [
      [["40000", ".git", folder]],
      [["40000", ".GIT", folder]],
      [["40000", "git~1", folder]],
      [["40000", "..", folder]],
      [["40000", ".", folder]],
      [["100644", "../../etc/passwd", blob]],
      [["100644", "a/b", blob]],
      [
        ["120000", "dir", target],
        ["40000", "dir", folder],
      ],
      [
        ["100644", "same", blob],
        ["100644", "same", target],
      ],
    ] as const;
    for (const entries of trees) {
      const { path, commit } = await hostile(here, entries);
      const told = await failure(() => takeBundle(there.git, there.repository, path, commit));
      expect([entries, told.code]).toEqual([entries, "FILES_DAMAGED"]);
      expect(await there.repository.has(commit)).toBe(false);
    }
  });

  test("can bring a .gitmodules with anything in it, for nothing follows it", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const odd = '[submodule "../x"]\n\tpath = -p\n\turl = --upload-pack=touch /tmp/pwned\n\tupdate = !sh\n';
    const { hash } = await here.commit({ ".gitmodules": odd });
    const { path } = await makeBundle(here.git, here.repository, hash, [], here.path("odd"));
    await takeBundle(there.git, there.repository, path, hash);
    expect(await there.show(hash, ".gitmodules")).toBe(odd);
  });

  test("leaves nothing behind when there is nothing to bring", async () => {
    await using here = await Story.begin();
    const { hash } = await here.commit({ "a.txt": "one\n" });
    const before = await refs(here);
    await writeFile(here.path("keep"), "x");
    await copyFile(here.path("keep"), here.path("into"));
    const { code } = await failure(() => makeBundle(here.git, here.repository, hash, [hash], here.path("into")));
    expect(code).toBe("GIT_FAILED");
    expect(await refs(here)).toBe(before);
    await expect(readFile(here.path("into"))).rejects.toThrow("ENOENT");
  });
});
