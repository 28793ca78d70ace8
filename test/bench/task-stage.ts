/** A crew at work on a real Synapse: the built bridge in a process of its own, and a script that does at once what it is asked for. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { callApi } from "../../src/demo/client-api.ts";
import { freePort } from "../../src/demo/ports.ts";
import type { Synapse } from "../../src/demo/synapse.ts";
import type { Scene } from "../../src/models/rehearsal/scene.ts";
import type { RehearsalInput } from "../../src/models/rehearsal/script.ts";
import { type RehearsalOptions, startRehearsal } from "../../src/models/rehearsal/server.ts";
import type { BridgeProcess } from "../support/bridge-process.ts";
import { type AgentEntry, type Crew, type CrewOptions, writeCrew } from "../support/crew.ts";
import { freshSynapse } from "../support/fresh-synapse.ts";
import { startBenchBridge } from "./bench-bridge.ts";
import { Talker } from "./talker.ts";

export interface TaskStageOptions {
  readonly agents: readonly AgentEntry[];
  readonly script: RehearsalInput["rules"];
  readonly config: NonNullable<CrewOptions["config"]>;
  /** How a model's `delay_ms` is waited for. Default: a timer. */
  readonly delay?: NonNullable<RehearsalOptions["delay"]>;
  /** Told of each request to the model before it is answered. */
  readonly onAsked?: (asked: Asked) => void;
}

/** One request to the model. `at` is when it came, in milliseconds of `performance.now`. */
export interface Asked extends Scene {
  readonly at: number;
}

export interface RoomEvent {
  readonly type: string;
  readonly event_id: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface TaskStage extends AsyncDisposable {
  readonly synapse: Synapse;
  readonly bridge: BridgeProcess;
  readonly crew: Crew;
  /** Who asks for tasks. Does not listen before it is told to. */
  readonly anna: Talker;
  /** A room with nobody but Anna in it. */
  readonly aside: string;
  /** All requests to the model so far. */
  readonly asked: readonly Asked[];
  /** Says something to the bot as the person who asks for tasks; resolves when Synapse has it. */
  say(text: string): Promise<void>;
  /** The room of this task, which Anna joins. */
  join(task: number): Promise<string>;
  /** All events of the room of this task, oldest first. Anna joins it for that. */
  events(task: number): Promise<readonly RoomEvent[]>;
  /** Sends messages straight to Synapse, so many at a time; the milliseconds that each took. */
  send(count: number, atATime: number): Promise<{ readonly took: readonly number[]; readonly perSecond: number }>;
  /** Waits for so many tasks in this state, and then for the bridge to have sent all that it has to say. */
  waitForTasks(state: string, count: number, withinMs: number): Promise<void>;
}

const serverName = "localhost";
const pollMs = 100;

export async function openTaskStage(options: TaskStageOptions): Promise<TaskStage> {
  const { agents, script, config, delay: wait, onAsked } = options;
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-bench-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const asked: Asked[] = [];
  const rehearsal = opened.use(
    await startRehearsal({
      scripts: [{ rules: [...script] }],
      onRequest: ({ scene }) => {
        const one = { ...scene, at: performance.now() };
        asked.push(one);
        onAsked?.(one);
      },
      ...(wait === undefined ? {} : { delay: wait }),
    }),
  );
  const port = await freePort();
  const crew = await writeCrew({
    directory: path.join(directory, "bridge"),
    homeserver: { url: `http://127.0.0.1:${port}`, serverName },
    modelUrl: rehearsal.url,
    agents,
    permissions: { [serverName]: "task" },
    config: { logging: { level: "warn" }, ...config },
  });
  const synapse = opened.use(await freshSynapse({ serverName, port, registrations: [crew.registrationFile] }));
  const bridge = opened.use(await startBenchBridge(crew));
  const account = await synapse.registerUser("anna", "a password of anna");
  const anna = opened.use(new Talker(synapse.url, account));
  const chat = await anna.room([crew.bot]);
  const aside = await anna.room([]);

  const api = (method: "GET" | "POST" | "PUT", where: string, body?: unknown): Promise<unknown> =>
    callApi(synapse.url, { method, path: `/_matrix/client/v3${where}`, token: account.accessToken, body });
  let sent = 0;
  const sayIn = async (room: string, text: string): Promise<void> => {
    const where = `/rooms/${encodeURIComponent(room)}/send/m.room.message/bench${++sent}`;
    await api("PUT", where, { msgtype: "m.text", body: text, "m.mentions": {} });
  };

  const join = async (task: number): Promise<string> => {
    const alias = encodeURIComponent(`#crewroom-task-${task}:${serverName}`);
    return ((await api("POST", `/join/${alias}`, {})) as { room_id: string }).room_id;
  };

  const resources = opened.move();
  return {
    synapse,
    bridge,
    crew,
    anna,
    aside,
    asked,
    join,
    say: (text) => sayIn(chat, text),
    async events(task) {
      const room = await join(task);
      const all: RoomEvent[] = [];
      for (let from = ""; ;) {
        const query = new URLSearchParams({ dir: "f", limit: "500", ...(from !== "" && { from }) });
        const page = (await api("GET", `/rooms/${encodeURIComponent(room)}/messages?${query.toString()}`)) as {
          chunk: RoomEvent[];
          end?: string;
        };
        all.push(...page.chunk);
        if (page.end === undefined || page.chunk.length === 0) return all;
        from = page.end;
      }
    },
    async send(count, atATime) {
      const took: number[] = [];
      let left = count;
      const began = performance.now();
      const sender = async (): Promise<void> => {
        while (left-- > 0) {
          const at = performance.now();
          await sayIn(aside, "a message of no consequence, as long as most of those that a task makes");
          took.push(performance.now() - at);
        }
      };
      await Promise.all(Array.from({ length: atATime }, sender));
      return { took, perSecond: (count * 1_000) / (performance.now() - began) };
    },
    async waitForTasks(state, count, withinMs) {
      const until = performance.now() + withinMs;
      for (;;) {
        const metrics = await bridge.metrics();
        const now = metrics.value("crewroom_tasks", { state });
        if (now >= count && metrics.value("crewroom_outbox_depth") === 0) return;
        if (performance.now() > until) throw new Error(`${now} of ${count} tasks are ${state} after ${withinMs} ms`);
        await delay(pollMs);
      }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** The type of a message about a task. */
export function kindOf({ content }: RoomEvent): string | undefined {
  const action = content["dev.crewroom.action"];
  if (typeof action !== "object" || action === null || !("kind" in action)) return undefined;
  return typeof action.kind === "string" ? action.kind : undefined;
}

/** What a task costs: the events from its first subtask's thread to its end, and beside them those that make the room. */
export function costOf(events: readonly RoomEvent[]) {
  const isMember = ({ type }: RoomEvent): boolean => type === "m.room.member";
  const begun = events.findIndex((event) => kindOf(event) === "subtask");
  return {
    work: events.slice(begun).filter((event) => !isMember(event)),
    opening: events.slice(0, begun).filter((event) => !isMember(event)).length,
    members: events.filter(isMember).length,
  };
}

function isEdit({ content }: RoomEvent): boolean {
  const relates = content["m.relates_to"];
  return typeof relates === "object" && relates !== null && "rel_type" in relates && relates.rel_type === "m.replace";
}

function nameOf(event: RoomEvent): string {
  if (event.type !== "m.room.message") return event.type;
  const kind = kindOf(event);
  return `${isEdit(event) ? "edit of " : ""}${kind ?? "message"}`;
}

/** How many of each kind there are for each subtask, most first. */
export function listOf(events: readonly RoomEvent[], subtasks: number): string {
  const kinds = new Map<string, number>();
  for (const event of events) kinds.set(nameOf(event), (kinds.get(nameOf(event)) ?? 0) + 1);
  const sorted = [...kinds].sort(([, a], [, b]) => b - a);
  return sorted.map(([kind, count]) => `${(count / subtasks).toFixed(2)} ${kind}`).join(", ");
}

/** From when a worker's model was answered that it hands in to when the reviewer's model is asked, for each subtask. */
export function handOvers(asked: readonly Asked[]): readonly number[] {
  const submitted = new Map<string, number>();
  const took: number[] = [];
  for (const { at, last, step } of asked) {
    const [, task, work] = /#(\d+)[\s\S]*Your subtask `([\w-]+)`/.exec(last) ?? [];
    const [, of, review] = /#(\d+)[\s\S]*Review `([\w-]+)`/.exec(last) ?? [];
    if (step !== 1) continue;
    if (work !== undefined) submitted.set(`${task} ${work}`, at);
    const since = submitted.get(`${of} ${review}`);
    if (since !== undefined) took.push(at - since);
  }
  return took;
}
