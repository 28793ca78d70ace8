/**
 * What was said on another server while it let one of ours in. It is no successor of our join but stands beside it, and goes
 * only to the servers that were in the room before: nobody sends it to us until somebody there says something more.
 */
import { asUserId, type RoomId, serverOf, type UserId } from "../core/ids.ts";
import { asObject, type JsonObject } from "./json.ts";
import { type Reads, timestampOf } from "./reads.ts";
import type { Call } from "./transport.ts";

/** More than a few are not said in so short a time. */
const mostStragglers = 10;

/**
 * Finds them and has our homeserver fetch them, oldest first and undecoded.
 * @param isOwn Whether a user is one of ours. Where other people of our server are in the room, nothing is fetched: it would
 * come to their clients as history only.
 */
export async function stragglersOf(
  reads: Pick<Reads, "state" | "eventFrom">,
  room: RoomId,
  as: UserId,
  isOwn: (user: UserId) => boolean,
  call: Call = {},
): Promise<readonly unknown[]> {
  const state = (await reads.state(room, as, call)).map(asObject).filter((event) => event !== undefined);
  const joined = state.filter(isJoin);
  const isNeighbour = ({ state_key: key }: JsonObject): boolean => {
    const user = asUserId(key);
    return user !== undefined && serverOf(user) === serverOf(as) && !isOwn(user);
  };
  if (joined.some(isNeighbour)) return [];
  let ts = timestampOf(joined.find(({ state_key: key }) => key === as));
  const found: unknown[] = [];
  while (ts !== undefined && found.length < mostStragglers) {
    const event = await reads.eventFrom(room, as, ts + 1, call);
    const sender = asUserId(asObject(event)?.["sender"]);
    // What our homeserver has of its own it finds first, and asks nobody else.
    if (sender === undefined || isOwn(sender)) break;
    found.push(event);
    ts = timestampOf(event);
  }
  return found;
}

function isJoin({ type, content }: JsonObject): boolean {
  return type === "m.room.member" && asObject(content)?.["membership"] === "join";
}
