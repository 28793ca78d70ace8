import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { CrewError } from "../../src/core/errors.ts";
import { folder, good, load, problemsIn } from "./support.ts";

describe("a good config", () => {
  it("gets every default, absolute paths, and the agent's id as its name", async () => {
    const config = await load(good);
    expect(config.homeserver).toEqual({ address: "http://127.0.0.1:8008", domain: "crew.test:8448" });
    expect(config.appservice).toEqual({
      address: "http://127.0.0.1:29331",
      hostname: "127.0.0.1",
      port: 29331,
      registration: join(folder(), "registration.yaml"),
    });
    expect(config.store).toBe(`sqlite:${join(folder(), "crewroom.db")}`);
    expect(config.data).toBe(join(folder(), "data"));
    expect(config.agents).toEqual([
      {
        id: "ada",
        name: "ada",
        roles: ["executor"],
        capabilities: [],
        parallel: 1,
        runtime: "builtin",
        model: "default",
        instructions: "",
      },
    ]);
    expect(config.limits).toMatchObject({ transaction_bytes: 67_108_864, breaker_hops: 8, drain_seconds: 8 });
    expect(config.rooms.federate).toBe(true);
    expect(config.logging).toEqual({ level: "info", format: "pretty" });
  });

  it("keeps the addresses of database servers as they are", async () => {
    expect((await load(`${good}\nstore: redis://127.0.0.1:6379/2`)).store).toBe("redis://127.0.0.1:6379/2");
  });

  it("makes the paths of pictures absolute, and leaves mxc addresses alone", async () => {
    const config = await load(`${good}    avatar: ada.png\nbot: { avatar: "mxc://crew.test/abc" }`);
    expect(config.agents[0]?.avatar).toBe(join(folder(), "ada.png"));
    expect(config.bot).toEqual({ name: "Crewroom", avatar: "mxc://crew.test/abc" });
  });
});

describe("secrets", () => {
  it("come from the environment, whole or inside a text, and $${ is a plain ${", async () => {
    const config = await load(
      good.replace("model: m }", () => 'model: m, api_key: "${KEY}", headers: { x-a: "b ${KEY} $${KEY}" } }'),
      { env: { KEY: "s3cret" } },
    );
    expect(config.models["default"]).toMatchObject({ api_key: "s3cret", headers: { "x-a": "b s3cret ${KEY}" } });
  });

  it("come from files beside the config, without the line's end", async () => {
    await writeFile(join(folder(), "key"), "from-file\n");
    await writeFile(join(folder(), "ada.md"), "You are Ada.\n\nYou plan.\n");
    const config = await load(
      `${good.replace("model: m }", "model: m, api_key_file: key }")}    instructions_file: ada.md\n`,
    );
    expect(config.models["default"]).toEqual({
      base_url: "http://127.0.0.1:9/v1",
      model: "m",
      api_key: "from-file",
      context: 128_000,
    });
    expect(config.agents[0]?.instructions).toBe("You are Ada.\n\nYou plan.");
  });

  it("that are missing are named with their place, once", async () => {
    expect(
      await problemsIn(
        good.replace(
          "model: m }",
          'model: m, api_key: "${KEY}" }\n  other: { base_url: "${URL}", model: x, api_key_file: none }',
        ),
      ),
    ).toEqual([
      expect.stringMatching(/^6:66 models\.default\.api_key: needs the environment variable KEY, which is not set; /),
      expect.stringMatching(/^7:22 models\.other\.base_url: needs the environment variable URL/),
      expect.stringMatching(/^7:56 models\.other\.api_key_file: names a file that cannot be read \(ENOENT/),
    ]);
  });

  it("never appear in an error", async () => {
    const thrown: unknown = await load(
      `${good.replace("model: m }", 'model: 5, api_key: "${KEY}", temperature: "${KEY}", api_key_file: x }')}store: "\${KEY}"\n`,
      { env: { KEY: "hunter2" } },
    ).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(CrewError);
    expect(JSON.stringify(thrown) + String(thrown)).not.toContain("hunter2");
  });
});

describe("a wrong config", () => {
  it("tells all problems at once, in the order of the file, with line, column, path and what to do", async () => {
    expect(
      await problemsIn(`homeserver: { addres: http://127.0.0.1:8008, domain: https://crew.test }
appservice:
  address: http://127.0.0.1:29331
  port: "80"
permissions:
  "@sam": admin
  crew.test: tlak
models:
  default:
    base_url: localhost:9
    model:
limits: { turn_seconds: 0 }
agents:
  - { id: Ada }
  - { id: bo, runtime: openclaw, model: big }
  - { id: bo }
`),
    ).toEqual([
      "1:1 homeserver.address: is missing; add it",
      "1:15 homeserver.addres: is not a key here; did you mean address?",
      expect.stringMatching(/^1:54 homeserver\.domain: is not a homeserver's name; write the part after the colon/),
      "4:9 appservice.port: is a text where a number is expected",
      expect.stringMatching(/^6:3 permissions\."@sam": is neither a person/),
      '7:14 permissions."crew.test": is none of observe, talk, task, supervise, admin, none; choose one of them',
      expect.stringMatching(/^10:15 models\.default\.base_url: is not an http:\/\/ or https:\/\/ address/),
      "11:11 models.default.model: has no value; give it one or remove the line",
      expect.stringMatching(/^12:25 limits\.turn_seconds: is not more than 0/),
      expect.stringMatching(/^14:11 agents\[0\]\.id: is not an agent's id; use a-z/),
      expect.stringMatching(/^15:24 agents\[1\]\.runtime: names the runtime openclaw, which is not available yet/),
      expect.stringMatching(
        /^15:41 agents\[1\]\.model: names the model big, which models does not have \(it has: default\)/,
      ),
      expect.stringMatching(/^16:11 agents\[2\]\.id: is the same as agents\[1\]\.id/),
    ]);
  });

  it("that is not YAML is told with its line, without quoting it", async () => {
    const problems = await problemsIn(`${good}store: "sqlite:secret\nlogging: {`);
    expect(problems[0]).toMatch(/^\d+:\d+ config: this is not YAML: /);
    expect(problems.join()).not.toContain("secret");
  });

  it("that is empty names every key that must be there", async () => {
    expect((await problemsIn("")).map((line) => line.replace(/:.*? /, " "))).toEqual(
      ["homeserver", "appservice", "permissions", "models", "agents"].map((key) => `1 ${key}: is missing; add it`),
    );
  });

  it("that does not exist is CONFIG_UNREADABLE", async () => {
    await expect(loadConfig(join(folder(), "none.yaml"))).rejects.toMatchObject({ code: "CONFIG_UNREADABLE" });
  });
});

describe("overrides", () => {
  it("are merged before checking, literally, and null removes a key", async () => {
    const config = await load(good.replace("model: m }", 'model: m, api_key: "${UNSET}" }'), {
      env: {},
      overrides: {
        homeserver: { address: "http://127.0.0.1:1" },
        models: { default: { api_key: null, model: "${literal}" } },
        agents: [{ id: "bo" }],
      },
    });
    expect(config.homeserver).toEqual({ address: "http://127.0.0.1:1", domain: "crew.test:8448" });
    expect(config.models["default"]).toMatchObject({ model: "${literal}" });
    expect(config.models["default"]).not.toHaveProperty("api_key");
    expect(config.agents.map((agent) => agent.id)).toEqual(["bo"]);
  });
});
