/**
 * The prompts of the crew's roles: `<role>.md` in `tasks.roles`, or else in the package's own `config/roles`. A role of
 * one's own without a file has none. They are read when the config is checked, so that a wrong folder is told with its
 * line, and once more at start.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CrewError, reasonOf } from "../core/errors.ts";
import { packagePath } from "../package.ts";
import type { Config } from "./schema.ts";

/** By role, for every role of the crew; `""` where it has no prompt. */
export type RolePrompts = ReadonlyMap<string, string>;

/** @throws CrewError `CONFIG_UNREADABLE` that names the folder or file. */
export async function loadRolePrompts(config: Pick<Config, "agents" | "tasks">): Promise<RolePrompts> {
  const roles = new Set(config.agents.flatMap((agent) => agent.roles));
  const folders = [config.tasks.roles, packagePath("config/roles")].flatMap((folder) => folder ?? []);
  const shelves = await Promise.all(
    folders.map(async (folder) => ({ folder, files: new Set(await orUnreadable(folder, readdir(folder))) })),
  );
  const prompts = [...roles].map(async (role): Promise<readonly [string, string]> => {
    const name = `${role}.md`;
    const shelf = shelves.find(({ files }) => files.has(name));
    if (shelf === undefined) return [role, ""];
    const file = join(shelf.folder, name);
    const text = await orUnreadable(file, readFile(file, "utf8"));
    return [
      role,
      text
        .replace(/^\uFEFF/, "")
        .replaceAll("\r\n", "\n")
        .trim(),
    ];
  });
  return new Map(await Promise.all(prompts));
}

async function orUnreadable<Value>(file: string, reading: Promise<Value>): Promise<Value> {
  try {
    return await reading;
  } catch (thrown) {
    throw new CrewError("CONFIG_UNREADABLE", { file, reason: reasonOf(thrown) }, thrown);
  }
}

/** In which order an agent's prompts follow each other: these, then roles of one's own as the config lists them. */
const order = ["planner", "executor", "reviewer", "patrol"];

/** The prompts of one agent's roles, in an order that stays the same whatever the order of its roles. */
export function promptsFor(roles: readonly string[], prompts: RolePrompts): readonly string[] {
  const known = order.filter((role) => roles.includes(role));
  const own = roles.filter((role) => !order.includes(role));
  return [...new Set([...known, ...own])].flatMap((role) => prompts.get(role) || []);
}
