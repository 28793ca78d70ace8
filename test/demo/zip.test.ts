import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { readZip } from "../../src/demo/zip.ts";

const run = promisify(execFile);

async function archive(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const folder = await mkdtemp(path.join(tmpdir(), "crewroom-zip-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const git = async (...args: readonly string[]): Promise<unknown> =>
    run("git", ["-c", "user.name=A", "-c", "user.email=a@b", ...args], { cwd: folder });
  await git("init", "-q");
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
  await git("add", ".");
  await git("commit", "-q", "--allow-empty", "-m", "all");
  await git("archive", "--format=zip", "--prefix=all/", "--output=all.zip", "HEAD");
  return readFile(path.join(folder, "all.zip"));
}

test("an archive that git made is read: packed, stored, empty and with any name", async () => {
  const files = { "long.txt": "word ".repeat(1000), "a b.md": "x", "größe.txt": "ä", "empty.txt": "" };
  const read = [...readZip(await archive(files))].map(([name, content]) => [name, content.toString()]);
  expect(Object.fromEntries(read)).toEqual(
    Object.fromEntries(Object.entries(files).map(([name, content]) => [`all/${name}`, content])),
  );
});

test("what is no archive, is cut or is damaged is refused", async () => {
  const whole = await archive({ "a.txt": "some words" });
  expect(() => readZip(Buffer.from("no zip"))).toThrow("it has no end");
  expect(() => readZip(whole.subarray(0, whole.length - 70))).toThrow("it has no end");
  expect(() => readZip(whole.subarray(40))).toThrow("cannot be read");
  const damaged = Buffer.from(whole);
  const at = damaged.indexOf("some words");
  damaged.write("other word", at);
  expect(() => readZip(damaged)).toThrow("all/a.txt is damaged");
});
