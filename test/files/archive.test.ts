import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { makeArchive } from "../../src/files/archive.ts";
import { Story } from "./story.ts";

/** What a zip has, by path: read from its central directory. */
function unzip(zip: Buffer): Record<string, string> {
  const files: Record<string, string> = {};
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [method, packed] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20)];
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const local = zip.readUInt32LE(at + 42);
    const name = zip.toString("utf8", at + 46, at + 46 + (nameLength ?? 0));
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const bytes = zip.subarray(start, start + packed);
    if (!name.endsWith("/")) files[name] = (method === 8 ? inflateRawSync(bytes) : bytes).toString();
    at += 46 + (nameLength ?? 0) + (extra ?? 0) + (comment ?? 0);
  }
  return files;
}

test("an archive has every file of a commit as it is, in one folder", async () => {
  await using story = await Story.begin();
  const attributes = "*.txt export-ignore\n*.js export-subst text eol=crlf\nodd working-tree-encoding=UTF-16\n";
  const { hash } = await story.commit({
    ".gitattributes": attributes,
    "a.txt": "a\n",
    "src/ü.js": "$Format:%H$\n",
    odd: "odd\n",
    empty: "",
  });
  const made = await makeArchive(story.git, story.repository, hash, "task-7-abc", story.path("out.zip"));
  const zip = await readFile(story.path("out.zip"));
  expect(made).toEqual({
    path: story.path("out.zip"),
    size: zip.length,
    sha256: createHash("sha256").update(zip).digest("hex"),
  });
  expect(unzip(zip)).toEqual({
    "task-7-abc/.gitattributes": attributes,
    "task-7-abc/a.txt": "a\n",
    "task-7-abc/src/ü.js": "$Format:%H$\n",
    "task-7-abc/odd": "odd\n",
    "task-7-abc/empty": "",
  });
});

test("a commit's archive is always the same, byte for byte", async () => {
  await using story = await Story.begin();
  const { hash } = await story.commit({ "a.txt": "a\n", "dir/b.txt": "b\n" });
  await story.commit({ "a.txt": "later\n" });
  const [one, two] = [
    await makeArchive(story.git, story.repository, hash, "x", story.path("one.zip")),
    await makeArchive(story.git, story.repository, hash, "x", story.path("two.zip")),
  ];
  expect(two.sha256).toBe(one.sha256);
});
