import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { CrewError } from "../../../src/core/errors.ts";
import { stage } from "./support.ts";

const brought = "What was recorded of it can be brought back with restore_file.";

test("delete_file deletes a file, and says when there is none", async () => {
  await using here = await stage();
  await here.put({ "a.txt": "a", "b.txt": "b" });
  const drop = (path: string) => here.use({ kind: "delete", path });
  expect(await drop("a.txt/")).toBe("Not deleted: a.txt is no folder; leave out the / at its end.");
  expect(await drop("a.txt")).toBe(`Deleted: a.txt. ${brought}`);
  expect(await drop("a.txt")).toBe("Not deleted: there is no a.txt.");
  expect(await drop(".")).toBe("Not deleted: it is the folder of all files.");
  expect(await readdir(here.tree.root)).toEqual([".git", "b.txt"]);
});

test("delete_file deletes a folder only when it is named as one, and counts what was in it", async () => {
  await using here = await stage();
  await here.put({ "src/a.txt": "a", "src/lib/b.txt": "b", "src/lib/deep/c.txt": "c" });
  expect(await here.use({ kind: "delete", path: "src" })).toBe(
    "Not deleted: src is a folder; with src/ it is deleted with all that is in it.",
  );
  expect(await here.use({ kind: "delete", path: "src/" })).toBe(`Deleted: src/ with 3 files. ${brought}`);
  await mkdir(here.at("hollow"));
  expect(await here.use({ kind: "delete", path: "hollow/" })).toBe(`Deleted: hollow/ with 0 files. ${brought}`);
  expect(await readdir(here.tree.root)).toEqual([".git"]);
});

test("delete_file takes links away, and never what they lead to", async () => {
  await using here = await stage();
  await here.put({ "src/a.txt": "a" });
  await symlink("../outside", here.at("out"));
  await symlink("../../outside/folder", here.at("src/out"));
  const before = await here.around();
  expect(await here.use({ kind: "delete", path: "out/secret.txt" })).toMatch(/^Not deleted: .* is a link/);
  expect(await here.use({ kind: "delete", path: "out/" })).toMatch(/^Not deleted: out is no folder/);
  expect(await here.use({ kind: "delete", path: "out" })).toMatch(/^Deleted: out\./);
  expect(await here.use({ kind: "delete", path: "src/" })).toBe(`Deleted: src/ with 2 files. ${brought}`);
  expect(await here.around()).toBe(before);
});

test.runIf(process.platform === "linux")("delete_file deletes names that are not UTF-8", async () => {
  await using here = await stage();
  await mkdir(here.at("odd"));
  await writeFile(Buffer.concat([Buffer.from(here.at("odd/")), Buffer.from([0xff, 0xfe])]), "x");
  expect(await here.use({ kind: "delete", path: "odd/" })).toBe(`Deleted: odd/ with 1 file. ${brought}`);
});

test("what is deleted is recorded before, and stays when that fails", async () => {
  await using here = await stage();
  await here.put({ "a.txt": "a" });
  const seen: string[] = [];
  const record = async () => void seen.push(await here.text("a.txt"));
  const fails = async () => Promise.reject(new CrewError("GIT_FAILED", { command: "commit", reason: "it is broken" }));
  expect(await here.use({ kind: "delete", path: "a.txt" }, { record: fails })).toMatch(
    /^Not deleted: git commit failed: it is broken\. The files are as they were/,
  );
  expect(await here.use({ kind: "delete", path: "a.txt" }, { record })).toMatch(/^Deleted/);
  expect(seen).toEqual(["a"]);
});
