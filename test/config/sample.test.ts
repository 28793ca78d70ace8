import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import { permissionsAreSample } from "../../src/config/placeholders.ts";
import { configReference } from "../../src/config/reference.ts";
import { sampleConfig } from "../../src/config/sample.ts";
import { packagePath } from "../../src/package.ts";

describe("the sample config", () => {
  it("is a config that only lacks a key and permissions of one's own", async () => {
    const file = packagePath("config/crewroom.yaml");
    await expect(loadConfig(file, { env: {} })).rejects.toThrow(/1 problem\(s\)[^]*OPENAI_API_KEY/);
    const { config } = await loadConfig(file, { env: { OPENAI_API_KEY: "k" } });
    expect(permissionsAreSample(config)).toBe(true);
  });

  it("shows exactly the defaults", async () => {
    const shown = await loadConfig(packagePath("config/crewroom.yaml"), { env: { OPENAI_API_KEY: "k" } });
    const bare = await loadConfig(packagePath("config/crewroom.yaml"), {
      env: { OPENAI_API_KEY: "k" },
      overrides: {
        tasks: null,
        patrol: null,
        files: null,
        sandbox: null,
        limits: null,
        logging: null,
        rooms: null,
        bot: null,
        store: null,
        data: null,
      },
    });
    expect(shown.config).toEqual(bare.config);
  });

  it("still is a config when every optional key is set, but for the *_file keys that stand for others", async () => {
    const all = sampleConfig().replace(/^( *)#(?! \S)(?!\w+_file:)/gm, "$1");
    const given: unknown = parse(all);
    if (typeof given !== "object" || given === null) throw new Error("not a map");
    const { config } = await loadConfig(packagePath("config/crewroom.yaml"), {
      env: { OPENAI_API_KEY: "k" },
      overrides: { ...given },
    });
    expect(config.models["default"]).toMatchObject({ temperature: 0.7, headers: { "x-team": "crew" } });
    expect(config.agents[0]?.avatar).toBe(packagePath("config/ada.png"));
    expect(config.tasks.roles).toBe(packagePath("config/roles"));
  });

  it("has a sentence for every key, in the sample and in the reference", () => {
    const lines = sampleConfig().split("\n");
    const bare = lines.filter(
      (line, index) => /^ *#?[a-z_]+:/.test(line.replace("- ", "  ")) && !/^ *# /.test(lines[index - 1] ?? ""),
    );
    // Names that a person chooses: an entry of permissions, and the one model.
    expect(bare.map((line) => line.trim())).toEqual(["default:"]);
    expect(configReference()).not.toMatch(/\| *\|$/m);
  });

  it("is what the file in the package holds", async () => {
    expect(await readFile(packagePath("config/crewroom.yaml"), "utf8")).toBe(sampleConfig());
  });
});

describe("the demo's config", () => {
  it("has a crew of three that plan, work and review", async () => {
    const { config } = await loadConfig(packagePath("config/demo.yaml"), { env: {} });
    expect(config.agents.map(({ id, roles }) => `${id} ${roles[0]}`)).toEqual([
      "ada planner",
      "bo executor",
      "cleo reviewer",
    ]);
    expect(permissionsAreSample(config)).toBe(false);
  });
});
