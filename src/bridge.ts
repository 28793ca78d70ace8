/**
 * Builds the parts of the bridge and joins them: the only file that knows them all. What passes between them, and in
 * which order, is in docs/architecture.md.
 */
import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
import type { Config } from "./config/schema.ts";
import { createTurns } from "./crew/turns.ts";
import type { Announce, Fleeting, Follow, Forget, Join, Leave, RunTurn, Say } from "./core/effect.ts";
import { asCrewError, CrewError, reasonOf } from "./core/errors.ts";
import {
  type AgentId,
  asMxcUri,
  agentUserId,
  botUserId,
  type EffectId,
  type EventId,
  type RoomId,
  type UserId,
} from "./core/ids.ts";
import type { CrewMember, World } from "./core/world.ts";
import { openJournal } from "./journal/open.ts";
import type { Members } from "./matrix/compose/mentions.ts";
import { decodeEvent, tellEvent } from "./matrix/decode.ts";
import { Entrance } from "./matrix/entrance.ts";
import { createGhosts, isGhostMissing } from "./matrix/ghosts.ts";
import { Premises, type Headquarters } from "./matrix/headquarters.ts";
import { createHomeserver } from "./matrix/homeserver.ts";
import type { HomeserverError } from "./matrix/homeserver-error.ts";
import { createIngress } from "./matrix/ingress.ts";
import { Outage } from "./matrix/outage.ts";
import { createReads } from "./matrix/reads.ts";
import type { Registration } from "./matrix/registration.ts";
import { retrying, type RetryOptions } from "./matrix/retry.ts";
import { Speaker } from "./matrix/speak.ts";
import { parseTransaction, type Transaction } from "./matrix/transaction.ts";
import { Watch } from "./matrix/watch.ts";
import { createModels } from "./models/client.ts";
import { Health, healthRoutes } from "./observe/health.ts";
import type { Logger } from "./observe/log.ts";
import { createMetrics } from "./observe/metrics.ts";
import { version } from "./package.ts";
import { Dispatcher } from "./rooms/dispatcher.ts";
import { type Decoded, Intake } from "./rooms/intake.ts";
import { Rooms } from "./rooms/rooms.ts";
import { saveRecord } from "./rooms/store.ts";
import { createBuiltinRuntime } from "./runtimes/builtin/runtime.ts";
import { commandRunner, crewCommands } from "./supervision/commands.ts";
import { toolsFor } from "./tools/registry.ts";

export interface BridgeOptions {
  readonly config: Config;
  readonly registration: Registration;
  readonly log: Logger;
}

export interface RunningBridge {
  /** Where it listens, for the homeserver and for `/live`, `/ready` and `/metrics`. */
  readonly url: string;
  /** Takes nothing new, lets go what runs (it goes on at the next start), and closes. At most `limits.drain_seconds`. */
  stop(): Promise<void>;
  /** Resolves when the bridge cannot go on: it lost the store to another one, or the homeserver does not know it. */
  readonly lost: Promise<CrewError>;
}

/** @throws CrewError `STORE_LOCKED`, `STORE_UNUSABLE`, `PORT_TAKEN`, `TOKEN_UNKNOWN`. */
export async function startBridge({ config, registration, log }: BridgeOptions): Promise<RunningBridge> {
  await using parts = new AsyncDisposableStack();
  const { limits } = config;
  const server = config.homeserver.domain;
  const bot = botUserId(server);
  const ending = new AbortController();
  const lost = Promise.withResolvers<CrewError>();
  const metrics = createMetrics();

  // The store
  const journal = parts.use(
    await openJournal(config.store, {
      onWarning: (sentence) => log.warn({}, sentence),
      onLockLost: (error) => lost.resolve(error),
      signal: ending.signal,
    }),
  );

  // The homeserver
  const outage = new Outage();
  const { address } = config.homeserver;
  const timeoutMs = limits.homeserver_timeout_seconds * 1_000;
  const homeserver = createHomeserver({ address, domain: server, asToken: registration.as_token, timeoutMs, outage });
  const reads = createReads({ address, asToken: registration.as_token, timeoutMs, outage });
  const retry: Omit<RetryOptions, "signal" | "attempts"> = {
    maxWaitMs: limits.retry_max_seconds * 1_000,
    outage,
    onRetry: ({ reason }) => metrics.sendRetries.inc({ reason }),
  };
  const patient = <T>(work: () => Promise<T>): Promise<T> => retrying(work, { ...retry, signal: ending.signal });
  const ghosts = createGhosts({ homeserver, meta: journal.meta, retry: patient, log });
  const watch = parts.use(
    new Watch({
      homeserver,
      outage,
      appservice: registration.id,
      retry,
      onPing: (ok) => metrics.pings.inc({ outcome: ok ? "ok" : "failed" }),
      onChange: (up) => metrics.homeserverUp.set(up ? 1 : 0),
      log,
    }),
  );
  metrics.homeserverUp.set(1);

  // The crew
  const world = worldOf(config);
  const profiles = new Map(
    [
      { id: bot, name: config.bot.name, avatar: config.bot.avatar },
      ...config.agents.map((agent) => ({ ...agent, id: agentUserId(agent.id, server) })),
    ].map(({ id, name, avatar }) => [id, { user: id, name, ...(avatar === undefined ? {} : { avatar }) }]),
  );
  const ensure = async (user: UserId): Promise<void> => {
    const profile = profiles.get(user);
    if (profile !== undefined) await ghosts.ensure(profile);
  };

  // The rooms
  const dispatcher = new Dispatcher({
    doers: {
      say: (room, effect, signal) => say(room, effect, signal),
      join: (room, effect, signal) => join(room, effect, signal),
      leave: (room, effect, signal) => leave(room, effect, signal),
      follow: (room, effect, signal) => follow(room, effect, signal),
      turn: async (room, effect) => turn(room, effect),
      announce: (_room, effect) => announce(effect),
      forget: (_room, effect) => forget(effect),
    },
    fleeting: (room, effect) => fleeting(room, effect),
    onOutcome: (effect, event) => spoken.get(effect)?.(event),
    bury: async (letter) => {
      metrics.deadLetters.inc({ code: letter.code });
      await journal.dead.add(letter);
    },
    now: Date.now,
    log,
  });
  const rooms = new Rooms(world, {
    load: (room) => journal.rooms.load(room),
    save: (room, record) => saveRecord(journal.rooms, room, record, log, ending.signal),
    dispatch: (room, fresh, passing) => dispatcher.dispatch(room, fresh, passing),
    note: (room, note) => {
      if (note.kind !== "breakerTripped") return;
      metrics.breakerTrips.inc({ reason: "limit" });
      log.warn({ room, reason: note.reason }, "the breaker tripped");
    },
    now: Date.now,
  });
  dispatcher.connect(rooms);
  const intake = new Intake({
    inbox: journal.inbox,
    decode: (raw) => decoded(parseTransaction(raw)),
    put: (room, input) => rooms.put(room, input),
    onHandled: (outcome) => metrics.eventsHandled.inc({ outcome }),
    log,
  });

  // What agents think with
  const models = createModels({
    models: Object.fromEntries(Object.entries(config.models).map(([name, model]) => [name, modelSettings(model)])),
    onUsage: ({ agent, model, usage }) => {
      metrics.tokens.inc({ agent, model, direction: "input" }, usage.inputTokens);
      metrics.tokens.inc({ agent, model, direction: "output" }, usage.outputTokens);
    },
  });
  const builtin = parts.use(createBuiltinRuntime({ models, sessions: journal.sessions }));
  /** Who waits for the event that an effect becomes. */
  const spoken = new Map<EffectId, (event: EventId | undefined) => void>();
  const turns = createTurns({
    agents: new Map(config.agents.map((agent) => [agent.id, agent])),
    runtimes: new Map([["builtin", builtin]]),
    ports: {
      speaks: async (room, effect, text) => {
        const answer = `${effect.turn}:answer` as EffectId;
        const { promise, resolve } = Promise.withResolvers<EventId | undefined>();
        spoken.set(answer, resolve);
        try {
          const { outcome } = await rooms.put(room, {
            kind: "turnSpeaks",
            session: effect.session,
            turn: effect.turn,
            text,
          });
          // The run before a crash has spoken already: its message is the one to go on with.
          return outcome === "acted" ? await promise : answerOf(room, effect);
        } finally {
          spoken.delete(answer);
        }
      },
      ended: async (room, effect, outcome) => {
        await rooms.put(room, { kind: "turnEnded", session: effect.session, turn: effect.turn, outcome });
      },
      amend: (room, effect, message, text) =>
        sends(() =>
          speaker.amend(room, agentUserId(effect.agent, server), message, text, membersOf(room), ending.signal),
        ),
      typing: (room, agent, on) =>
        homeserver.typing(room, agentUserId(agent, server), on, typingMs, { signal: ending.signal }),
      fetchAttachment: async (ref, signal) => {
        const mxc = asMxcUri(ref.mxc);
        if (mxc === undefined) throw new CrewError("INTERNAL", { reason: `${ref.name} has no media address` });
        return homeserver.download(mxc, limits.attachment_bytes, { signal });
      },
      agentSays: async (room, effect, call, to, text) => {
        const input = {
          kind: "agentSays",
          session: effect.session,
          turn: effect.turn,
          call,
          text,
          ...(to === undefined ? {} : { to }),
        } as const;
        return (await rooms.put(room, input)).reply ?? "Not sent.";
      },
    },
    tools: (context) =>
      toolsFor({
        server,
        agentsHere: (running) => {
          const room = context.roomOf(running);
          return room === undefined ? [] : agentsJoined(room);
        },
        says: (...asked) => context.says(...asked),
      }),
    limits,
    clock: { now: Date.now, after: (ms, signal) => delay(ms, undefined, { signal }) },
    log,
    onStarted: () => metrics.turnsRunning.inc(),
    onEnded: (_room, { agent }, { outcome }) => {
      metrics.turnsRunning.dec();
      metrics.turns.inc({ agent, outcome: outcome.kind });
    },
  });

  // What the effects do
  const sends = pLimit(limits.sends_in_flight);
  const speaker = new Speaker({ homeserver, longAnswerBytes: limits.long_answer_bytes });
  const premises = new Premises({
    homeserver,
    bot,
    permissions: config.permissions,
    federate: config.rooms.federate,
    name: config.bot.name,
  });
  const headquarters = Promise.withResolvers<Headquarters>();
  headquarters.promise.catch(() => undefined);
  const entrance = new Entrance({
    homeserver,
    reads,
    ensure,
    decode: (events) => decodedAll(events).map(({ input }) => input),
    retry,
    attempts: limits.join_attempts,
    onSlowJoin: (room, effect, error) => void tellSlowJoin(room, effect, error),
  });

  function decodedAll(events: readonly unknown[]): Decoded {
    return events.flatMap((raw) => {
      const event = decodeEvent(raw, { isOwn: (user) => profiles.has(user) });
      if (event === "malformed") {
        metrics.eventsMalformed.inc();
        log.warn(tellEvent(raw), "an event that breaks the spec was left out");
      }
      return typeof event === "string" ? [] : [event];
    });
  }

  function decoded(transaction: Transaction): Decoded {
    return decodedAll(transaction.events);
  }

  function membersOf(room: RoomId): Members {
    const state = rooms.lane(room).state;
    const people = (state?.people ?? []).map((user) => [user, ""] as const);
    const crew = [...world.crew.values()].map(({ user, name }) => [user, name] as const);
    return new Map([...people, ...crew]);
  }

  function agentsJoined(room: RoomId): readonly AgentId[] {
    const seats = rooms.lane(room).state?.seats;
    return [...world.crew.values()].filter(({ user }) => seats?.[user]?.place === "joined").map(({ id }) => id);
  }

  function answerOf(room: RoomId, effect: RunTurn): EventId | undefined {
    const running = rooms.lane(room).state?.sessions[effect.session]?.running;
    return running?.id === effect.turn ? running.answerEvent : undefined;
  }

  async function say(room: RoomId, effect: Say, signal: AbortSignal): Promise<EventId> {
    const began = performance.now();
    const event = await retrying(
      () => asGhost(effect.as, () => sends(() => speaker.say(room, effect, membersOf(room), signal))),
      { ...retry, signal },
    );
    metrics.sends.inc({ kind: effect.style });
    metrics.sendLatency.observe((performance.now() - began) / 1_000);
    return event;
  }

  /** A homeserver whose database was set back does not know the user any more: then it is made again, once. */
  async function asGhost<T>(user: UserId, work: () => Promise<T>): Promise<T> {
    await ensure(user);
    try {
      return await work();
    } catch (thrown) {
      if (!isGhostMissing(thrown)) throw thrown;
      await ghosts.forget(user);
      await ensure(user);
      return work();
    }
  }

  async function join(room: RoomId, effect: Join, signal: AbortSignal): Promise<undefined> {
    try {
      const joined = await entrance.join(room, effect, signal);
      metrics.joins.inc({ outcome: "joined" });
      await rooms.put(room, joined);
    } catch (thrown) {
      if (!signal.aborted) metrics.joins.inc({ outcome: "failed" });
      throw thrown;
    }
  }

  async function leave(room: RoomId, effect: Leave, signal: AbortSignal): Promise<undefined> {
    await entrance.leave(room, effect.as, effect.reason, signal);
    metrics.joins.inc({ outcome: "rejected" });
  }

  async function follow(room: RoomId, effect: Follow, signal: AbortSignal): Promise<undefined> {
    for (const joined of await entrance.follow(room, effect, signal)) {
      const carried = effect.carried.filter(({ agent }) => agentUserId(agent, server) === joined.user);
      await rooms.put(effect.replacement, { ...joined, carried });
    }
  }

  function turn(room: RoomId, effect: RunTurn): "later" {
    for (const { cause } of effect.messages) {
      const arrived = intake.arrivalOf(cause as EventId);
      if (arrived !== undefined) metrics.addedLatency.observe((performance.now() - arrived) / 1_000);
    }
    turns.start(room, effect);
    return "later";
  }

  async function announce(effect: Announce): Promise<undefined> {
    const { hq } = await headquarters.promise;
    await rooms.put(hq, { kind: "announce", id: effect.id, text: effect.text });
  }

  async function forget(effect: Forget): Promise<undefined> {
    await turns.forget(effect);
  }

  function fleeting(room: RoomId, effect: Fleeting): void {
    if (effect.kind === "abort") turns.abort(effect.turn);
    else void receipt(room, effect);
  }

  async function receipt(room: RoomId, { as, event, thread }: Extract<Fleeting, { kind: "receipt" }>): Promise<void> {
    try {
      await sends(() => homeserver.receipt(room, as, event, thread ?? "main", { signal: ending.signal }));
    } catch (thrown) {
      log.debug({ room, reason: reasonOf(thrown) }, "a read receipt was not sent");
    }
  }

  /** The agent is not in the room yet, so the bot tells the person in a direct chat. */
  async function tellSlowJoin(room: RoomId, effect: Join, error: HomeserverError): Promise<void> {
    try {
      const direct = await premises.direct(effect.inviter, ending.signal);
      await rooms.put(direct, await entrance.adopt(direct, bot, ending.signal));
      const text = `${effect.as} could not join ${room} yet, and tries again. ${error.message}`;
      await rooms.put(direct, { kind: "announce", id: `${effect.id}:slow` as EffectId, text });
    } catch (thrown) {
      log.warn({ room, reason: reasonOf(thrown) }, "the inviter could not be told that a join is slow");
    }
  }

  // Health
  const health = new Health({
    store: async () => {
      await journal.probe();
      return undefined;
    },
    homeserver: async (signal) => (await homeserver.versions({ signal })).at(-1),
    ping: async () => {
      if (watch.lastPing instanceof Error) throw watch.lastPing;
      return watch.lastPing;
    },
  });
  const ingress = createIngress({
    hsToken: registration.hs_token,
    maxBodyBytes: limits.transaction_bytes,
    accept: ({ raw, transaction, arrivedAt }) => {
      outage.report(true);
      return intake.accept(raw, decoded(transaction), arrivedAt);
    },
    userExists: async (user) => {
      await ensure(user);
      return profiles.has(user);
    },
    roomAliasExists: async () => false,
    health: healthRoutes({
      health,
      metrics: {
        ...metrics,
        exposition: () => {
          metrics.lanes.set(rooms.size);
          metrics.laneDepth.set(rooms.depth);
          metrics.outboxDepth.set(rooms.outboxDepth);
          return metrics.exposition();
        },
      },
    }),
    log,
    metrics,
  });

  /** Makes the users and the bot's rooms. Waits for the homeserver as long as it takes. */
  async function settle(): Promise<void> {
    const { signal } = ending;
    await ensure(bot);
    const few = pLimit(4);
    await Promise.all([...world.crew.keys()].map((user) => few(() => ensure(user))));
    const premisesOpen = await patient(() => premises.open(signal));
    for (const room of [premisesOpen.space, premisesOpen.hq])
      await rooms.put(room, await entrance.adopt(room, bot, signal));
    headquarters.resolve(premisesOpen);
    if ((await journal.meta.get("adopted")) !== true) await adoptAll();
    await journal.meta.set("adopted", true);
  }

  /** With a new store, rooms where we are already must be learnt from the homeserver. */
  async function adoptAll(): Promise<void> {
    const { signal } = ending;
    for (const user of profiles.keys()) {
      for (const room of await patient(() => homeserver.joinedRooms(user, { signal }))) {
        await rooms.put(room, await entrance.adopt(room, user, signal));
      }
    }
  }

  /** What the last run did not finish. */
  async function recover(): Promise<void> {
    for await (const [room, record] of journal.rooms.all()) {
      if (record.outbox.length === 0) continue;
      await rooms.put(room, { kind: "recovered" });
      dispatcher.dispatch(room, rooms.lane(room).outbox, []);
    }
    const left = await intake.recover();
    if (left > 0) log.info({ transactions: left }, "handling what was left in the inbox");
  }

  // From here on parts end in the opposite order: first nothing comes in, then nothing goes out, then the store closes.
  parts.use(dispatcher);
  parts.use(intake);
  parts.use(turns);
  parts.use(ingress);
  parts.defer(() => ending.abort());

  await recover();
  const port = await ingress.listen(config.appservice.hostname, config.appservice.port);
  const settled = settle();
  settled.catch((thrown: unknown) => {
    if (!ending.signal.aborted) lost.resolve(asCrewError(thrown));
  });
  // A homeserver that is down keeps nobody from starting: what it sends later is kept, and all else waits for it.
  await Promise.race([settled, new Promise<void>((resolve) => outage.onChange((up) => up || resolve()))]);
  void watch.ping();
  log.info({ port, agents: world.crew.size, version }, "serving");

  const running = parts.move();
  return {
    url: `http://${config.appservice.hostname}:${port}`,
    lost: lost.promise,
    stop: () => running.disposeAsync(),
  };
}

/** The homeserver stops a typing notice by itself after that long. */
const typingMs = 30_000;

function worldOf(config: Config): World {
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

function modelSettings(model: Config["models"][string]) {
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
