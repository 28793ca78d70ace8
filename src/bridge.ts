/**
 * Builds the parts of the bridge and joins them: with the files beside it in `bridge/`, the only place that knows them
 * all. What passes between them, and in which order, is in docs/architecture.md.
 */
import { setTimeout as delay } from "node:timers/promises";
import { createDecoder } from "./bridge/decoder.ts";
import { announce, createDoers } from "./bridge/doers.ts";
import { agentsOf, profilesOf, worldOf } from "./bridge/from-config.ts";
import { createFiling } from "./bridge/filing.ts";
import { Leaves } from "./bridge/leaves.ts";
import { createNotes } from "./bridge/notes.ts";
import { Presence } from "./bridge/presence.ts";
import { StoreWatch } from "./bridge/store-watch.ts";
import { createThinking } from "./bridge/thinking.ts";
import { loadRolePrompts } from "./config/role-prompts.ts";
import type { Config } from "./config/schema.ts";
import { asCrewError, type CrewError, reasonOf } from "./core/errors.ts";
import { botUserId, type EffectId, type EventId, type RoomId } from "./core/ids.ts";
import type { RoomState } from "./core/room.ts";
import { nextDeadline } from "./core/tasks/deadlines.ts";
import { openJournal } from "./journal/open.ts";
import { BundleStore } from "./matrix/bundles.ts";
import { Entrance } from "./matrix/entrance.ts";
import { createGhosts } from "./matrix/ghosts.ts";
import { PolicyLists } from "./matrix/policy-lists.ts";
import { Premises } from "./matrix/headquarters.ts";
import { createHomeserver } from "./matrix/homeserver.ts";
import { createIngress } from "./matrix/ingress.ts";
import { Messenger } from "./matrix/messenger.ts";
import { Outage } from "./matrix/outage.ts";
import { OwnUsers } from "./matrix/own-users.ts";
import { createReads } from "./matrix/reads.ts";
import { Rules } from "./matrix/rules.ts";
import { OwnState } from "./matrix/own-state.ts";
import { Receipts } from "./matrix/receipts.ts";
import type { Registration } from "./matrix/registration.ts";
import { retrying, type RetryOptions } from "./matrix/retry.ts";
import { Settling } from "./matrix/settling.ts";
import { Speaker } from "./matrix/speak.ts";
import { TaskRooms } from "./matrix/task-rooms.ts";
import { parseTransaction } from "./matrix/transaction.ts";
import { Watch } from "./matrix/watch.ts";
import { Health, healthRoutes } from "./observe/health.ts";
import type { Logger } from "./observe/log.ts";
import { createMetrics } from "./observe/metrics.ts";
import { version } from "./package.ts";
import { appendAudit } from "./rooms/audit-trail.ts";
import { Dispatcher } from "./rooms/dispatcher.ts";
import { Intake } from "./rooms/intake.ts";
import type { LanePorts } from "./rooms/lane.ts";
import { recoverRooms } from "./rooms/recovery.ts";
import { Rooms } from "./rooms/rooms.ts";
import { RoomRoster } from "./rooms/roster.ts";
import { saveRecord } from "./rooms/store.ts";
import { Sweep } from "./rooms/sweep.ts";
import { Timers } from "./rooms/timers.ts";

export interface BridgeOptions {
  readonly config: Config;
  readonly registration: Registration;
  readonly log: Logger;
}

export interface RunningBridge {
  /** Where it listens, for the homeserver and for `/live`, `/ready` and `/metrics`. */
  readonly url: string;
  /**
   * Takes nothing new, lets go of turns (they go on at the next start), sends what is due for at most
   * `limits.drain_seconds`, and closes. What is not sent by then is sent at the next start.
   */
  stop(): Promise<void>;
  /** Resolves when the bridge cannot go on: it lost the store to another one, or the homeserver does not know it. */
  readonly lost: Promise<CrewError>;
}

const clock = {
  now: Date.now,
  after: (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal }),
};

/** A homeserver that cannot reach us is told and counted, but not waited for any longer than that. */
const pingPatienceMs = 2_000;

/** @throws CrewError `CONFIG_UNREADABLE` (a role's prompt), `STORE_LOCKED`, `STORE_UNUSABLE`, `PORT_TAKEN`, `TOKEN_UNKNOWN`. */
export async function startBridge({ config, registration, log }: BridgeOptions): Promise<RunningBridge> {
  await using parts = new AsyncDisposableStack();
  const { limits } = config;
  const server = config.homeserver.domain;
  const bot = botUserId(server);
  const agents = agentsOf(config, await loadRolePrompts(config));
  const roster = new RoomRoster(() => sweep.request());
  const rules = new Rules(config.moderation.ignored);
  const world = worldOf(config, roster, rules);
  const ending = new AbortController();
  const { signal } = ending;
  const lost = Promise.withResolvers<CrewError>();
  const metrics = createMetrics();

  // The store
  const journal = parts.use(
    await openJournal(config.store, {
      onWarning: (sentence) => log.warn({}, sentence),
      onLockLost: (error) => lost.resolve(error),
      onAudited: (entries) => {
        for (const { entry } of entries) metrics.auditEntries.inc({ kind: entry.kind });
      },
      signal,
    }),
  );

  // The homeserver, and our users on it
  const outage = new Outage();
  const access = {
    address: config.homeserver.address,
    asToken: registration.as_token,
    timeoutMs: limits.homeserver_timeout_seconds * 1_000,
    outage,
  };
  const homeserver = createHomeserver({ ...access, domain: server });
  const reads = createReads({ ...access, bot });
  const retry: Omit<RetryOptions, "signal" | "attempts"> = {
    maxWaitMs: limits.retry_max_seconds * 1_000,
    outage,
    onRetry: ({ reason }) => metrics.sendRetries.inc({ reason }),
  };
  const patient = <T>(work: () => Promise<T>): Promise<T> => retrying(work, { ...retry, signal });
  const users = new OwnUsers(profilesOf(config), createGhosts({ homeserver, meta: journal.meta, retry: patient, log }));
  const decode = createDecoder(users, metrics, log);
  metrics.homeserverUp.set(1);
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

  // The rooms. Decisions make effects, and their outcomes are inputs again; so the parts in this circle are asked for
  // when they are needed.
  /** Who waits for the event that an effect becomes. */
  const spoken = new Map<EffectId, (event: EventId | undefined) => void>();
  const leaves = new Leaves();
  const dispatcher = new Dispatcher({
    doers: createDoers({
      server,
      messenger: () => messenger,
      entrance: () => entrance,
      settling: () => settling,
      taskRooms: () => taskRooms,
      filing: () => filing,
      audit: () => journal.audit,
      turns: () => turns,
      intake: () => intake,
      rooms: () => rooms,
      ownState: () => ownState,
      metrics,
    }),
    fleeting: (room, effect) => {
      if (effect.kind === "leaveGiven") leaves.give(effect.call, effect.given);
      else if (effect.kind === "abort") turns.abort(effect.turn);
      else receipts.add(room, effect);
    },
    onOutcome: (effect, event) => spoken.get(effect)?.(event),
    bury: async (letter) => {
      metrics.deadLetters.inc({ code: letter.code });
      await journal.dead.add(letter);
    },
    now: clock.now,
    log,
  });
  const learn = (room: RoomId, state: RoomState): void => {
    roster.update(room, state);
    timers.set(room, nextDeadline(state, world));
    filing.files.learn(room, state);
  };
  const trail = { onRetry: () => metrics.auditRetries.inc(), log, signal };
  const audit: LanePorts["audit"] = (room, entries) => appendAudit(journal.audit, room, entries, trail);
  const rooms = new Rooms(world, {
    load: (room) => journal.rooms.load(room),
    save: (room, record) => saveRecord(journal.rooms, room, record, log, signal),
    audit,
    dispatch: (room, fresh, fleeting) => dispatcher.dispatch(room, fresh, fleeting),
    note: createNotes(metrics, log),
    decided: learn,
    now: clock.now,
  });
  dispatcher.connect(rooms);
  const tick = (room: RoomId): Promise<unknown> => rooms.put(room, { kind: "tick" });
  const timers = new Timers({ clock, tick, log });
  const sweep = new Sweep({ waiting: () => roster.waiting(), tick, log });
  const presence = new Presence(world, rooms);
  const intake = new Intake({
    inbox: journal.inbox,
    decode: (raw) => decode(parseTransaction(raw).events),
    put: (room, input) => rooms.put(room, input),
    onHandled: (outcome) => metrics.eventsHandled.inc({ outcome }),
    log,
  });
  const messenger = new Messenger({
    speaker: new Speaker({ homeserver, longAnswerBytes: limits.long_answer_bytes }),
    users,
    membersOf: (room) => presence.membersOf(room),
    retry,
    inFlight: limits.sends_in_flight,
    metrics,
  });
  const ownState = new OwnState({
    bot,
    after: clock.after,
    onStrange: (room, type, key, content) =>
      void rooms.put(room, { kind: "overwritten", type, key, content }).catch((thrown: unknown) => {
        log.error({ room, type, key, reason: reasonOf(thrown) }, "older state in a room could not be looked at");
      }),
  });
  const receipts = new Receipts({ homeserver, after: clock.after, log });
  const entrance = new Entrance({
    homeserver,
    reads,
    ensure: (user) => users.ensure(user),
    isOwn: (user) => users.has(user),
    decode: (events) => decode(events).map(({ input }) => input),
    retry,
    attempts: limits.join_attempts,
    onSlowJoin: (room, join, error) => void settling.tellSlowJoin(room, join, error),
  });
  const {
    permissions,
    bot: { name },
    rooms: { federate },
  } = config;
  const settling = new Settling({
    homeserver,
    users,
    bot,
    premises: new Premises({ homeserver, bot, permissions, federate, name }),
    entrance,
    meta: journal.meta,
    put: (room, input) => rooms.put(room, input),
    patient,
    signal,
    log,
  });

  const tellHeadquarters = async (id: EffectId, text: string): Promise<void> => {
    const { hq } = await settling.headquarters;
    await announce(rooms, hq, { kind: "announce", id, text });
  };
  const policyLists = new PolicyLists({
    rooms: config.moderation.policy_rooms,
    homeserver,
    reads,
    bot,
    meta: journal.meta,
    rules,
    patient,
    tell: (id, text) => void tellHeadquarters(id, text).catch(() => undefined),
    onChange: () => rooms.moderated(),
    now: clock.now,
    after: clock.after,
    signal,
    log,
  });

  const { meta } = journal;
  const taskRooms = new TaskRooms({ homeserver, bot, permissions, federate, meta, retry, log });

  const filing = createFiling({
    config,
    rooms,
    homeserver,
    bundles: new BundleStore({ homeserver, retry }),
    messenger: () => messenger,
    retry,
    now: clock.now,
    signal,
    log,
  });

  const turns = createThinking({
    config,
    files: filing.files,
    leaves,
    world,
    agents,
    sessions: journal.sessions,
    rooms,
    messenger,
    homeserver,
    reads,
    presence,
    spoken,
    clock,
    metrics,
    parts,
    signal,
    log,
  });

  // Where the homeserver and the operator's probes come in
  const health = new Health({
    store: async () => {
      await journal.probe();
      return undefined;
    },
    homeserver: async (until) => (await homeserver.versions({ signal: until })).at(-1),
    ping: async () => {
      if (watch.lastPing instanceof Error) throw watch.lastPing;
      return watch.lastPing;
    },
  });
  const storeWatch = new StoreWatch({
    probe: () => journal.probe(),
    onRecovered: () => void watch.ping(),
    signal,
    log,
  });
  const exposition = (): ReturnType<typeof metrics.exposition> => {
    metrics.lanes.set(rooms.size);
    metrics.laneDepth.set(rooms.depth);
    metrics.outboxDepth.set(rooms.outboxDepth);
    for (const [state, count] of Object.entries(roster.states())) metrics.tasks.set({ state }, count);
    return metrics.exposition();
  };
  const ingress = createIngress({
    hsToken: registration.hs_token,
    maxBodyBytes: limits.transaction_bytes,
    accept: async ({ raw, transaction, arrivedAt }) => {
      outage.report(true);
      // Before all else in it: whom a new rule fits is not heard from here on.
      policyLists.take(transaction.events);
      ownState.take(transaction.events);
      try {
        await intake.accept(raw, decode(transaction.events), arrivedAt);
      } catch (thrown) {
        storeWatch.failed();
        throw thrown;
      }
    },
    userExists: async (user) => {
      await users.ensure(user);
      return users.has(user);
    },
    // The bot makes its rooms with their aliases, so the homeserver knows all that there are.
    roomAliasExists: async () => false,
    health: healthRoutes({ health, metrics: { ...metrics, exposition } }),
    log,
    metrics,
  });

  // From here on parts end in the opposite order: nothing comes in or wakes, turns let go, what came in is recorded, what
  // is due is sent, and the store closes.
  parts.defer(() => ending.abort());
  parts.use(dispatcher);
  parts.use(receipts);
  parts.use(ownState);
  parts.defer(() => (outage.up ? dispatcher.drain(limits.drain_seconds * 1_000) : undefined));
  parts.use(intake);
  parts.use(policyLists);
  parts.use(filing);
  parts.use(turns);
  parts.use(timers);
  parts.use(sweep);
  parts.use(ingress);

  await policyLists.load();
  await recoverRooms(journal.rooms, learn, rooms, dispatcher, world, audit);
  const left = await intake.recover();
  if (left > 0) log.info({ transactions: left }, "handling what was left in the inbox");
  void filing.files.recover(roster.tasks().map(({ room }) => room));
  // The last run may have ended between an agent's release and the rooms that wait for it.
  sweep.request();
  timers.start();
  const port = await ingress.listen(config.appservice.hostname, config.appservice.port);
  const settled = settling.settle();
  void settled.then(
    () => policyLists.follow(),
    () => undefined,
  );
  settled.catch((thrown: unknown) => {
    if (!signal.aborted) lost.resolve(asCrewError(thrown));
  });
  // A homeserver that is down keeps nobody from starting: what it sends later is kept, and all else waits for it.
  const down = new Promise<void>((resolve) => outage.onChange((up) => up || resolve()));
  await Promise.race([settled, down]);
  // Mostly answered at once, and then the bridge is ready in every sense when it says so.
  await Promise.race([watch.ping(), down, delay(pingPatienceMs, undefined, { ref: false })]);
  log.info({ port, agents: world.crew.size, version }, "serving");

  const running = parts.move();
  return {
    url: `http://${config.appservice.hostname}:${port}`,
    lost: lost.promise,
    stop: () => running.disposeAsync(),
  };
}
