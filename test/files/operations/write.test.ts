import { chmod, readdir, readFile, stat, symlink } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { stage } from "./support.ts";

describe("write_file", () => {
  test("makes a file and its folders, and says what it did", async () => {
    await using here = await stage();
    const write = (content: string) => here.use({ kind: "write", path: "src/lib/a.ts", content });
    expect(await write("one\ntwo")).toBe("Created: src/lib/a.ts, 2 lines, 7 bytes.");
    expect(await write("one\n")).toBe("Replaced: src/lib/a.ts, 1 line, 4 bytes.");
    expect(await write("one\n")).toBe("Unchanged: src/lib/a.ts, 1 line, 4 bytes.");
    expect(await write("")).toBe("Replaced: src/lib/a.ts, 0 lines, 0 bytes.");
    expect(await here.text("src/lib/a.ts")).toBe("");
    expect([await readdir(here.at("src/lib")), await readdir(here.tree.gitDir)]).toEqual([["a.ts"], []]);
  });

  test("keeps the mode of the file that it replaces", async () => {
    await using here = await stage();
    await here.put({ "run.sh": "old" });
    await chmod(here.at("run.sh"), 0o777);
    await here.use({ kind: "write", path: "run.sh", content: "#!/bin/sh\n" });
    expect((await stat(here.at("run.sh"))).mode & 0o777).toBe(0o777);
    await here.use({ kind: "edit", path: "run.sh", old: "/bin/sh", new: "/bin/bash" });
    expect((await stat(here.at("run.sh"))).mode & 0o777).toBe(0o777);
  });

  test("says that what looks like a secret is held back", async () => {
    await using here = await stage();
    const held = "It seems to hold an AWS access key, so it is held back until a person lets it in.";
    expect(await here.use({ kind: "write", path: "env", content: "k=AKIA" })).toBe(
      `Created: env, 1 line, 6 bytes. ${held}`,
    );
    expect(await here.use({ kind: "edit", path: "env", old: "k", new: "key" })).toBe(`Edited: env, at line 1. ${held}`);
    expect(await here.text("env")).toBe("key=AKIA");
  });

  test("refuses what is too large, with the numbers", async () => {
    await using here = await stage();
    await here.put({ "a.txt": "0123456789" });
    const small = { fileBytes: 10 };
    expect(await here.use({ kind: "write", path: "b.txt", content: "ü".repeat(6) }, small)).toBe(
      "Not written: it has 12 bytes, and the limit is 10 bytes.",
    );
    expect(await here.use({ kind: "edit", path: "a.txt", old: "9", new: "99" }, small)).toBe(
      "Not written: it would have 11 bytes, and the limit is 10 bytes.",
    );
    expect(await here.use({ kind: "edit", path: "a.txt", old: "9", new: "8" }, { fileBytes: 9 })).toBe(
      "Not written: a.txt has 10 bytes, and the limit is 9 bytes.",
    );
    expect(await here.text("a.txt")).toBe("0123456789");
  });

  test("refuses folders, files in the place of folders, and links", async () => {
    await using here = await stage();
    await here.put({ "src/a.txt": "a" });
    await symlink("src/a.txt", here.at("link"));
    const write = (path: string) => here.use({ kind: "write", path, content: "x" });
    expect(await write("src")).toBe("Not written: src cannot be used: it is a folder.");
    expect(await write("new/")).toBe("Not written: new/ names a folder, not a file.");
    expect(await write("src/a.txt/b")).toBe("Not written: a.txt cannot be used: it is a file and no folder.");
    expect(await write("link")).toBe(
      "Not written: link cannot be used: link is a link, and nothing is written through links.",
    );
    expect(await here.text("src/a.txt")).toBe("a");
  });
});

describe("edit_file", () => {
  async function edited(content: string | Buffer, old: string, text: string): Promise<readonly [string, string]> {
    await using here = await stage();
    await here.put({ "a.txt": content });
    const answer = await here.use({ kind: "edit", path: "a.txt", old, new: text });
    return [answer, await here.text("a.txt")];
  }

  test("replaces what stands there once, and says where", async () => {
    expect(await edited("one\ntwo\nthree\n", "two", "2\n2")).toEqual([
      "Edited: a.txt, at line 2.",
      "one\n2\n2\nthree\n",
    ]);
    expect(await edited("one\ntwo\n", "\ntwo", "")).toEqual(["Edited: a.txt, at line 1.", "one\n"]);
    expect(await edited("a $1 b", "$1", "$& $$")).toEqual(["Edited: a.txt, at line 1.", "a $& $$ b"]);
  });

  test("keeps CRLF line ends, whichever the agent writes", async () => {
    expect((await edited("one\r\ntwo\r\nend\r\n", "one\ntwo", "1\n2\n3"))[1]).toBe("1\r\n2\r\n3\r\nend\r\n");
    expect((await edited("one\r\ntwo\r\n", "one\r\ntwo", "1\r\n2"))[1]).toBe("1\r\n2\r\n");
    expect((await edited("one\ntwo\r\nthree\n", "one\ntwo", "1"))[1]).toBe("1\r\nthree\n");
  });

  test("leaves bytes around it alone that are not UTF-8", async () => {
    await using here = await stage();
    await here.put({ "a.txt": Buffer.from("\xe9\xff one \xe9", "latin1") });
    await here.use({ kind: "edit", path: "a.txt", old: "one", new: "two" });
    expect(await readFile(here.at("a.txt"))).toEqual(Buffer.from("\xe9\xff two \xe9", "latin1"));
  });

  test("names the lines when it stands there several times", async () => {
    expect(await edited("x\ny\nx\n", "x", "z")).toEqual([
      "Not written: in a.txt old stands 2 times, at lines 1, 3; add what is around the one that is meant.",
      "x\ny\nx\n",
    ]);
    expect((await edited("x\n".repeat(50), "x", "z"))[0]).toContain(
      "50 times, at lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …;",
    );
  });

  test("shows what is most like it when it does not stand there", async () => {
    const [answer] = await edited(
      "import a\n\nfunction total(list) {\n    return sum(list);\n}\n",
      "function total(list) {\n  return sum(list)\n}",
      "x",
    );
    expect(answer).toBe(
      "Not written: in a.txt old does not stand. Most like it, after the number of the line:\n" +
        "3: function total(list) {\n4:     return sum(list);\n5: }.",
    );
    expect((await edited("a\nb\n", "something else", "x"))[0]).toBe(
      "Not written: in a.txt old does not stand. Nothing in it is like it; read it again.",
    );
  });

  test.each([
    ["one\ntwo\n", "two", "2"],
    ["import a\n", "import a", "import a\nimport b"],
    ["x = 1;\n", "1", "1 + y"],
    ["one\r\ntwo\r\n", "one\ntwo", "one\n2\n3"],
    ["abc", "c", "bc"],
  ])("made again in %j it answers that it is done, and changes nothing more", async (content, old, text) => {
    await using here = await stage();
    await here.put({ "a.txt": content });
    const edit = () => here.use({ kind: "edit", path: "a.txt", old, new: text });
    expect(await edit()).toMatch(/^Edited|^Already/);
    const once = await here.text("a.txt");
    expect(await edit()).toMatch(
      /^Already so: new stands in a\.txt at line 1|^Already so: new stands in a\.txt at line 2/,
    );
    expect(await here.text("a.txt")).toBe(once);
  });

  test("says of what was taken out before that it is gone", async () => {
    expect((await edited("one\n", "two\n", ""))[0]).toContain("if it was to be taken out, that is done");
  });

  test("adds an empty line, though a line break stands there already", async () => {
    expect((await edited("one\ntwo\n", "one", "one\n"))[1]).toBe("one\n\ntwo\n");
  });

  test("refuses what cannot be meant", async () => {
    expect((await edited("a", "", "b"))[0]).toBe("Not written: old is empty; write_file writes a whole file.");
    expect((await edited("a", "a", "a"))[0]).toBe("Not written: old and new are the same.");
    await using here = await stage();
    expect(await here.use({ kind: "edit", path: "none", old: "a", new: "b" })).toBe(
      "Not written: there is no none; write_file makes one.",
    );
    expect(await here.use({ kind: "edit", path: "no/ne", old: "a", new: "b" })).toBe("Not written: there is no no/ne.");
  });
});
