/** Who of ours, and which people, are in a room, as its lane knows it. */
import type { AgentId, RoomId } from "../core/ids.ts";
import { agentsHere } from "../core/listening.ts";
import type { World } from "../core/world.ts";
import type { Members } from "../matrix/compose/mentions.ts";
import type { Rooms } from "../rooms/rooms.ts";

export class Presence {
  readonly #world: World;
  readonly #rooms: Rooms;

  constructor(world: World, rooms: Rooms) {
    this.#world = world;
    this.#rooms = rooms;
  }

  /** People without a name: the id is shown, since a display name may say anything. */
  membersOf(room: RoomId): Members {
    const people = (this.#rooms.lane(room).state?.people ?? []).map((user) => [user, ""] as const);
    const crew = [...this.#world.crew.values()].map(({ user, name }) => [user, name] as const);
    return new Map([...people, ...crew]);
  }

  /** Those on their way in as well: what they are told waits for them. */
  agentsIn(room: RoomId | undefined): readonly AgentId[] {
    const state = room === undefined ? undefined : this.#rooms.lane(room).state;
    if (state === undefined) return [];
    return agentsHere(this.#world, state).flatMap((user) => this.#world.crew.get(user)?.id ?? []);
  }
}
