/** All lanes. Rooms run side by side; a lane that has nothing to do is let go after a while. */
import type { RoomId } from "../core/ids.ts";
import type { Input } from "../core/input.ts";
import type { World } from "../core/world.ts";
import { Lane, type LanePorts, type Outcome } from "./lane.ts";

/** Idle lanes kept in memory, so that a busy room need not read its record for every event. */
const idleLanes = 256;

export class Rooms {
  readonly #world: World;
  readonly #ports: LanePorts;
  /** In the order of last use. */
  readonly #lanes = new Map<RoomId, Lane>();

  constructor(world: World, ports: LanePorts) {
    this.#world = world;
    this.#ports = ports;
  }

  put(room: RoomId, input: Input): Promise<Outcome> {
    return this.lane(room).put(input);
  }

  /** The lane of a room, made when it is first needed. */
  lane(room: RoomId): Lane {
    const lane = this.#lanes.get(room) ?? new Lane(room, this.#world, this.#ports);
    this.#lanes.delete(room);
    this.#lanes.set(room, lane);
    if (this.#lanes.size > idleLanes) this.#letGo();
    return lane;
  }

  /**
   * The rules of moderation have changed. Lanes that are not in memory have nothing running; what waits there (for the end
   * of a mute) is looked at when it is to begin.
   */
  moderated(): void {
    for (const lane of this.#lanes.values()) {
      const sessions = Object.values(lane.state?.sessions ?? {});
      const isBusy = !lane.isIdle || sessions.some(({ running, queue }) => running !== undefined || queue.length > 0);
      // It rejects only when the record cannot be read, which the room's next input tells as well.
      if (isBusy) lane.put({ kind: "moderated" }).catch(() => undefined);
    }
  }

  /** Lanes in memory. */
  get size(): number {
    return this.#lanes.size;
  }

  /** Inputs that wait in all lanes. */
  get depth(): number {
    let sum = 0;
    for (const lane of this.#lanes.values()) sum += lane.depth;
    return sum;
  }

  /** Effects of the rooms in memory that are not yet done. */
  get outboxDepth(): number {
    let sum = 0;
    for (const lane of this.#lanes.values()) sum += lane.outbox.length;
    return sum;
  }

  /** The oldest idle ones go. A lane with effects to do stays: their outcome comes back to it. */
  #letGo(): void {
    for (const [room, lane] of this.#lanes) {
      if (this.#lanes.size <= idleLanes) return;
      if (lane.isIdle && lane.outbox.length === 0) this.#lanes.delete(room);
    }
  }
}
