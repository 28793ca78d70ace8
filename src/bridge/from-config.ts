/** What the parts need of the config, in their own words. */
import { policyOf } from "../config/policy-rules.ts";
import { promptsFor, type RolePrompts } from "../config/role-prompts.ts";
import type { Config } from "../config/schema.ts";
import type { BudgetPolicy } from "../core/spent.ts";
import { agentUserId, botUserId, type AgentId, type UserId } from "../core/ids.ts";
import type { Moderation } from "../core/moderation-rules.ts";
import type { CrewMember, Roster, World } from "../core/world.ts";
import type { CrewMember as Worker } from "../crew/ports.ts";
import type { GhostProfile } from "../matrix/ghosts.ts";
import type { ModelSettings } from "../models/port.ts";
import { version } from "../package.ts";
import { commandRunner, crewCommands } from "../supervision/commands.ts";

/**
 * @param roster What other rooms know; asked at each decision.
 * @param moderation Whom rules keep from being heard; asked at each decision.
 */
export function worldOf(config: Config, roster: Roster, moderation: Moderation): World {
  const { domain } = config.homeserver;
  // What agents are told stays out: policies are shown in rooms.
  const { rules: _rules, roles: _roles, ...tasks } = config.tasks;
  const crew = config.agents.map((agent): readonly [UserId, CrewMember] => {
    const { id, name, roles, runtime, model, capabilities, parallel } = agent;
    const user = agentUserId(id, domain);
    return [user, { id, name, user, roles, runtime, model, capabilities, parallel }];
  });
  return {
    server: domain,
    bot: botUserId(domain),
    crew: new Map(crew),
    permissions: config.permissions,
    limits: config.limits,
    command: commandRunner(crewCommands(version)),
    tasks,
    patrol: config.patrol,
    policy: policyOf(config),
    roster,
    budgets: budgetsOf(config),
    moderation,
  };
}

/** Money of the config is in dollars; inside, it is in whole millionths of one. */
export function budgetsOf({ budgets, models }: Config): BudgetPolicy {
  const micro = (usd: number): number => Math.round(usd * 1e6);
  const limits = ({ tokens, usd }: Config["budgets"]["task"]) => ({
    ...(tokens === undefined ? {} : { tokens }),
    ...(usd === undefined ? {} : { microusd: micro(usd) }),
  });
  const prices = Object.entries(models).flatMap(([name, { price }]) => {
    if (price === undefined) return [];
    const cached = price.cached_usd_per_million;
    const [input, output] = [micro(price.input_usd_per_million), micro(price.output_usd_per_million)];
    return [[name, { input, output, ...(cached === undefined ? {} : { cached: micro(cached) }) }] as const];
  });
  const rate = budgets.rate_usd_per_hour;
  return {
    task: limits(budgets.task),
    agent_day: limits(budgets.agent_day),
    day: limits(budgets.day),
    ...(rate === undefined ? {} : { rate_microusd_per_hour: micro(rate) }),
    prices: Object.fromEntries(prices),
  };
}

/** The agents as turns need them. The prompts are those of `loadRolePrompts`: read once, so that they stay the same bytes. */
export function agentsOf(config: Config, prompts: RolePrompts): ReadonlyMap<AgentId, Worker> {
  const { rules } = config.tasks;
  return new Map(
    config.agents.map(({ id, name, roles, instructions, model, runtime }) => {
      const rolePrompts = promptsFor(roles, prompts);
      return [id, { id, name, roles, rolePrompts, rules, instructions, model, runtime }];
    }),
  );
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
