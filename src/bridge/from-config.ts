/** What the parts need of the config, in their own words. */
import type { Config } from "../config/schema.ts";
import { agentUserId, botUserId, type UserId } from "../core/ids.ts";
import type { CrewMember, World } from "../core/world.ts";
import type { GhostProfile } from "../matrix/ghosts.ts";
import type { ModelSettings } from "../models/port.ts";
import { version } from "../package.ts";
import { commandRunner, crewCommands } from "../supervision/commands.ts";

export function worldOf(config: Config): World {
  const { domain } = config.homeserver;
  const crew = config.agents.map(({ id, name, roles, runtime, model }): readonly [UserId, CrewMember] => {
    const user = agentUserId(id, domain);
    return [user, { id, name, user, roles, runtime, model }];
  });
  return {
    server: domain,
    bot: botUserId(domain),
    crew: new Map(crew),
    permissions: config.permissions,
    limits: config.limits,
    command: commandRunner(crewCommands(version)),
  };
}

/** The bot first, then the agents. */
export function profilesOf(config: Config): readonly GhostProfile[] {
  const { domain } = config.homeserver;
  const { name, avatar } = config.bot;
  const agents = config.agents.map((agent) => ({
    user: agentUserId(agent.id, domain),
    name: agent.name,
    avatar: agent.avatar,
  }));
  return [{ user: botUserId(domain), name, avatar }, ...agents];
}

export function modelsOf(config: Config): Readonly<Record<string, ModelSettings>> {
  return Object.fromEntries(Object.entries(config.models).map(([name, model]) => [name, modelSettings(model)]));
}

function modelSettings(model: Config["models"][string]): ModelSettings {
  return {
    baseUrl: model.base_url,
    model: model.model,
    context: model.context,
    ...(model.api_key === undefined ? {} : { apiKey: model.api_key }),
    ...(model.max_output_tokens === undefined ? {} : { maxOutputTokens: model.max_output_tokens }),
    ...(model.temperature === undefined ? {} : { temperature: model.temperature }),
    ...(model.headers === undefined ? {} : { headers: model.headers }),
  };
}
