/** What an operator gets wrong before the start: it is refused at once, with the place and the way out. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import { type Crew, writeCrew } from "../support/crew.ts";

/** A crew whose homeserver and model are not there: a start that is refused never asks for them. */
async function crewOnItsOwn(): Promise<{ readonly crew: Crew } & AsyncDisposable> {
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-start-"));
  const crew = await writeCrew({
    directory,
    homeserver: { url: "http://127.0.0.1:9", serverName: "localhost" },
    modelUrl: "http://127.0.0.1:9/v1",
  });
  return { crew, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

async function replaceIn(file: string, from: string | RegExp, to: string): Promise<void> {
  const text = await readFile(file, "utf8");
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${file} has no ${String(from)}:\n${text}`);
  await writeFile(file, changed);
}

test("a registration whose namespace covers people is refused", async () => {
  await using own = await crewOnItsOwn();
  const { crew } = own;
  await replaceIn(crew.registrationFile, /regex: ['"]?@agent_.*$/m, "regex: '@.*'");
  await expect(BridgeProcess.start(crew)).rejects.toThrow(
    /ended with 1 .*\n.*REGISTRATION_INVALID: The registration \S*registration\.yaml cannot be used: .*covers people[\s\S]*crewroom register --force/,
  );
});

test("a registration whose namespace does not cover the config's agents is refused, and names them", async () => {
  await using own = await crewOnItsOwn();
  const { crew } = own;
  await replaceIn(crew.registrationFile, /regex: ['"]?@agent_.*$/m, "regex: '@helper_.*'");
  await expect(BridgeProcess.start(crew)).rejects.toThrow(
    /ended with 1 .*\n.*REGISTRATION_INVALID: .*does not cover @agent_ada:localhost, @agent_bo:localhost, @agent_cleo:localhost/,
  );
});

test("a config with typos is refused with all its places, and what was meant", async () => {
  await using own = await crewOnItsOwn();
  const { crew } = own;
  await replaceIn(crew.configFile, "permissions:", "permisions:");
  await replaceIn(crew.configFile, "hostname:", "hostnam:");
  await replaceIn(crew.configFile, "level: info", "level: loud");
  const lines = (await readFile(crew.configFile, "utf8")).split("\n");
  const lineOf = (text: string): number => lines.findIndex((line) => line.includes(text)) + 1;

  const said = await BridgeProcess.start(crew).then(
    () => "it started",
    (thrown: unknown) => String(thrown),
  );
  expect(said).toContain("ended with 1");
  expect(said).toContain("CONFIG_INVALID");
  for (const [typo, meant] of [
    ["permisions", "did you mean permissions?"],
    ["hostnam:", "did you mean hostname?"],
    ["level: loud", "is none of"],
  ] as const) {
    const place = `crewroom.yaml:${lineOf(typo)}`;
    expect(said.split("\n").filter((line) => line.includes(place) && line.includes(meant))).toHaveLength(1);
  }
});
