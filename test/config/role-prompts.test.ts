import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadRolePrompts, promptsFor } from "../../src/config/role-prompts.ts";
import { packagePath } from "../../src/package.ts";
import { folder, good, load, problemsIn } from "./support.ts";

const crew = `${good}    roles: [reviewer, planner, writer]
  - { id: bo }
`;
const withFolder = `${crew}tasks: { roles: my-roles }\n`;

async function own(name: string, text: string): Promise<void> {
  await mkdir(join(folder(), "my-roles"), { recursive: true });
  await writeFile(join(folder(), "my-roles", name), text);
}

const shipped = async (role: string) => (await readFile(packagePath(`config/roles/${role}.md`), "utf8")).trim();

describe("role prompts", () => {
  it("come with the package, for the crew's roles only; a role of one's own has none", async () => {
    const prompts = await loadRolePrompts(await load(crew));
    expect(Object.fromEntries(prompts)).toEqual({
      reviewer: await shipped("reviewer"),
      planner: await shipped("planner"),
      executor: await shipped("executor"),
      writer: "",
    });
  });

  it("come from a folder of one's own, and from the package where that has no file", async () => {
    await own("planner.md", "\uFEFFPlan little.\r\nAsk much.\n\n");
    await own("writer.md", "Write plainly.\n");
    await own("executor.md", "\n");
    await own("unused.md", "Nobody has this role.");
    const config = await load(withFolder);
    expect(config.tasks.roles).toBe(join(folder(), "my-roles"));
    expect(Object.fromEntries(await loadRolePrompts(config))).toEqual({
      reviewer: await shipped("reviewer"),
      planner: "Plan little.\nAsk much.",
      executor: "",
      writer: "Write plainly.",
    });
  });

  it("follow each other in an order that does not depend on the agent's list, the known roles first", async () => {
    const prompts = new Map(
      ["planner", "executor", "reviewer", "patrol", "writer", "poet"].map((role) => [role, role]),
    );
    expect(promptsFor(["writer", "patrol", "planner", "poet", "executor", "planner"], prompts)).toEqual([
      "planner",
      "executor",
      "patrol",
      "writer",
      "poet",
    ]);
    expect(promptsFor(["writer", "unknown"], new Map([["writer", ""]]))).toEqual([]);
  });

  it("in a folder that is not there are a problem of the config, with its line", async () => {
    expect(await problemsIn(withFolder)).toEqual([
      expect.stringMatching(
        /^11:17 tasks\.roles: \S+my-roles cannot be read \(ENOENT[^)]*\); make it readable, or correct the path$/,
      ),
    ]);
  });

  it("that cannot be read are named, when the config is checked and at start", async () => {
    await mkdir(join(folder(), "my-roles", "planner.md"), { recursive: true });
    expect(await problemsIn(withFolder)).toEqual([
      expect.stringMatching(/^11:17 tasks\.roles: \S+planner\.md cannot be read \(EISDIR/),
    ]);
    await rm(join(folder(), "my-roles", "planner.md"), { recursive: true });
    const config = await load(withFolder);
    await rm(join(folder(), "my-roles"), { recursive: true });
    await expect(loadRolePrompts(config)).rejects.toMatchObject({
      code: "CONFIG_UNREADABLE",
      details: { file: join(folder(), "my-roles") },
    });
  });
});

describe("the package's role prompts", () => {
  it.each(["planner", "executor", "reviewer", "patrol"])(
    "of the %s is short, since every request carries it",
    async (role) => {
      const text = await shipped(role);
      expect(text).toMatch(new RegExp(`^As ${role} you `));
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(900);
    },
  );
});
