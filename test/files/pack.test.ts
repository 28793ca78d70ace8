import { readdir } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { packIfNeeded } from "../../src/files/pack.ts";
import { bench } from "./support.ts";

test(
  "thousands of loose objects are joined, and none is lost, also none that no branch holds",
  { timeout: 60_000 },
  async () => {
    const { git, repository } = await bench();
    const place = { gitDir: repository.path };
    const loose = async (): Promise<number> => Number((await git.text(place, ["count-objects"])).split(" ")[0]);
    const contents = Array.from({ length: 2_300 }, (_, index) => `content ${index}\n`);
    // As a stream of blobs, of which none is in any tree.
    const stream = contents.map((content) => `blob\ndata ${content.length}\n${content}\n`).join("");
    await git.run(place, ["-c", "fastimport.unpackLimit=100000", "fast-import", "--quiet"], { input: stream });
    const hash = await git.text(place, ["hash-object", "--stdin"], { input: contents[7] ?? "" });
    expect(await loose()).toBeGreaterThan(2_000);
    await packIfNeeded(git, repository);
    expect(await git.text(place, ["cat-file", "-p", hash])).toBe("content 7");
    const entries = await readdir(path.join(repository.path, "objects", "pack"));
    expect(entries.filter((name) => name.endsWith(".pack")).length).toBeLessThanOrEqual(2);
  },
);
