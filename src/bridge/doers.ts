/** Which part does which effect. The parts need each other, so they are asked for when an effect is done, not before. */
import type { Ask } from "../core/asks.ts";
import type { Carried, Follow, Join, Say } from "../core/effect.ts";
import { outdated, type OwnInput } from "../core/input.ts";
import { agentUserId, asRoomId, botUserId, type EventId, type RoomId, type UserId } from "../core/ids.ts";
import type { Turns } from "../crew/turns.ts";
import type { Entrance, Joined } from "../matrix/entrance.ts";
import { HomeserverError } from "../matrix/homeserver-error.ts";
import type { Messenger } from "../matrix/messenger.ts";
import type { OwnState } from "../matrix/own-state.ts";
import type { Settling } from "../matrix/settling.ts";
import type { TaskRooms } from "../matrix/task-rooms.ts";
import { until } from "../until.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Doers } from "../rooms/dispatcher.ts";
import type { Filing } from "./filing.ts";
import type { AuditEntry } from "../core/audit.ts";
import type { AuditReader } from "../journal/journal.ts";
import { auditText } from "../supervision/audit-text.ts";
import type { Intake } from "../rooms/intake.ts";
import type { Rooms } from "../rooms/rooms.ts";

export interface DoersOptions {
  readonly server: string;
  readonly messenger: () => Pick<Messenger, "say" | "setState" | "react" | "redact">;
  readonly entrance: () => Pick<Entrance, "adopt" | "join" | "stragglers" | "reject" | "follow" | "invite">;
  readonly settling: () => Pick<Settling, "headquarters">;
  readonly taskRooms: () => Pick<TaskRooms, "open">;
  readonly audit: () => Pick<AuditReader, "read">;
  readonly filing: () => Pick<Filing, "job" | "publish">;
  readonly turns: () => Turns;
  readonly intake: () => Intake;
  readonly rooms: () => Rooms;
  readonly ownState: () => Pick<OwnState, "wrote">;
  readonly metrics: Metrics;
}

/** What goes on in the room that replaces another. */
type Moved = Pick<Joined, "task" | "asks" | "away" | "breaker"> & { readonly carried: readonly Carried[] };

/** A room may be replaced as often as that while the bridge runs; it finds the newest one by its address when it starts. */
const mostMoves = 20;

/** Tells something in HQ, or in the room that has replaced it since the start. */
export async function announce(
  rooms: Pick<Rooms, "put">,
  hq: RoomId,
  input: Extract<OwnInput, { kind: "announce" }>,
): Promise<void> {
  let room = hq;
  for (let moves = 0; moves < mostMoves; moves++) {
    const { reply } = await rooms.put(room, input);
    const next = asRoomId(reply);
    if (next === undefined) return;
    room = next;
  }
}

/** A homeserver still shows a room to who was kicked, as it was then. */
function isIn({ user, snapshot }: Joined): boolean {
  return snapshot.members.some((member) => member.user === user && member.membership === "join");
}

export function createDoers(parts: DoersOptions): Doers {
  const { server, metrics } = parts;
  const bot = botUserId(server);
  /** An agent's questions go with the agent, the others with the bot, who joins first. */
  const asker = ({ matter }: Ask): UserId => ("agent" in matter ? agentUserId(matter.agent, server) : bot);
  const movedBy = ({ carried, asks = [], task, away, breaker }: Follow, { user }: Joined): Moved => ({
    carried: carried.filter(({ agent }) => agentUserId(agent, server) === user),
    asks: asks.filter((ask) => asker(ask) === user),
    ...(task === undefined ? {} : { task }),
    ...(away === undefined ? {} : { away }),
    ...(breaker === undefined ? {} : { breaker }),
  });
  /** Invited to the successor of a room that is just being left: both rooms name each other. */
  const movedTo = (room: RoomId, joined: Joined): Moved => {
    const { predecessor } = joined.snapshot;
    const left = predecessor === undefined ? [] : parts.rooms().lane(predecessor).outbox;
    const follow = left.find((effect) => effect.kind === "follow" && effect.replacement === room);
    return follow?.kind === "follow" ? movedBy(follow, joined) : { carried: [] };
  };
  /**
   * Joins, and looks until nothing has changed while it looked. A join that is repeated changes nothing, unless a person
   * has removed it in between: into a public room it would come back by itself.
   */
  const learn = async (room: RoomId, effect: Join, signal: AbortSignal): Promise<void> => {
    while (parts.rooms().lane(room).effect(effect.id) !== undefined) {
      const asOf = parts.rooms().lane(room).state?.changes ?? 0;
      const joined = await parts.entrance().join(room, effect, signal);
      if (!isIn(joined)) return;
      const { reply } = await parts.rooms().put(room, { ...joined, ...movedTo(room, joined), asOf });
      if (reply !== outdated) return;
    }
  };
  /** Has the lane know a room in which one of ours is already. */
  const adopt = async (room: RoomId, user: UserId, signal: AbortSignal): Promise<void> => {
    for (;;) {
      const asOf = parts.rooms().lane(room).state?.changes ?? 0;
      const joined = await parts.entrance().adopt(room, user, signal);
      if (!isIn(joined)) return;
      const { reply } = await parts.rooms().put(room, { ...joined, asOf });
      if (reply !== outdated) return;
    }
  };
  /** A mute and a kick are refused alike, perhaps before their event has come: the room's state tells which it was. */
  const lookAgain = async (room: RoomId, { as }: Say, signal: AbortSignal): Promise<void> => {
    const asOf = parts.rooms().lane(room).state?.changes ?? 0;
    try {
      const joined = await parts.entrance().adopt(room, as, signal);
      if (isIn(joined)) await parts.rooms().put(room, { ...joined, asOf });
    } catch (thrown) {
      // Not in the room any more: the event that says so is on its way.
      if (!(thrown instanceof HomeserverError)) throw thrown;
    }
  };
  return {
    say: async (room, effect, signal) => {
      try {
        return await parts.messenger().say(room, effect, signal);
      } catch (thrown) {
        if (thrown instanceof HomeserverError && thrown.errcode === "M_FORBIDDEN")
          await lookAgain(room, effect, signal);
        throw thrown;
      }
    },

    join: async (room, effect, signal) => {
      try {
        await learn(room, effect, signal);
        metrics.joins.inc({ outcome: "joined" });
        // Nothing waits for this: what was heard already is being answered.
        for (const input of await parts.entrance().stragglers(room, effect, signal))
          await parts.rooms().put(room, input);
        return undefined;
      } catch (thrown) {
        if (!signal.aborted) metrics.joins.inc({ outcome: "failed" });
        throw thrown;
      }
    },

    leave: async (room, effect, signal) => {
      await parts.entrance().reject(room, effect, signal);
      if (effect.inviter !== undefined) metrics.joins.inc({ outcome: "rejected" });
      return undefined;
    },

    follow: async (room, effect, signal) => {
      for (const joined of await parts.entrance().follow(room, effect, signal)) {
        await parts.rooms().put(effect.replacement, { ...joined, ...movedBy(effect, joined) });
      }
      return undefined;
    },

    turn: async (room, effect) => {
      for (const { cause } of effect.messages) {
        const arrived = parts.intake().arrivalOf(cause as EventId);
        if (arrived !== undefined) metrics.addedLatency.observe((performance.now() - arrived) / 1_000);
      }
      parts.turns().start(room, effect);
      // Its end comes into the lane by itself.
      return "later";
    },

    state: async (room, effect, signal) => {
      const event = await parts.messenger().setState(room, bot, effect, signal);
      parts.ownState().wrote(event);
      return event;
    },

    react: (room, effect, signal) => parts.messenger().react(room, effect, signal),

    invite: async (room, effect, signal) => {
      await parts.entrance().invite(room, effect, signal);
      return undefined;
    },

    openTask: async (asked, effect, signal) => {
      const { id, title, brief, asker } = effect;
      // It may be long until the homeserver is there, and the bridge may end before.
      const { space } = await until(parts.settling().headquarters, signal);
      const { number, room, alias } = await parts.taskRooms().open(effect, space, signal);
      await adopt(room, bot, signal);
      await parts.rooms().put(room, { kind: "taskOpened", seed: { number, title, brief, asker } });
      await parts.rooms().put(asked, { kind: "taskRoom", effect: id, number, room, alias });
      return undefined;
    },

    files: async (room, effect, signal) => {
      await parts.filing().job(room, effect, signal);
      return undefined;
    },

    publish: (room, effect, signal) => parts.filing().publish(room, effect, signal),

    recall: async (room, effect, signal) => {
      const { id, limit, agent, what, everywhere, task } = effect;
      const { hq } = await until(parts.settling().headquarters, signal);
      const entries: AuditEntry[] = [];
      const filter = {
        limit,
        newestFirst: true,
        ...(everywhere && room === hq
          ? {}
          : task === undefined
            ? { room }
            : { task: task.number, since: task.created }),
        ...(agent === undefined ? {} : { agent }),
        ...(what === undefined ? {} : { kind: what }),
      };
      for await (const { entry } of parts.audit().read(filter)) entries.push(entry);
      await parts.rooms().put(room, { kind: "recalled", effect: id, text: auditText(entries.toReversed()) });
      return undefined;
    },

    redact: async (room, effect, signal) => {
      await parts.messenger().redact(room, effect, signal);
      return undefined;
    },

    announce: async (_room, effect, signal) => {
      const { hq } = await until(parts.settling().headquarters, signal);
      const { id, text, budget } = effect;
      await announce(parts.rooms(), hq, { kind: "announce", id, text, ...(budget === undefined ? {} : { budget }) });
      return undefined;
    },

    forget: async (_room, effect) => {
      await parts.turns().forget(effect);
      return undefined;
    },
  };
}
