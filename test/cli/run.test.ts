import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { packagePath } from "../../src/package.ts";
import { runQuietly } from "./desk.ts";

describe("the command line", () => {
  it("prints the package's version", async () => {
    const manifest = JSON.parse(await readFile(packagePath("package.json"), "utf8")) as { version: string };
    expect(await runQuietly(["--version"])).toEqual({ code: 0, out: [manifest.version], err: [] });
  });

  it("prints a help that names every command, and one for each with its options", async () => {
    const { code, out } = await runQuietly(["--help"]);
    expect(code).toBe(0);
    for (const [name, command] of Object.entries(commands)) {
      expect(out.join("\n")).toContain(`  ${name} `);
      const own = await runQuietly([name, "--help"]);
      expect(own.code).toBe(0);
      for (const option of Object.keys(command.options)) expect(own.out.join("\n")).toContain(`--${option}`);
    }
  });

  it.each([
    [[], /Say what to do/],
    [["strat"], /There is no command "strat"/],
    [["constructor"], /There is no command "constructor"/],
    [["check", "--confg", "x"], /crewroom check: Unknown option '--confg'/],
    [["check", "--config"], /crewroom check: Option '--config <value>' argument missing/],
    [["register", "x"], /crewroom register: Unexpected argument 'x'/],
    [["demo", "--homeserver", "matrix.org"], /--homeserver needs an http/],
    [["demo", "--homeserver", "http://127.0.0.1:9", "--person", "you"], /--person needs a Matrix id/],
    [["demo", "--homeserver", "http://127.0.0.1:9"], /--homeserver also needs --person/],
  ])("answers the wrong usage %j with what is wrong and what to do, and exit code 2", async (args, reason) => {
    const { code, out, err } = await runQuietly(args);
    expect({ code, out }).toEqual({ code: 2, out: [] });
    expect(err).toEqual([expect.stringMatching(reason), "→ `crewroom --help` lists the commands and options."]);
    expect(err[0]).toMatch(/^error COMMAND_INVALID: /);
  });

  it("lets no error steer the terminal", async () => {
    const { err } = await runQuietly(["start", "--config", "/nowhere/\u001b[2Jx\u202ey\n.yaml"]);
    expect(err[0]).toContain("/nowhere/⟨U+001B⟩[2Jx⟨U+202E⟩y");
  });

  it("shows an error as its code, its sentence and what to do, and the stack only for LOG_LEVEL=debug", async () => {
    const args = ["start", "--config", "/nowhere/crewroom.yaml"];
    const plain = await runQuietly(args);
    expect(plain.code).toBe(1);
    expect(plain.err).toEqual([
      expect.stringMatching(/^error CONFIG_UNREADABLE: The config \/nowhere\/crewroom.yaml cannot be read: ENOENT/),
      expect.stringMatching(/^→ Give the path of an existing file/),
    ]);
    const verbose = await runQuietly(args, { LOG_LEVEL: "debug" });
    expect(verbose.err.join("\n")).toMatch(/\n {4}at /);
  });
});
