import { writeFile } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { createGit, gitVersion } from "../../src/files/git.ts";
import { bench, freshFolder } from "./support.ts";

test("a git that is not installed is told as such", async () => {
  await expect(gitVersion(createGit("no-such-git"))).rejects.toMatchObject({ code: "GIT_MISSING" });
  expect(await gitVersion(createGit())).toMatch(/^\d+\.\d+/);
});

test("a failure names the command and what git said", async () => {
  const { git, repository } = await bench();
  const failed = git.run({ gitDir: repository.path }, ["-c", "core.compression=1", "cat-file", "-t", "nothing"]);
  await expect(failed).rejects.toMatchObject({ code: "GIT_FAILED", details: { command: "cat-file" } });
  const ended = git.run({ gitDir: repository.path }, ["cat-file", "-t", "main"], { signal: AbortSignal.abort("stop") });
  await expect(ended).rejects.toBe("stop");
});

test("an input that breaks off is no whole input", async () => {
  const { git, repository } = await bench();
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from("half");
    throw new Error("broke off");
  }
  const call = { input: Readable.from(broken()) };
  const stored = git.run({ gitDir: repository.path }, ["hash-object", "-w", "--stdin"], call);
  await expect(stored).rejects.toMatchObject({ code: "GIT_FAILED" });
});

test("neither the user's nor the machine's config counts", async () => {
  const home = await freshFolder();
  await writeFile(path.join(home, ".gitconfig"), "[crew]\n\troom = seen\n");
  const [before, git] = [process.env["HOME"], createGit()];
  process.env["HOME"] = home;
  try {
    expect((await git.run(undefined, ["config", "crew.room"], { expected: [1] })).code).toBe(1);
  } finally {
    process.env["HOME"] = before;
  }
});
