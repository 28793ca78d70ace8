/**
 * A task room that several agents act in at once, each over MCP with a client, a session and a token of its own. Lane,
 * journal (SQLite, on disk), tools and MCP server are the real ones; there is no homeserver, so what would be sent counts
 * as sent.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Effect } from "../../src/core/effect.ts";
import { asEventId, type SessionId, type TurnId } from "../../src/core/ids.ts";
import type { Input } from "../../src/core/input.ts";
import { noModeration } from "../../src/core/moderation-rules.ts";
import { emptyRoom, type Seat } from "../../src/core/room.ts";
import type { Subtask, Task } from "../../src/core/tasks/task.ts";
import type { CrewMember, World } from "../../src/core/world.ts";
import { openJournal } from "../../src/journal/open.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Rooms } from "../../src/rooms/rooms.ts";
import { RoomRoster } from "../../src/rooms/roster.ts";
import { startToolServer } from "../../src/tools/mcp/server.ts";
import { toolsFor } from "../../src/tools/registry.ts";
import { anna, bot, member, room, server, world } from "../core/scene.ts";
import { subtask, task } from "../rooms/tasks.ts";

export interface ContestOptions {
  readonly claims: number;
  readonly reviews: number;
  /** Agents that contend, each with a client of its own. */
  readonly clients: number;
}

export interface Contest {
  /** Subtasks that more than one client got, by what the clients were told. */
  readonly doubles: number;
  /** Subtasks that nobody got. */
  readonly missed: number;
  /** Calls that a client made. */
  readonly calls: number;
  /** Calls a second, of all clients together. */
  readonly perSecond: number;
}

export interface ContestResult {
  readonly claims: Contest;
  readonly reviews: Contest;
  /** As the journal has it at the end. */
  readonly task: Task;
}

const seat: Seat = { place: "joined", direct: false };

export async function contest({ claims, reviews, clients }: ContestOptions): Promise<ContestResult> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-contest-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const journal = opened.use(await openJournal(`sqlite:${path.join(directory, "crewroom.db")}`));
  const log = createLogger({ level: "silent", format: "json" });

  const extra = { roles: ["executor", "reviewer"], parallel: claims + reviews };
  const crew = Array.from({ length: clients }, (_, n) => member(`agent${n}`, extra));
  const author = member("author");
  const claimed = named("claim", claims);
  const reviewed = named("review", reviews);
  const all = [
    ...claimed.map((id) => threaded(subtask(id, "ready"))),
    ...reviewed.map((id) => threaded(handedIn(id, author))),
  ];
  const seats = Object.fromEntries([bot, author.user, ...crew.map(({ user }) => user)].map((user) => [user, seat]));
  const state = { ...emptyRoom(room), people: [anna], seats, task: task(all, { planner: author.id }) };
  await journal.rooms.save(room, { v: 1, state, outbox: [], handled: [] });

  const roster = new RoomRoster(() => undefined);
  const rooms = new Rooms(worldWith([author, ...crew], roster, all.length), {
    load: (id) => journal.rooms.load(id),
    save: (id, record) => journal.rooms.save(id, record),
    audit: (_room, entries) => journal.audit.append(entries),
    dispatch: (_room, fresh) => fresh.forEach(deliver),
    note: () => undefined,
    decided: (id, now) => roster.update(id, now),
    now: Date.now,
  });
  const put = (input: Input) => rooms.put(room, input);
  const undelivered = new Set<Promise<unknown>>();
  let events = 0;
  function deliver({ id, kind }: Effect): void {
    if (kind === "turn") return;
    const event = asEventId(`$sent${events++}`);
    const done = put({ kind: "done", effect: id, ...(kind === "say" && event !== undefined && { event }) });
    undelivered.add(done);
    void done.finally(() => undelivered.delete(done));
  }

  // A turn for each: somebody speaks to all of them.
  const said = asEventId("$go");
  if (said === undefined) throw new Error("no event id");
  const mentions = crew.map(({ user }) => user);
  await put({ kind: "message", event: said, sender: anna, ts: Date.now(), text: "Go!", mentions, notice: false });

  const mcp = opened.use(await startToolServer({ hostname: "127.0.0.1", port: 0, log }));
  const contenders = await Promise.all(
    crew.map(async ({ id, roles }) => {
      const running = Object.entries(rooms.lane(room).state?.sessions ?? {}).find(
        ([, session]) => session.agent === id && session.running !== undefined,
      );
      const turn = running?.[1].running?.id;
      if (running === undefined || turn === undefined) throw new Error(`${id} runs no turn`);
      const tools = toolsFor({
        server,
        roles,
        runtime: "acp",
        agentsHere: () => crew.map((one) => one.id),
        says: async () => "Sent.",
        reads: async () => "",
        works: async () => "",
        acts: async (_turn: TurnId, call, action, version) => {
          const act = { kind: "act", session: running[0], turn, call, action } as const;
          return (await put(version === undefined ? act : { ...act, version })).reply ?? "";
        },
      });
      const session = opened.use(mcp.open({ session: `${room}:${id}` as SessionId, tools, turn: () => turn }));
      const client = new Client({ name: id, version: "1" });
      const requestInit = { headers: { authorization: `Bearer ${session.token}` } };
      await client.connect(new StreamableHTTPClientTransport(new URL(session.url), { requestInit }));
      opened.defer(() => client.close());
      return client;
    }),
  );

  const claimResult = await contend(contenders, claimed, (id) => ["claim_subtask", { subtask: id }]);
  const verdict = { verdict: "approve", score: 4, issues: [], comment: "Good." };
  const reviewResult = await contend(contenders, reviewed, (id) => ["review_work", { subtask: id, ...verdict }]);
  while (undelivered.size > 0) await Promise.all(undelivered);
  const kept = (await journal.rooms.load(room))?.state.task;
  if (kept === undefined) throw new Error("the journal has no task");
  return { claims: claimResult, reviews: reviewResult, task: kept };
}

/** Calls that a client has under way at the same time. */
const inFlight = 8;

/** All clients ask for all of them, half of them in the opposite order. */
async function contend(
  clients: readonly Client[],
  ids: readonly string[],
  callOf: (id: string) => readonly [string, Record<string, unknown>],
): Promise<Contest> {
  const winners = new Map<string, number>(ids.map((id) => [id, 0]));
  const began = performance.now();
  await Promise.all(
    clients.map(async (client, n) => {
      // Some ask for the same one in the same moment, and the others meet them head on.
      const left = n % 2 === 0 ? [...ids] : ids.toReversed();
      const caller = async (): Promise<void> => {
        for (let id = left.shift(); id !== undefined; id = left.shift()) {
          const [name, args] = callOf(id);
          const result = await client.callTool({ name, arguments: args });
          if (result.isError !== true) winners.set(id, (winners.get(id) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: inFlight }, caller));
    }),
  );
  const counts = [...winners.values()];
  const calls = clients.length * ids.length;
  return {
    doubles: counts.filter((count) => count > 1).length,
    missed: counts.filter((count) => count === 0).length,
    calls,
    perSecond: (calls * 1_000) / (performance.now() - began),
  };
}

function named(kind: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `${kind}-${n}`);
}

/** Work is given out only where there is a thread for it. */
function threaded(of: Subtask): Subtask {
  const thread = asEventId(`$thread-${of.id}`);
  return thread === undefined ? of : { ...of, thread };
}

/** By somebody who takes no part. */
function handedIn(id: string, { id: by }: CrewMember): Subtask {
  const submission = { id: `submission-${id}`, by, epoch: 1, summary: "It is there.", ts: 0 };
  return subtask(id, "review", { worker: by, submission });
}

function worldWith(crew: readonly CrewMember[], roster: RoomRoster, subtasks: number): World {
  const usual = world();
  return {
    ...usual,
    crew: new Map(crew.map((one) => [one.user, one])),
    roster,
    moderation: noModeration,
    tasks: { ...usual.tasks, dispatch: "claim", final_approval: "none", max_subtasks: subtasks },
  };
}
