import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { asAgentId, type AgentId } from "../../src/core/ids.ts";
import { checkRegistration, refuseRegistration } from "../../src/matrix/registration-check.ts";
import { readRegistration, writeRegistration } from "../../src/matrix/registration-file.ts";
import { makeRegistration, sampleTokens } from "../../src/matrix/registration.ts";

function agent(id: string): { id: AgentId } {
  const agentId = asAgentId(id);
  if (agentId === undefined) throw new Error(id);
  return { id: agentId };
}

const config = {
  homeserver: { domain: "crew.test:8448" },
  appservice: { address: "http://127.0.0.1:29331" },
  agents: [agent("ada"), agent("bo.1-x_y")],
};

let folder = "";
let file = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "crewroom-registration-"));
  file = join(folder, "registration.yaml");
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("a new registration", () => {
  it("has all that Synapse needs, and namespaces for our own users and aliases only", async () => {
    const { as_token, hs_token, ...rest } = await makeRegistration(config);
    expect(as_token).toMatch(/^[0-9a-f]{64}$/);
    expect(hs_token).toMatch(/^[0-9a-f]{64}$/);
    expect(hs_token).not.toBe(as_token);
    expect(rest).toEqual({
      id: "crewroom",
      url: "http://127.0.0.1:29331",
      sender_localpart: "crewroom",
      rate_limited: false,
      receive_ephemeral: true,
      protocols: [],
      namespaces: {
        users: [
          { exclusive: true, regex: "@crewroom:crew\\.test:8448" },
          { exclusive: true, regex: "@agent_.*:crew\\.test:8448" },
        ],
        aliases: [{ exclusive: true, regex: "#crewroom(-.*)?:crew\\.test:8448" }],
        rooms: [],
      },
    });
  });

  it("fits its config, also on a homeserver that is named by an IPv6 address", async () => {
    expect(checkRegistration(await makeRegistration(config), config)).toEqual([]);
    const literal = { ...config, homeserver: { domain: "[::1]:8448" } };
    expect(checkRegistration(await makeRegistration(literal), literal)).toEqual([]);
  });
});

describe("the registration's file", () => {
  it("is readable by its owner alone and comes back as it was written", async () => {
    const registration = await makeRegistration(config);
    await writeRegistration(file, registration);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readRegistration(file)).toEqual(registration);
    expect(await readdir(folder)).toEqual(["registration.yaml"]);
  });

  it("is not overwritten without force, and leaves nothing behind", async () => {
    await writeFile(file, "precious");
    const registration = await makeRegistration(config);
    await expect(writeRegistration(file, registration)).rejects.toMatchObject({ code: "REGISTRATION_EXISTS" });
    expect(await readFile(file, "utf8")).toBe("precious");
    expect(await readdir(folder)).toEqual(["registration.yaml"]);
  });

  it("keeps its id and unknown keys when it is renewed, with new tokens and mode 0600", async () => {
    const first = { ...(await makeRegistration(config)), id: "mine", "io.example.key": { a: 1 } };
    await writeFile(file, stringify(first), { mode: 0o644 });
    const read = await readRegistration(file);
    expect(read["io.example.key"]).toEqual({ a: 1 });
    await writeRegistration(file, await makeRegistration(config, read), { force: true });
    const renewed = await readRegistration(file);
    expect(renewed).toMatchObject({ id: "mine", "io.example.key": { a: 1 } });
    expect(renewed.as_token).not.toBe(first.as_token);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("in a folder that does not exist is one clear error", async () => {
    const registration = await makeRegistration(config);
    await expect(writeRegistration(join(folder, "no", "r.yaml"), registration)).rejects.toMatchObject({
      code: "REGISTRATION_UNWRITABLE",
    });
  });

  it.each([
    ["missing", undefined, /ENOENT/],
    ["no YAML", 'as_token: "s3cret', /missing or wrong: the whole file/],
    ["incomplete", "id: crewroom\nas_token: s3cret\n", /missing or wrong: url, hs_token, sender_localpart, namespaces/],
  ])("that is %s is refused without a word of its secrets", async (_, text, reason) => {
    if (text !== undefined) await writeFile(file, text);
    const thrown: unknown = await readRegistration(file).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "REGISTRATION_INVALID", message: expect.stringMatching(reason) as string });
    expect(String(thrown)).not.toContain("s3cret");
  });

  it("with the sample's tokens is refused", async () => {
    const registration = await makeRegistration(config);
    await writeFile(file, stringify({ ...registration, hs_token: sampleTokens.hs_token }));
    await expect(readRegistration(file)).rejects.toThrow(/its tokens are those of the sample/);
  });

  it("of this package is such a sample", async () => {
    await expect(readRegistration(new URL("../../registration.yaml", import.meta.url).pathname)).rejects.toThrow(
      /its tokens are those of the sample/,
    );
  });
});

describe("a registration that does not fit the config", () => {
  it("for another homeserver does not cover the agents", async () => {
    const registration = await makeRegistration({ ...config, homeserver: { domain: "other.test" } });
    expect(checkRegistration(registration, config)).toEqual([
      {
        level: "error",
        sentence: expect.stringMatching(
          /does not cover @agent_ada:crew\.test:8448, @agent_bo\.1-x_y:crew\.test:8448;/,
        ) as string,
      },
      { level: "warn", sentence: expect.stringMatching(/does not cover #crewroom:crew\.test:8448/) as string },
    ]);
    expect(() => refuseRegistration(registration, config, file)).toThrow(/cannot be used: its users namespace/);
  });

  it("is told in everything at once", async () => {
    const registration = {
      ...(await makeRegistration(config)),
      url: "http://10.0.0.1:1",
      sender_localpart: "bot",
      rate_limited: true,
      receive_ephemeral: false,
      namespaces: { users: [{ exclusive: false, regex: "@.*:.*" }], aliases: [], rooms: [] },
    };
    expect(checkRegistration(registration, config).map(({ level, sentence }) => `${level} ${sentence}`)).toEqual([
      "error sender_localpart is bot instead of crewroom",
      expect.stringMatching(/^error its users namespace is not exclusive/),
      expect.stringMatching(/^error its users namespace covers people/),
      expect.stringMatching(/^warn its aliases namespace/),
      expect.stringMatching(/^warn its url is http:\/\/10\.0\.0\.1:1, but appservice\.address is/),
      expect.stringMatching(/^warn rate_limited is not false/),
      expect.stringMatching(/^warn receive_ephemeral is not true/),
    ]);
  });

  it("without a url gets nothing from the homeserver, and is refused", async () => {
    const registration = { ...(await makeRegistration(config)), url: null };
    expect(() => refuseRegistration(registration, config, file)).toThrow(/its url is null/);
  });

  it("may be read from what a mautrix bridge or a person wrote", async () => {
    const registration = await makeRegistration(config);
    await writeFile(
      file,
      stringify({
        ...registration,
        url: "http://127.0.0.1:29331/",
        namespaces: { users: registration.namespaces.users },
      }),
    );
    const read = await readRegistration(file);
    expect(read.namespaces).toMatchObject({ aliases: [], rooms: [] });
    expect(checkRegistration(read, config).map((finding) => finding.level)).toEqual(["warn"]);
    expect(parse(await readFile(file, "utf8"))).toHaveProperty("namespaces");
  });
});
