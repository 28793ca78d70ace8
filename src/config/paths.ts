/** Makes the config's paths absolute: they are relative to the config file, wherever the program was started. */
import { resolve } from "node:path";
import { asMxcUri } from "../core/ids.ts";
import type { Config } from "./schema.ts";

export function withAbsolutePaths(config: Config, folder: string): Config {
  return {
    ...config,
    appservice: { ...config.appservice, registration: resolve(folder, config.appservice.registration) },
    store: absoluteStore(config.store, folder),
    data: resolve(folder, config.data),
    tasks: withAbsoluteRoles(config.tasks, folder),
    files: { ...config.files, git: absoluteProgram(config.files.git, folder) },
    sandbox: { ...config.sandbox, readable: config.sandbox.readable.map((path) => resolve(folder, path)) },
    bot: withAbsoluteAvatar(config.bot, folder),
    agents: config.agents.map((agent) => withAbsoluteAvatar(agent, folder)),
  };
}

function absoluteStore(store: string, folder: string): string {
  const path = /^sqlite:(?!:memory:)(?:\/\/(?=\/))?(.*)$/s.exec(store)?.[1];
  return path === undefined ? store : `sqlite:${resolve(folder, path)}`;
}

/** A name without a slash is looked up in the PATH. */
function absoluteProgram(program: string, folder: string): string {
  return program.includes("/") ? resolve(folder, program) : program;
}

function withAbsoluteRoles(tasks: Config["tasks"], folder: string): Config["tasks"] {
  return tasks.roles === undefined ? tasks : { ...tasks, roles: resolve(folder, tasks.roles) };
}

function withAbsoluteAvatar<Owner extends { readonly avatar?: string | undefined }>(
  owner: Owner,
  folder: string,
): Owner {
  const { avatar } = owner;
  return avatar === undefined || asMxcUri(avatar) !== undefined ? owner : { ...owner, avatar: resolve(folder, avatar) };
}
