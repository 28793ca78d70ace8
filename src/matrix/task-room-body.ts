/** The request that makes a task room. Pure. */
import type { RoomId, UserId } from "../core/ids.ts";
import { singleLine, truncate } from "../core/text.ts";

export interface NewTaskRoom {
  readonly number: number;
  readonly title: string;
  readonly asker: UserId;
  /** Tells which request the room is of; see {@link markType}. */
  readonly origin: string;
  readonly bot: UserId;
  readonly space: RoomId;
  /** A server that knows the Space. */
  readonly via: string;
  readonly federate: boolean;
  /** The room version that it will have, where that is known. */
  readonly version: string | undefined;
}

/** The state event that says what a room of the bot is for. */
export const markType = "dev.crewroom.room";

const maxNameChars = 100;

/** Localpart of a task room's alias. */
export function taskLocalpart(number: number): string {
  return `crewroom-task-${number}`;
}

/** The body of `POST /createRoom`. Power levels are no part of it, because of room version 12: see `OwnRooms.empower`. */
export function taskRoomBody(wanted: NewTaskRoom): Readonly<Record<string, unknown>> {
  const { number, origin, bot, space, via, federate, version } = wanted;
  const title = singleLine(wanted.title, maxNameChars);
  const mark = { kind: "task", task: number, coordinator: bot, v: 1, origin };
  return {
    preset: "private_chat",
    room_alias_name: taskLocalpart(number),
    name: truncate(`📝 #${number} ${title}`, maxNameChars),
    topic: "planning",
    creation_content: { "m.federate": federate },
    initial_state: [
      { type: markType, state_key: "", content: mark },
      { type: "m.space.parent", state_key: space, content: { via: [via], canonical: true } },
      ...(isRestrictable(version) ? [{ type: "m.room.join_rules", state_key: "", content: membersOf(space) }] : []),
      ...bridgeInfo(wanted, title),
    ],
  };
}

/** Whether a room of that version can be open to the members of another one. Not all names of versions are numbers. */
function isRestrictable(version: string | undefined): boolean {
  return version !== undefined && /^\d+$/.test(version) && Number(version) >= 8;
}

function membersOf(space: RoomId): Readonly<Record<string, unknown>> {
  return { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: space }] };
}

/** MSC2346, under its unstable name, which clients know, and under the one that it asks for. */
function bridgeInfo({ number, asker, bot }: NewTaskRoom, title: string): readonly Readonly<Record<string, unknown>>[] {
  const id = `task-${number}`;
  const content = {
    bridgebot: bot,
    creator: asker,
    protocol: { id: "crewroom", displayname: "Crewroom" },
    channel: { id, displayname: title },
  };
  return ["m.bridge", "uk.half-shot.bridge"].map((type) => ({ type, state_key: `dev.crewroom/${id}`, content }));
}
