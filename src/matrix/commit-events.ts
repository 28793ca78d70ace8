/**
 * Reads back from a room what {@link commitMessage} has put there: all that another host needs to rebuild a task's files.
 *
 * Anybody in the room can send a message that looks like a commit, and whoever has power 100 there can write state. So one
 * user alone is believed: the coordinator, who made the room and says so in its state.
 */
import { z } from "zod";
import type { Bundle, Commit, FileChange } from "../core/files.ts";
import { CrewError } from "../core/errors.ts";
import {
  agentOfUserId,
  asCommitHash,
  asEventId,
  asMxcUri,
  asRoomId,
  asUserId,
  type CommitHash,
  type RoomId,
  serverOf,
  type TurnId,
  type UserId,
} from "../core/ids.ts";
import { changesTold, type CommitEvent } from "../files/port.ts";
import { commitType } from "./commit-message.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError } from "./homeserver-error.ts";
import { asObject, type JsonObject } from "./json.ts";
import { retrying, type RetryOptions } from "./retry.ts";
import { pathOf } from "./transport.ts";

export interface CommitEventsOptions {
  /** The coordinator: messages of others do not count. */
  readonly from: UserId;
  /** Called for each message of the coordinator with a part that cannot be read. Default: nothing. */
  readonly onMalformed?: (event: string) => void;
}

/** The commits that these raw events tell, in the order given. Edits and what was redacted tell none. */
export function commitEventsOf(events: readonly unknown[], options: CommitEventsOptions): CommitEvent[] {
  return events.flatMap((raw) => {
    const event = asObject(raw);
    const content = asObject(event?.["content"]);
    const id = asEventId(event?.["event_id"]);
    const ts = event?.["origin_server_ts"];
    if (event?.["type"] !== "m.room.message" || event["state_key"] !== undefined) return [];
    if (event["sender"] !== options.from || id === undefined || typeof ts !== "number") return [];
    const part = content?.[commitType];
    if (part === undefined || asObject(content?.["m.relates_to"])?.["rel_type"] === "m.replace") return [];
    const told = partSchema.safeParse(part);
    if (told.success) return [{ event: id, ts, ...commitOf(told.data, options.from) }];
    options.onMalformed?.(id);
    return [];
  });
}

/** What a room says of its task's files. */
export interface RoomCommits {
  /** Oldest first. */
  readonly events: readonly CommitEvent[];
  /** The newest commit of `main` in the room; `undefined` when it has none yet. */
  readonly head: { readonly commit: CommitHash; readonly bundle?: Bundle } | undefined;
  /** The task's number. */
  readonly task: number;
  readonly coordinator: UserId;
  /** Messages of the coordinator whose typed part cannot be read. */
  readonly malformed: number;
}

/** Acts as whoever its token is of, who must be in the room. */
export type RoomReader = Pick<Homeserver, "request"> & { readonly retry?: Omit<RetryOptions, "signal"> };

/**
 * Reads the room from its end to its beginning.
 * @param progress Gets a line for people after each page that told something new.
 * @throws CrewError `FILES_INCOMPLETE` when it is no task's room; {@link HomeserverError}.
 */
export async function readCommitEvents(
  reader: RoomReader,
  room: RoomId,
  signal: AbortSignal,
  progress: (line: string) => void = () => undefined,
): Promise<RoomCommits> {
  const { coordinator, task, head } = await readState(reader, room, signal);
  const newestFirst: CommitEvent[] = [];
  let malformed = 0;
  for await (const page of pagesOf(reader, room, coordinator, signal)) {
    const commits = commitEventsOf(page, { from: coordinator, onMalformed: () => malformed++ });
    newestFirst.push(...commits);
    if (commits.length > 0) progress(`commits read from the room: ${newestFirst.length}`);
  }
  return { events: newestFirst.toReversed(), head, task, coordinator, malformed };
}

async function* pagesOf(
  reader: RoomReader,
  room: RoomId,
  sender: UserId,
  signal: AbortSignal,
): AsyncGenerator<readonly unknown[]> {
  const path = `/_matrix/client/v3${pathOf`/rooms/${room}/messages`}`;
  const filter = JSON.stringify({ types: ["m.room.message"], senders: [sender] });
  let from: string | undefined;
  for (;;) {
    const query = { dir: "b", limit: "100", filter, ...(from !== undefined && { from }) };
    const { chunk, end } = asObject(await get(reader, path, query, signal)) ?? {};
    yield Array.isArray(chunk) ? (chunk as readonly unknown[]) : [];
    // The beginning of the room has no end; a token that stands still would never reach it.
    if (typeof end !== "string" || end === from) return;
    from = end;
  }
}

async function readState(
  reader: RoomReader,
  room: RoomId,
  signal: AbortSignal,
): Promise<Pick<RoomCommits, "coordinator" | "task" | "head">> {
  const state = await stateOf(reader, room, signal);
  const founders = await foundersOf(reader, state, signal);
  const marked = state.find((event) => event["type"] === "dev.crewroom.room" && event["state_key"] === "");
  const coordinator = asUserId(asObject(marked?.["content"])?.["coordinator"]);
  if (coordinator === undefined || marked?.["sender"] !== coordinator || !founders.has(coordinator)) {
    const missing = `- ${room} is no room of a task, or was not made by the bridge that it names`;
    throw new CrewError("FILES_INCOMPLETE", { missing });
  }
  const own = (type: string): JsonObject | undefined => {
    const found = state.find((event) => event["type"] === type && event["state_key"] === "");
    return found?.["sender"] === coordinator ? asObject(found["content"]) : undefined;
  };
  const task = own("dev.crewroom.task")?.["id"] ?? asObject(marked["content"])?.["task"];
  if (typeof task !== "number")
    throw new CrewError("FILES_INCOMPLETE", { missing: `- the number of the task of ${room}` });
  const head = headSchema.safeParse(own("dev.crewroom.head"));
  return { coordinator, task, head: head.success ? head.data : undefined };
}

/** Longest line of upgrades that is followed. */
const mostUpgrades = 20;

/** Who made the room, and if it came from an upgrade, which anybody with the power can do: who made the first one. */
async function foundersOf(
  reader: RoomReader,
  state: readonly JsonObject[],
  signal: AbortSignal,
): Promise<ReadonlySet<unknown>> {
  const founders = new Set<unknown>();
  let create = state.find((event) => event["type"] === "m.room.create");
  for (let upgrades = 0; create !== undefined && upgrades < mostUpgrades; upgrades++) {
    founders.add(create["sender"]);
    const before = asRoomId(asObject(asObject(create["content"])?.["predecessor"])?.["room_id"]);
    if (before === undefined) break;
    const states = await stateOf(reader, before, signal).catch((thrown: unknown) => {
      // Who came after the upgrade was never there.
      if (thrown instanceof HomeserverError && !thrown.retryable) return [];
      throw thrown;
    });
    create = states.find((event) => event["type"] === "m.room.create");
  }
  return founders;
}

async function stateOf(reader: RoomReader, room: RoomId, signal: AbortSignal): Promise<readonly JsonObject[]> {
  const state = await get(reader, `/_matrix/client/v3${pathOf`/rooms/${room}/state`}`, {}, signal);
  return Array.isArray(state) ? state.map(asObject).filter((event) => event !== undefined) : [];
}

function get(
  reader: RoomReader,
  path: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<unknown> {
  const asked = { method: "GET", path, query, what: "to show the room", signal } as const;
  return retrying(() => reader.request(asked), { maxWaitMs: 10_000, attempts: 5, ...reader.retry, signal });
}

/** Narrows with one of the functions that make branded ids. */
function narrowed<T>(as: (value: unknown) => T | undefined) {
  return z.unknown().transform((value, context): T => {
    const made = as(value);
    if (made !== undefined) return made;
    context.addIssue({ code: "custom", message: "malformed" });
    return z.NEVER;
  });
}

const whole = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const hash = narrowed(asCommitHash);
const path = z.string().min(1).max(16_384);

/** Leaves out what is `undefined`: our types do not allow it there. */
type Exact<T> = { [K in keyof T]: Exclude<T[K], undefined> };
function exact<T extends object>(object: T): Exact<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Exact<T>;
}

const changeSchema = z
  .object({
    path,
    kind: z.enum(["added", "modified", "deleted", "renamed", "mode"]),
    from: path.optional(),
    mode: z
      .string()
      .regex(/^[0-7]{6}$/)
      .optional(),
    added: whole.optional(),
    removed: whole.optional(),
    size: whole.optional(),
    sha256: sha256.optional(),
  })
  .transform((change): FileChange => exact(change));

const bundleSchema = z
  .object({
    parts: z.array(z.object({ mxc: narrowed(asMxcUri), sha256, size: whole })).min(1),
    sha256,
    size: whole,
    needs: z.array(hash),
  })
  .refine(({ parts, size }) => parts.reduce((sum, part) => sum + part.size, 0) === size);

const headSchema = z
  .object({ commit: hash, bundle: bundleSchema.optional() })
  .transform((head): NonNullable<RoomCommits["head"]> => exact(head));

const partSchema = z.object({
  v: z.literal(1),
  commit: hash,
  parents: z.array(hash).max(16),
  branch: z.string().min(1).max(500),
  by: narrowed(asUserId),
  why: z.enum(["change", "turn", "submit", "merge", "upload", "restore", "withdraw", "rewrite", "import"]),
  subtask: z.string().max(200).optional(),
  turn: z.string().max(1_000).optional(),
  subject: z.string(),
  ts: z.number(),
  changes: z.array(changeSchema).max(changesTold),
  bundle: bundleSchema.optional(),
});

function commitOf(
  part: z.infer<typeof partSchema>,
  coordinator: UserId,
): Pick<CommitEvent, "commit" | "changes" | "bundle"> {
  const { commit: name, by, turn, changes, bundle, parents, branch, why, subtask, subject, ts } = part;
  const commit: Commit = {
    hash: name,
    parents,
    branch,
    by: agentOfUserId(by, serverOf(coordinator)) ?? by,
    why,
    ...(subtask !== undefined && { subtask }),
    ...(turn !== undefined && { turn: turn as TurnId }),
    subject,
    ts,
  };
  return { commit, changes, ...(bundle !== undefined && { bundle }) };
}
