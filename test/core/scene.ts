/** A room to decide in, without anything around it: inputs go in, the record and what is due come out. */
import { noExtra, nothing } from "../../src/core/spent.ts";
import { decide, type Decision } from "../../src/core/decide.ts";
import type { Effect, RunTurn, Say } from "../../src/core/effect.ts";
import {
  agentUserId,
  asAgentId,
  asEventId,
  asRoomId,
  asUserId,
  type EventId,
  type UserId,
} from "../../src/core/ids.ts";
import type { Input, Message, Snapshot } from "../../src/core/input.ts";
import { noModeration } from "../../src/core/moderation-rules.ts";
import type { RoomRecord } from "../../src/core/record.ts";
import { emptyRoom } from "../../src/core/room.ts";
import type { CrewMember, Roster, World } from "../../src/core/world.ts";
import { commandRunner, crewCommands } from "../../src/supervision/commands.ts";

export const server = "example.com:8448";

export function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("not an id");
  return value;
}

export const user = (name: string): UserId => defined(asUserId(`@${name}:${server}`));
export const event = (name: string): EventId => defined(asEventId(`$${name}`));
export const room = defined(asRoomId(`!room:${server}`));
export const bot = user("crewroom");
export const anna = user("anna");
export const boss = user("boss");
export const stranger = defined(asUserId("@stranger:elsewhere.org"));

export function member(name: string, extra: Partial<CrewMember> = {}): CrewMember {
  const id = defined(asAgentId(name));
  return {
    id,
    name: name[0]?.toUpperCase() + name.slice(1),
    user: agentUserId(id, server),
    roles: ["executor"],
    runtime: "builtin",
    model: "default",
    capabilities: [],
    parallel: 1,
    ...extra,
  };
}

export const ada = member("ada");
export const bo = member("bo");

/** What no other room has a part in. */
export const alone: Roster = {
  loadElsewhere: () => 0,
  scoreOf: () => ({ points: 0, entries: 0 }),
  scoresByReason: () => ({}),
  tasks: () => [],
  spentElsewhere: () => nothing,
  raisedElsewhere: () => noExtra,
};

const tasks: World["tasks"] = {
  plan_approval: "never",
  final_approval: "person",
  dispatch: "push",
  max_subtasks: 50,
  max_rework: 3,
  lease_seconds: 600,
  review_lease_seconds: 600,
  ask_hours: 24,
  max_tries: 3,
};

const patrol: World["patrol"] = {
  unclaimed_minutes: 10,
  review_wait_minutes: 10,
  blocked_minutes: 30,
  silence_minutes: 60,
  identical_answers: 3,
  checkpoints: ["half_estimate", "estimate", "rework"],
};

export function world(limits: Partial<World["limits"]> = {}): World {
  return {
    server,
    bot,
    crew: new Map([ada, bo].map((agent) => [agent.user, agent])),
    permissions: { [server]: "talk", [boss]: "admin" },
    limits: {
      queue_messages: 5,
      breaker_hops: 4,
      breaker_pair_messages: 20,
      breaker_room_messages: 60,
      breaker_window_seconds: 600,
      ...limits,
    },
    command: commandRunner(crewCommands("1.2.3")),
    tasks,
    patrol,
    policy: [],
    roster: alone,
    budgets: { task: {}, agent_day: {}, day: {}, prices: {} },
    moderation: noModeration,
  };
}

export class Scene {
  readonly world: World;
  record: RoomRecord = { v: 1, state: emptyRoom(room), outbox: [], handled: [] };
  now = 1_000_000;
  #count = 0;

  constructor(limits: Partial<World["limits"]> = {}, other: Partial<World> = {}) {
    this.world = { ...world(limits), ...other };
  }

  /** Decides, and keeps the record as the journal would: as JSON. */
  put(input: Input): Decision {
    const decision = decide(this.world, this.record, input, this.now);
    this.record = JSON.parse(JSON.stringify(decision.record)) as RoomRecord;
    return decision;
  }

  fresh(name = "event"): EventId {
    return event(`${name}${this.#count++}`);
  }

  /** The agents (and the bot) are in the room with these people. */
  enter(people: readonly UserId[], agents: readonly UserId[] = [ada.user], extra: Partial<Snapshot> = {}): void {
    const members = [...people, ...agents].map((who) => ({ user: who, membership: "join" as const }));
    const snapshot: Snapshot = { version: "11", creators: [], power: {}, encrypted: false, members, ...extra };
    for (const agent of agents) this.put({ kind: "joined", user: agent, snapshot, missed: [], attempts: 1 });
  }

  message(text: string, extra: Partial<Message> = {}): Message {
    return {
      kind: "message",
      event: this.fresh("said"),
      sender: anna,
      ts: this.now,
      text,
      mentions: [],
      notice: false,
      ...extra,
    };
  }

  say(text: string, extra: Partial<Message> = {}): Decision {
    return this.put(this.message(text, extra));
  }

  due<Kind extends Effect["kind"]>(kind: Kind): readonly Extract<Effect, { kind: Kind }>[] {
    return this.record.outbox.filter((effect): effect is Extract<Effect, { kind: Kind }> => effect.kind === kind);
  }

  get turns(): readonly RunTurn[] {
    return this.due("turn");
  }

  get says(): readonly Say[] {
    return this.due("say");
  }

  /** The running turn of an agent ends with these words. */
  answer(turn: RunTurn | undefined, text: string): Decision {
    const { session, turn: id } = defined(turn);
    return this.put({ kind: "turnEnded", session, turn: id, outcome: { kind: "answered", text, spoke: false } });
  }

  /** All that is to be said is said. */
  deliver(): void {
    for (const { id } of this.says) this.put({ kind: "done", effect: id, event: this.fresh("sent") });
  }
}
