import { execFile } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { readBytes } from "../../../src/files/operations/read.ts";
import { stage } from "./support.ts";

describe("read_file", () => {
  test("gives a text as it stands, and a part of it by lines", async () => {
    await using here = await stage();
    await here.put({ "a.txt": "one\r\n\ttwo\n\nfour" });
    const read = (from?: number, lines?: number) =>
      here.use({
        kind: "read",
        path: "a.txt",
        ...(from === undefined ? {} : { from }),
        ...(lines === undefined ? {} : { lines }),
      });
    expect(await read()).toBe("one\r\n\ttwo\n\nfour");
    expect(await read(2)).toBe("\ttwo\n\nfour");
    expect(await read(2, 1)).toBe("\ttwo\n[a.txt has 15 bytes; go on with from: 3]");
    expect(await read(4, 1)).toBe("four");
    expect(await read(0, 0)).toBe("one\r\n[a.txt has 15 bytes; go on with from: 2]");
    expect(await read(5)).toBe("Not read: a.txt has only 4 lines.");
  });

  test("gives a long text in parts that are together all of it", async () => {
    await using here = await stage();
    const whole = Array.from({ length: 20_000 }, (_, index) => `line ${index} ü\n`).join("");
    await here.put({ "long.txt": whole });
    let text = "";
    let parts = 0;
    for (let from: number | undefined = 1; from !== undefined; parts += 1) {
      const part: string = await here.use({ kind: "read", path: "long.txt", from });
      expect(Buffer.byteLength(part)).toBeLessThan(readBytes + 200);
      const note = /\[long\.txt has [\d,]+ bytes; go on with from: (\d+)\]$/.exec(part);
      text += note === null ? part : part.slice(0, note.index);
      from = note?.[1] === undefined ? undefined : Number(note[1]);
    }
    expect(text).toBe(whole);
    expect(parts).toBeGreaterThan(5);
  });

  test("cuts a line that is too long between two characters, and goes on after it", async () => {
    await using here = await stage();
    await here.put({ "min.js": `${"日".repeat(40_000)}\nend\n` });
    const part = await here.use({ kind: "read", path: "min.js" });
    expect(part).not.toContain("�");
    expect(part).toMatch(
      /^日{16666}\n\[line 1 is longer than can be shown; run_command can show the rest; min\.js has 120,005 bytes; go on with from: 2\]$/,
    );
    expect(await here.use({ kind: "read", path: "min.js", from: 2 })).toBe("end\n");
  });

  test.each([
    ["logo.png", Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), "a PNG image of 16 bytes"],
    ["photo.jpg", Buffer.from("ffd8ffe000104a464946", "hex"), "a JPEG image of 10 bytes"],
    ["pic.webp", Buffer.from("RIFF\x10\0\0\0WEBPVP8 ", "latin1"), "a WebP image of 16 bytes"],
    ["doc.pdf", Buffer.from("%PDF-1.7\n"), "a PDF document of 9 bytes"],
    ["wide.txt", Buffer.from("\ufeffhi", "utf16le"), "a text in UTF-16 of 6 bytes"],
    ["blob", Buffer.from("ab\0cd"), "a binary file of 5 bytes"],
  ])("names %s by its kind and size", async (path, content, what) => {
    await using here = await stage();
    await here.put({ [path]: content });
    expect(await here.use({ kind: "read", path })).toBe(`${path} is ${what}, and no text.`);
  });

  test("takes texts that begin like an image for texts, and says when one is not UTF-8", async () => {
    await using here = await stage();
    await here.put({ "a.txt": "BMW builds cars\n", "latin.txt": Buffer.from("caf\xe9\n", "latin1"), empty: "" });
    expect(await here.use({ kind: "read", path: "a.txt" })).toBe("BMW builds cars\n");
    expect(await here.use({ kind: "read", path: "latin.txt" })).toBe(
      "caf�\n[it is not UTF-8 throughout: � stands for what is not]",
    );
    expect(await here.use({ kind: "read", path: "empty" })).toBe("empty is empty.");
  });

  test("says what cannot be read", async () => {
    await using here = await stage();
    await here.put({ "src/a.txt": "a" });
    const read = (path: string) => here.use({ kind: "read", path });
    expect(await read("none.txt")).toBe("Not read: there is no none.txt.");
    expect(await read("src/a.txt/b")).toMatch(/^Not read: a\.txt cannot be used: it is a file and no folder\.$/);
    expect(await read("src")).toBe("Not read: src cannot be used: it is a folder.");
    expect(await read(".")).toBe("Not read: it is the folder of all files; list_files shows what is in it.");
    expect(await read("../outside/secret.txt")).toBe(
      "Not read: ../outside/secret.txt cannot be used: it leads out of the task's files.",
    );
  });

  test.skipIf(process.platform === "win32")("does not wait for a pipe", async () => {
    await using here = await stage();
    await promisify(execFile)("mkfifo", [here.at("pipe")]);
    expect(await here.use({ kind: "read", path: "pipe" })).toBe(
      "Not read: pipe cannot be used: it is no ordinary file.",
    );
    expect(await here.use({ kind: "write", path: "pipe", content: "x" })).toMatch(/^Not written: .*no ordinary file/);
    expect(await here.use({ kind: "list", path: "" })).toBe("pipe  (no ordinary file)");
  });
});

describe("list_files", () => {
  test("shows what is there folder by folder, without git's own files", async () => {
    await using here = await stage();
    await here.put({
      "b.txt": "bb",
      "src/a.ts": "a\n".repeat(600),
      "src/lib/c.ts": "",
      "a b": "x",
      "vendor/.git/x": "",
    });
    await mkdir(here.at("hollow"));
    await symlink("src/a.ts", here.at("link"));
    expect(await here.use({ kind: "list", path: "" })).toBe(
      [
        "a b  1 byte",
        "b.txt  2 bytes",
        "link -> src/a.ts",
        "hollow/  (0 entries)",
        "src/a.ts  1,200 bytes",
        "src/lib/c.ts  0 bytes",
        "vendor/  (0 entries)",
      ].join("\n"),
    );
    expect(await here.use({ kind: "list", path: "src/lib" })).toBe("src/lib/c.ts  0 bytes");
    expect(await here.use({ kind: "list", path: "b.txt" })).toBe("b.txt  2 bytes");
    expect(await here.use({ kind: "list", path: "hollow/" })).toBe("There is nothing in hollow/.");
    expect(await here.use({ kind: "list", path: "none" })).toBe("Not read: there is no none.");
    expect(await here.use({ kind: "list", path: ".git" })).toMatch(/^Not read: \.git cannot be used/);
  });

  test("leaves large folders closed, and cuts the one that was asked for", async () => {
    await using here = await stage();
    const many = Object.fromEntries(Array.from({ length: 450 }, (_, index) => [`many/f${1000 + index}`, ""]));
    await here.put({ ...many, "a.txt": "" });
    expect(await here.use({ kind: "list", path: "." })).toBe("a.txt  0 bytes\nmany/  (450 entries)");
    const lines = (await here.use({ kind: "list", path: "many" })).split("\n");
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([401, "many/f1000  0 bytes", "… and 50 more entries"]);
  });

  test("quotes names that would look like something else", async () => {
    await using here = await stage();
    await here.put({ "a\nb.txt": "", " c": "", "\u202egpj.exe": "" });
    expect((await here.use({ kind: "list", path: "" })).split("\n")).toEqual([
      '" c"  0 bytes',
      '"a\\nb.txt"  0 bytes',
      '"\u202egpj.exe"  0 bytes',
    ]);
  });
});
