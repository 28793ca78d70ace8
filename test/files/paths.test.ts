import { mkdir, readdir, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CrewError } from "../../src/core/errors.ts";
import type { FileRequest } from "../../src/core/files.ts";
import { openFolder } from "../../src/files/folder.ts";
import { isGitFolder, placeIn } from "../../src/files/paths.ts";
import { stage, type Stage } from "./operations/support.ts";

type Purpose = Parameters<typeof placeIn>[2];

/** Why a path is refused, or where it leads from the worktree's root. */
async function lead(here: Stage, given: string, purpose: Purpose): Promise<string> {
  try {
    const { absolute, relative, root, parts } = await placeIn(here.tree, given, purpose);
    expect(absolute).toBe(join(root, ...parts));
    return `${relative} → ${parts.join("/")}`;
  } catch (thrown) {
    const told =
      thrown instanceof CrewError && thrown.code === "FILE_REFUSED" && !thrown.message.includes(here.outside);
    if (!told) throw thrown;
    return String(thrown.details["reason"]);
  }
}

const out = "it leads out of the task's files";
const byLink = "by a link it leads out of the task's files";

describe("a path", () => {
  test.each([
    ["a.txt", "a.txt → a.txt"],
    ["./src//a.txt", "src/a.txt → src/a.txt"],
    ["src/../a.txt", "a.txt → a.txt"],
    ["src/", "src → src"],
    ["..a/b..", "..a/b.. → ..a/b.."],
    [".gitignore", ".gitignore → .gitignore"],
    [".github/x.yml", ".github/x.yml → .github/x.yml"],
    ["ünï/日本 語.txt", "ünï/日本 語.txt → ünï/日本 語.txt"],
    ["~/x", "~/x → ~/x"],
    ["..", out],
    ["a/../../tree/a.txt", out],
    ["/etc/passwd", out],
    ["/", out],
    ["", "it is empty"],
    ["  ", "it is empty"],
    ["a\0b", "it has characters that no path can have"],
    ["a\ud800", "it has characters that no path can have"],
    ["x/".repeat(2_000), "it is longer than 3000 bytes"],
    [`${"é".repeat(128)}.txt`, "a name in it is longer than 255 bytes"],
    [".git", "git's own files are not part of the task's files"],
    ["vendor/.GIT/config", "git's own files are not part of the task's files"],
  ])("%j leads to %j for every purpose", async (given, where) => {
    await using here = await stage();
    for (const purpose of ["read", "write", "entry"] as const) expect(await lead(here, given, purpose)).toBe(where);
  });

  test("that is absolute is taken when it leads into the worktree, and a neighbour with a like name is none", async () => {
    await using here = await stage();
    expect(await lead(here, here.at("src/a.txt"), "write")).toBe("src/a.txt → src/a.txt");
    expect(await lead(here, `${here.tree.root}-2/a.txt`, "read")).toBe(out);
    expect(await lead(here, here.tree.root, "read")).toBe(" → ");
    expect(await lead(here, ".", "write")).toBe("it is the folder of all files");
  });

  test("is the same by way of a link to the worktree itself", async () => {
    await using here = await stage();
    await symlink(here.tree.root, join(here.outside, "alias"));
    const tree = { root: join(here.outside, "alias") };
    const place = await placeIn(tree, join(here.outside, "alias", "a.txt"), "write");
    expect([place.root, place.relative]).toEqual([here.tree.root, "a.txt"]);
  });
});

test.each([
  ".git",
  ".GIT",
  ".Git",
  "git~1",
  "GIT~1",
  ".git.",
  ".git ",
  ".git . .",
  ".git::$INDEX_ALLOCATION",
  ".gi\u200ct",
  "\ufeff.git",
  "a\\.git",
])("%j is git's folder on some file system", (name) => {
  expect(isGitFolder(name)).toBe(true);
});

test.each([".gitignore", "git", "git~2", ".gitmodules", ".git2", "a.git", "..git"])(
  "%j is not git's folder",
  (name) => {
    expect(isGitFolder(name)).toBe(false);
  },
);

describe("a link", () => {
  async function links(): Promise<Stage> {
    const here = await stage();
    await here.put({ "src/a.txt": "a\n" });
    const made: Readonly<Record<string, string>> = {
      "in.txt": "src/a.txt",
      into: "src",
      "src/up": "../in.txt",
      absolute: here.at("src/a.txt"),
      out: "../outside",
      "out.txt": "../outside/secret.txt",
      "gone.txt": "../outside/no-such-file",
      root: "/",
      back: `../${basename(here.tree.root)}/src/a.txt`,
      loop: "loop",
      nowhere: "src/none",
      git: ".git",
    };
    for (const [path, target] of Object.entries(made)) await symlink(target, here.at(path));
    return here;
  }

  test.each([
    ["in.txt", "in.txt → src/a.txt"],
    ["into/a.txt", "into/a.txt → src/a.txt"],
    ["into/up", "into/up → src/a.txt"],
    ["absolute", "absolute → src/a.txt"],
    ["nowhere", "nowhere → src/none"],
    ["out", byLink],
    ["out/secret.txt", byLink],
    ["out/no-such-file", byLink],
    ["out.txt", byLink],
    ["gone.txt", byLink],
    ["root/etc/passwd", byLink],
    ["back", byLink],
    ["loop", "its links lead nowhere"],
    ["git", "by a link it leads to git's own files"],
  ])("%j is read as %j", async (given, where) => {
    await using here = await links();
    expect(await lead(here, given, "read")).toBe(where);
  });

  test.each(["in.txt", "absolute", "out.txt", "nowhere", "loop", "git"])("%j is not written through", async (given) => {
    await using here = await links();
    const why = `${given} is a link, and nothing is written through links`;
    expect(await lead(here, given, "write")).toBe(why);
    expect(await lead(here, given, "entry")).toBe(`${given} → ${given}`);
    expect(await lead(here, `${given}/x`, "entry")).toBe(why);
    expect(await lead(here, `${given}/x`, "write")).toBe(why);
  });
});

describe("an open folder", () => {
  test("stays the same when a link is put in its place, and none can be entered", async () => {
    await using here = await stage();
    await here.put({ "src/sub/a.txt": "a\n" });
    await using folder = await openFolder(here.tree.root, ["src", "sub"]);
    await rename(here.at("src"), here.at("moved"));
    await symlink(join(here.outside, "folder"), here.at("src"));
    // Elsewhere than on Linux, the folder is known by its path only.
    expect(process.platform === "linux" ? await readdir(folder.path) : ["a.txt"]).toEqual(["a.txt"]);
    await expect(openFolder(here.tree.root, ["src"])).rejects.toThrow("src cannot be used: it is a link.");
    await expect(openFolder(here.tree.root, ["src", "new"], true)).rejects.toThrow("it is a link");
    await expect(openFolder(here.tree.root, ["moved", "sub", "a.txt"])).rejects.toThrow("it is a file and no folder");
  });

  test("opens ordinary files only, and never through a link", async () => {
    await using here = await stage();
    await symlink("../outside/secret.txt", here.at("out.txt"));
    await mkdir(here.at("src"));
    await using folder = await openFolder(here.tree.root, []);
    await expect(folder.file("out.txt")).rejects.toThrow("it is a link");
    await expect(folder.file("src")).rejects.toThrow("it is a folder");
    await expect(folder.file("none")).rejects.toThrow("ENOENT");
  });
});

test("whatever the path, no operation touches or tells anything outside of the worktree", async () => {
  const step = fc.constantFrom(
    "..", ".", "", "a", "src", "up", "out", "out.txt", "into", "etc", "passwd", "secret.txt", "inner.txt", "folder",
    "outside", "tree", ".git", ".GIT", "git~1", "\0", "~", "%2e%2e", "..\\", "a\nb", "\u202e", " ",
  ); // prettier-ignore
  const path = fc.oneof(
    fc.array(step, { minLength: 1, maxLength: 7 }).map((steps) => steps.join("/")),
    fc.array(step, { minLength: 1, maxLength: 5 }).map((steps) => `/${steps.join("/")}`),
    fc.string({ unit: "grapheme", maxLength: 30 }),
    fc.string({ unit: "binary", maxLength: 30 }),
  );
  const request = (path: string): readonly FileRequest[] => [
    { kind: "list", path },
    { kind: "read", path },
    { kind: "write", path, content: "overwritten\n" },
    { kind: "edit", path, old: "canary", new: "overwritten" },
    { kind: "edit", path, old: "overwritten", new: "edited" },
    { kind: "delete", path },
  ];
  await using here = await stage();
  const before = await here.around();
  await fc.assert(
    fc.asyncProperty(path, async (hostile) => {
      await here.put({ "src/a": "a\n" }).catch(() => undefined);
      for (const [link, target] of [
        ["out", "../outside"],
        ["out.txt", "../outside/secret.txt"],
        ["src/up", "../.."],
        ["into", "src"],
        ["etc", "/etc"],
      ] as const)
        await symlink(target, here.at(link)).catch(() => undefined);
      for (const asked of request(hostile)) {
        const answer = await here.use(asked);
        expect(answer).not.toMatch(/canary|another|root:x/);
        expect(answer).not.toContain("/proc/self");
      }
      expect(await here.around()).toBe(before);
      expect(await here.text(".git")).toContain("gitdir: ");
    }),
    { numRuns: 300 },
  );
});

test.runIf(process.platform === "linux")(
  "a folder that turns into a link out and back, all the while, takes nothing out of the worktree",
  async () => {
    await using here = await stage();
    await here.put({ "src/a.txt": "inside\n" });
    await symlink(here.outside, here.at("link"));
    const before = await here.around();
    const ending = new AbortController();
    const swap = async (): Promise<void> => {
      await rename(here.at("src"), here.at("kept"));
      await rename(here.at("link"), here.at("src"));
      await rename(here.at("src"), here.at("link"));
      await rename(here.at("kept"), here.at("src"));
    };
    // A write may have made the folder anew while it was away.
    const anew = async (): Promise<void> => {
      for (const path of ["src", "kept", "link"]) await rm(here.at(path), { recursive: true, force: true });
      await here.put({ "src/a.txt": "inside\n" });
      await symlink(here.outside, here.at("link"));
    };
    const swapping = (async () => {
      while (!ending.signal.aborted) await swap().catch(async () => anew().catch(() => undefined));
    })();
    const answers: string[] = [];
    for (let round = 0; round < 150; round += 1) {
      answers.push(
        ...(await Promise.all([
          here.use({ kind: "read", path: "src/secret.txt" }),
          here.use({ kind: "write", path: "src/new.txt", content: `${round}` }),
          here.use({ kind: "delete", path: "src/secret.txt" }),
          here.use({ kind: "list", path: "src" }),
        ])),
      );
    }
    ending.abort();
    await swapping;
    expect(await here.around()).toBe(before);
    expect(answers.filter((text) => /canary|secret\.txt {2}/.test(text))).toEqual([]);
    expect(new Set(answers.map((text) => text.split(" ", 2).join(" "))).size).toBeGreaterThan(2);
  },
);
