import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { readRegistration } from "../../src/matrix/registration-file.ts";
import { Desk } from "./desk.ts";
import { PlayedHomeserver, type Play } from "./homeserver.ts";

/** A desk with a registration, and a homeserver that has it installed. */
async function installed(desk: Desk, changes: Partial<Play> = {}): Promise<PlayedHomeserver> {
  await desk.config();
  await desk.run("register");
  const { as_token, hs_token } = await readRegistration(desk.path("registration.yaml"));
  const url = `http://127.0.0.1:${desk.port}`;
  const homeserver = await PlayedHomeserver.open({ as_token, hs_token, user: "@crewroom:crew.test", url, ...changes });
  await desk.config({ homeserver: { address: homeserver.address, domain: "crew.test" } });
  return homeserver;
}

describe("crewroom check", () => {
  it("finds all well, both ways, with one line per finding and exit code 0", async () => {
    await using desk = await Desk.open();
    await using homeserver = await installed(desk);
    const { code, out, err } = await desk.run("check");
    expect(out).toEqual([
      `ok     config: ${desk.path("crewroom.yaml")}: 1 agent(s), 1 model(s)`,
      "ok     permissions: @sam:crew.test admin",
      `ok     registration: ${desk.path("registration.yaml")} fits the config`,
      "ok     store: can be written and read",
      expect.stringMatching(/^ok {5}git: version \d+\.\d+/),
      expect.stringMatching(/^(ok|warn) +sandbox: commands of agents (run in|are refused)/),
      `ok     homeserver: Played 1.0 at ${homeserver.address} speaks Matrix up to v1.12`,
      "ok     token: known; Crewroom is @crewroom:crew.test",
      `ok     ping: the homeserver reached this command, in the bridge's place at http://127.0.0.1:${desk.port} in 7 ms`,
    ]);
    expect({ code, err }).toEqual({ code: 0, err: [] });
  });

  it("uses a bridge that runs already", async () => {
    await using desk = await Desk.open();
    await using _homeserver = await installed(desk);
    const bridge = createServer((request, response) => {
      request.resume();
      response.end("{}");
    }).listen(desk.port, "127.0.0.1");
    await once(bridge, "listening");
    const { code, out } = await desk.run("check");
    bridge.close();
    bridge.closeAllConnections();
    expect(out.at(-1)).toMatch(/^ok {5}ping: the homeserver reached the running bridge/);
    expect(code).toBe(0);
  });

  it("says that a stopped homeserver does not answer, after all that it could find without it", async () => {
    await using desk = await Desk.open();
    await (await installed(desk))[Symbol.asyncDispose]();
    const { code, out } = await desk.run("check");
    expect(code).toBe(1);
    expect(out.map((line) => line.slice(0, line.indexOf(":")))).toEqual([
      "ok     config",
      "ok     permissions",
      "ok     registration",
      "ok     store",
      "ok     git",
      expect.stringMatching(/^(ok|warn) +sandbox$/),
      "error  homeserver",
    ]);
    expect(out.at(-1)).toMatch(/does not answer: connect ECONNREFUSED .*→ Check homeserver\.address/);
  });

  it("says what tasks' files lack on this machine", async () => {
    await using desk = await Desk.open();
    await desk.config({ files: { git: "/nowhere/git" }, sandbox: { mode: "none", network: ["example.org"] } });
    const { code, out } = await desk.run("check");
    expect(code).toBe(1);
    expect(out).toContainEqual(expect.stringMatching(/^error {2}git: The program \/nowhere\/git is not installed.*→/));
    expect(out).toContainEqual(
      expect.stringMatching(/^warn {3}sandbox: .*without any wall.*the network does not bind them/),
    );
    const old = desk.path("git");
    await writeFile(old, "#!/bin/sh\necho git version 2.34.1\n", { mode: 0o755 });
    await desk.config({ files: { git: old } });
    expect((await desk.run("check")).out).toContainEqual(
      expect.stringMatching(/^error {2}git: git 2\.34\.1 is too old/),
    );
  });

  it("tells every problem of a config in a line of its own", async () => {
    await using desk = await Desk.open();
    await writeFile(desk.path("crewroom.yaml"), "homeserver: 3\nbod: { name: x }\n");
    const { code, out } = await desk.run("check");
    expect(code).toBe(1);
    expect(out.length).toBeGreaterThan(4);
    for (const line of out) expect(line).toMatch(/^error {2}config: .*crewroom\.yaml:\d+:\d+ /);
  });

  it.each<[string, Partial<Play>, RegExp]>([
    ["does not know the token", { as_token: "other" }, /^error {2}token: .*does not know this bridge's token/m],
    [
      "is another than the config says",
      { user: "@crewroom:other.test" },
      /^error {2}token: .*@crewroom:other\.test, not @crewroom:crew\.test/m,
    ],
    ["is old", { versions: ["v1.1", "v1.7"] }, /^warn {3}homeserver: .*up to v1\.7; Crewroom needs v1\.11/m],
    ["has another hs_token", { hs_token: "other" }, /^error {2}ping: the homeserver came with another hs_token/m],
    ["has another url", { url: "http://127.0.0.1:9" }, /^error {2}ping: the homeserver cannot reach the url/m],
  ])("sees when the homeserver %s", async (_, changes, line) => {
    await using desk = await Desk.open();
    await using _homeserver = await installed(desk, changes);
    const { out, code } = await desk.run("check");
    expect(out.join("\n")).toMatch(line);
    expect(code).toBe(out.some((finding) => finding.startsWith("error")) ? 1 : 0);
  });

  it("finds the sample's permissions, a missing registration, a bad store, and what is no homeserver, all at once", async () => {
    await using desk = await Desk.open();
    await using homeserver = await PlayedHomeserver.open({ as_token: "a", hs_token: "b", user: "" });
    await desk.config({
      homeserver: { address: `${homeserver.address}/not`, domain: "crew.test" },
      permissions: { "@you:example.org": "admin" },
      store: "sqlite:/proc/none/crewroom.db",
    });
    const { out } = await desk.run("check");
    expect(out.slice(1)).toEqual([
      expect.stringMatching(/^error {2}permissions: .*example\.org/),
      expect.stringMatching(/^error {2}registration: .*cannot be used: ENOENT/),
      expect.stringMatching(/^error {2}store: /),
      expect.stringMatching(/^ok {5}git: /),
      expect.stringMatching(/sandbox: /),
      expect.stringMatching(/^error {2}homeserver: .*no Matrix homeserver \(404 M_UNRECOGNIZED/),
    ]);
  });
});
