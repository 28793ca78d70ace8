import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folder, good, load, problemsIn } from "./support.ts";

const withFiles = (files: string) => `${good}files: { ${files} }\n`;
const withSandbox = (sandbox: string) => `${good}sandbox: { ${sandbox} }\n`;
const whys = (problems: readonly string[]) => problems.map((line) => line.replace(/^.*?: /, ""));

describe("files", () => {
  it("have defaults that leave out what programs make anew, and nothing that may be a result", async () => {
    const { files } = await load(good);
    expect(files).toEqual({
      file_bytes: 52_428_800,
      commit_bytes: 268_435_456,
      quiet_ms: 1000,
      quiet_most_ms: 10_000,
      diff_bytes: 4000,
      ignore: files.ignore,
      ask_deleted: 20,
      withdrawn: "keep",
      git: "git",
    });
    expect(files.ignore).toEqual(
      expect.arrayContaining(["node_modules/", "__pycache__/", ".venv/", "venv/", ".DS_Store"]),
    );
    for (const result of ["build/", "dist/", "target/", "*.log"]) expect(files.ignore).not.toContain(result);
  });

  it("take words of one's own for each of their keys", async () => {
    const given =
      'file_bytes: 1, commit_bytes: 2, quiet_ms: 0, quiet_most_ms: 0, diff_bytes: 0, ignore: ["*.log", "!keep.log"], withdrawn: purge, git: git2';
    expect((await load(withFiles(given))).files).toEqual({
      file_bytes: 1,
      commit_bytes: 2,
      quiet_ms: 0,
      quiet_most_ms: 0,
      diff_bytes: 0,
      ignore: ["*.log", "!keep.log"],
      ask_deleted: 20,
      withdrawn: "purge",
      git: "git2",
    });
  });

  it("take the git program by its name, or by a path from the config's folder", async () => {
    expect((await load(withFiles("git: ./tools/git"))).files.git).toBe(join(folder(), "tools/git"));
    expect((await load(withFiles("git: /opt/bin/git"))).files.git).toBe("/opt/bin/git");
  });

  it.each([
    ["file_bytes: 0", "is less than 1"],
    ["commit_bytes: 50 MB", "is a text where a number is expected"],
    ["quiet_ms: -1", "is less than 0"],
    ["quiet_most_ms: 9999999999", "is more than 2147483000"],
    ["quiet_ms: 2000, quiet_most_ms: 1999", "is less than quiet_ms"],
    ["diff_bytes: 1.5", "is a number where a whole number is expected"],
    ["ignore: ['']", "is no pattern; write one as a line of a .gitignore file, like node_modules/"],
    ['ignore: ["a\\nb"]', "is no pattern; write one as a line of a .gitignore file, like node_modules/"],
    ["withdrawn: burn", "is none of keep, purge; choose one of them"],
    ["git: ''", "is empty; give it a value or remove the line"],
    ["quite_ms: 1", "is not a key here; did you mean quiet_ms?"],
  ])("refuse %s", async (text, why) => {
    expect(whys(await problemsIn(withFiles(text)))).toEqual([why]);
  });
});

describe("the sandbox", () => {
  it("is required, without network, folders or variables beside its own, unless the config says so", async () => {
    expect((await load(good)).sandbox).toEqual({
      mode: "required",
      network: [],
      seconds: 120,
      memory_mib: 1024,
      processes: 128,
      output_bytes: 30_000,
      readable: [],
      env: [],
    });
  });

  it("takes words of one's own for each of its keys, and folders from the config's folder", async () => {
    const given =
      'mode: none, network: [registry.example.org, "*.example.org"], seconds: 0.5, memory_mib: 64, processes: 4, output_bytes: 100, readable: [shared, /opt/data], env: [LANG]';
    expect((await load(withSandbox(given))).sandbox).toEqual({
      mode: "none",
      network: ["registry.example.org", "*.example.org"],
      seconds: 0.5,
      memory_mib: 64,
      processes: 4,
      output_bytes: 100,
      readable: [join(folder(), "shared"), "/opt/data"],
      env: ["LANG"],
    });
  });

  it.each([
    ["mode: off", "is none of required, none; choose one of them"],
    [
      "network: [https://example.org]",
      "is not the name of a host; write it in lower case, like registry.example.org, *.example.org or example.org:8080",
    ],
    [
      'network: ["*"]',
      "is not the name of a host; write it in lower case, like registry.example.org, *.example.org or example.org:8080",
    ],
    ["seconds: 0", "is not more than 0"],
    ["memory_mib: 1", "is less than 16"],
    ["processes: 0", "is less than 1"],
    ["output_bytes: 0", "is less than 1"],
    ["readable: ['']", "is empty; give it a value or remove the line"],
    ["env: [A=b]", "is not the name of an environment variable; write it like LANG, without a value"],
  ])("refuses %s", async (text, why) => {
    expect(whys(await problemsIn(withSandbox(text)))).toEqual([why]);
  });
});
