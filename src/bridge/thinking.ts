/** What agents think with: models, runtimes, their tools, and the turns that bring them together. */
import type { Config } from "../config/schema.ts";
import { hasRuleFor } from "../core/policy.ts";
import type { World } from "../core/world.ts";
import { costOf, type ModelUsage } from "../core/spent.ts";
import type { AgentId, EffectId, EventId } from "../core/ids.ts";
import type { Clock, CrewMember } from "../crew/ports.ts";
import { createTurns, type Turns } from "../crew/turns.ts";
import type { Homeserver } from "../matrix/homeserver.ts";
import type { Messenger } from "../matrix/messenger.ts";
import type { Reads } from "../matrix/reads.ts";
import { createModels } from "../models/client.ts";
import type { Logger } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { createBuiltinRuntime } from "../runtimes/builtin/runtime.ts";
import type { SessionStore } from "../runtimes/port.ts";
import { toolsFor } from "../tools/registry.ts";
import { budgetsOf, modelsOf } from "./from-config.ts";
import type { Presence } from "./presence.ts";
import { createTurnPorts, type TurnPortsOptions } from "./turn-ports.ts";

export interface ThinkingOptions {
  readonly config: Config;
  readonly agents: ReadonlyMap<AgentId, CrewMember>;
  readonly sessions: SessionStore;
  readonly rooms: Rooms;
  readonly messenger: Messenger;
  readonly homeserver: Homeserver;
  readonly reads: Reads;
  readonly presence: Presence;
  /** What an agent's file tools do. */
  readonly files: TurnPortsOptions["files"];
  readonly leaves: TurnPortsOptions["leaves"];
  readonly world: Pick<World, "policy">;
  /** Who waits for the event that an effect becomes. */
  readonly spoken: Map<EffectId, (event: EventId | undefined) => void>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Takes the runtimes, which end after the turns. */
  readonly parts: AsyncDisposableStack;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

export function createThinking(options: ThinkingOptions): Turns {
  const { config, agents, sessions, rooms, messenger, homeserver, reads, presence, spoken, metrics } = options;
  const { limits } = config;
  const server = config.homeserver.domain;
  const { prices } = budgetsOf(config);
  const models = createModels({
    models: modelsOf(config),
    onUsage: ({ agent, session, model, usage, estimated }) => {
      const use: ModelUsage = { ...usage, model, ...(estimated ? { estimated } : {}) };
      turns.used(session, use);
      metrics.cost.inc({ agent, model }, (costOf(prices, use) ?? 0) / 1e6);
      metrics.tokens.inc({ agent, model, direction: "input" }, usage.inputTokens);
      metrics.tokens.inc({ agent, model, direction: "output" }, usage.outputTokens);
    },
  });
  const builtin = options.parts.use(createBuiltinRuntime({ models, sessions }));
  const turns = createTurns({
    agents,
    runtimes: new Map([["builtin", builtin]]),
    metered: new Set(["builtin"]),
    ports: createTurnPorts({
      server,
      rooms,
      messenger,
      homeserver,
      recent: (...asked) => reads.recent(...asked),
      files: options.files,
      leaves: options.leaves,
      hasRuleFor: (tool) => hasRuleFor(options.world, tool),
      spoken,
      attachmentBytes: limits.attachment_bytes,
      signal: options.signal,
    }),
    tools: (context) =>
      toolsFor({
        server,
        roles: context.agent.roles,
        runtime: context.agent.runtime,
        agentsHere: (turn) => presence.agentsIn(context.roomOf(turn)),
        says: (...asked) => context.says(...asked),
        acts: (...asked) => context.acts(...asked),
        reads: (...asked) => context.reads(...asked),
        works: (...asked) => context.works(...asked),
      }),
    limits,
    clock: options.clock,
    log: options.log,
    onStarted: () => metrics.turnsRunning.inc(),
    onEnded: (_room, { agent }, { reason }) => {
      metrics.turnsRunning.dec();
      metrics.turns.inc({ agent, outcome: reason });
    },
  });
  return turns;
}
