/** What a running turn does to its room: all of it by way of the room's lane, but for what is only shown in passing. */
import type { RunTurn } from "../core/effect.ts";
import { asCrewError, CrewError, reasonOf } from "../core/errors.ts";
import { agentUserId, asMxcUri, type EffectId, type EventId, type RoomId, type UserId } from "../core/ids.ts";
import type { FileRequest } from "../core/files.ts";
import { leaveAsked } from "../core/input.ts";
import { idFrom } from "../core/draft.ts";
import { permitted } from "../core/permits.ts";
import { networkTool } from "../core/policy.ts";
import type { Action } from "../core/tasks/actions.ts";
import type { TurnPorts } from "../crew/ports.ts";
import type { Files, FileTurn } from "../files/files.ts";
import { leadsOut, pathInCommit } from "../files/paths.ts";
import type { Homeserver } from "../matrix/homeserver.ts";
import type { Messenger } from "../matrix/messenger.ts";
import type { Rooms } from "../rooms/rooms.ts";
import { chosen, type Leaves } from "./leaves.ts";
import { Reach } from "./reach.ts";

export interface TurnPortsOptions {
  readonly server: string;
  readonly rooms: Pick<Rooms, "put" | "lane">;
  readonly messenger: Pick<Messenger, "amend">;
  readonly homeserver: Pick<Homeserver, "typing" | "download">;
  /** The newest messages of a room, or of a thread in it, as one of its members sees them: oldest first. */
  readonly recent: (
    room: RoomId,
    as: UserId,
    limit: number,
    thread: EventId | undefined,
    call: { readonly signal: AbortSignal },
  ) => Promise<readonly SaidInRoom[]>;
  /** What an agent's file tools do. */
  readonly files: Pick<Files, "use" | "handIn" | "ended" | "isLarge" | "placeOf">;
  /** Who waits for a person's leave. */
  readonly leaves: Pick<Leaves, "wait">;
  /** Whether the policy may say something about a tool. */
  readonly hasRuleFor: (tool: string) => boolean;
  /** Who waits for the event that an effect becomes; called once the effect is over. */
  readonly spoken: Map<EffectId, (event: EventId | undefined) => void>;
  /** `limits.attachment_bytes` */
  readonly attachmentBytes: number;
  readonly signal: AbortSignal;
}

export interface SaidInRoom {
  readonly sender: UserId;
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly ts: number;
}

/** The homeserver stops a typing notice by itself after that long. */
const typingMs = 30_000;

export function createTurnPorts(options: TurnPortsOptions): TurnPorts {
  const { server, rooms, messenger, homeserver, spoken, signal } = options;

  /** The run before a crash has spoken already: its message is the one to go on with. */
  function answerOf(room: RoomId, effect: RunTurn): EventId | undefined {
    const running = rooms.lane(room).state?.sessions[effect.session]?.running;
    return running?.id === effect.turn ? running.answerEvent : undefined;
  }

  /** A result with the commit of its files, or the sentence why it cannot be handed in as it is. */
  async function withFiles(room: RoomId, effect: RunTurn, action: Submit): Promise<Submit | string> {
    const files = await options.files.handIn(room, fileTurn(effect), action.subtask, action.summary);
    if (files.kind === "refused") return `Not done: ${files.why}`;
    return files.commit === undefined ? action : { ...action, commit: files.commit };
  }

  /** Asks the lane whether a tool may be used. Resolves to `permitted`, or to what the agent reads. */
  async function permit(
    room: RoomId,
    { session, turn }: RunTurn,
    call: EffectId,
    use: WhatIsUsed & { readonly large?: boolean },
  ): Promise<string> {
    const { reply } = await rooms.put(room, { kind: "permit", session, turn, call, ...use });
    return reply ?? "Not done.";
  }

  /**
   * The path that rules and people see: the place that it leads to, however the agent has written it. Where no rule speaks
   * of the tool, its letters are enough.
   */
  async function aboutOf(
    room: RoomId,
    turn: FileTurn,
    request: FileRequest,
  ): Promise<{ readonly path: string } | { readonly refused: string }> {
    if (request.kind === "run") return { path: "" };
    const { kind, path } = request;
    const isRuled = options.hasRuleFor(fileTools[kind]);
    try {
      const place = isRuled ? await options.files.placeOf(room, turn, kind, path) : pathInCommit(path);
      return { path: kind === "delete" && path.endsWith("/") ? `${place}/` : place };
    } catch (thrown) {
      // What is no path in the files is refused by the tool itself; where a rule speaks of it, nothing else may happen.
      if (!isRuled) return { path };
      const error = asCrewError(thrown);
      return { refused: `Not done: ${error.message} ${error.todo}`.trim() };
    }
  }

  /** A path that leads out is refused by the files themselves; that it was tried is written down. */
  async function noteWayOut(
    room: RoomId,
    effect: RunTurn,
    call: EffectId,
    request: FileRequest,
    text: string,
  ): Promise<void> {
    const [first = ""] = text.split("\n", 1);
    if (request.kind === "run" || !first.startsWith("Not ") || !first.includes(leadsOut)) return;
    const { session, turn } = effect;
    const { tool, about } = whatOf(request, request.path);
    const because = "outside the task's folder";
    await rooms.put(room, { kind: "useRefused", session, turn, call, tool, about, because });
  }

  return {
    async speaks(room, effect, text) {
      const { session, turn } = effect;
      const answer = `${turn}:answer` as EffectId;
      const { promise, resolve } = Promise.withResolvers<EventId | undefined>();
      spoken.set(answer, resolve);
      try {
        const { outcome } = await rooms.put(room, { kind: "turnSpeaks", session, turn, text });
        return outcome === "acted" ? await promise : answerOf(room, effect);
      } finally {
        spoken.delete(answer);
      }
    },

    async ended(room, effect, outcome, usage) {
      const { session, turn } = effect;
      // Before the turn is over, so that what follows from its end finds what it made.
      await options.files.ended(room, fileTurn(effect));
      const ended = { kind: "turnEnded", session, turn, outcome } as const;
      await rooms.put(room, usage.length === 0 ? ended : { ...ended, usage });
    },

    async used(room, { session, turn }, usage) {
      await rooms.put(room, { kind: "used", session, turn, usage });
    },

    async alive(room, { session, turn }) {
      await rooms.put(room, { kind: "alive", session, turn });
    },

    amend: (room, { agent }, message, text) => messenger.amend(room, agentUserId(agent, server), message, text, signal),

    typing: (room, agent, on) => homeserver.typing(room, agentUserId(agent, server), on, typingMs, { signal }),

    async fetchAttachment(ref, wanted) {
      const mxc = asMxcUri(ref.mxc);
      if (mxc === undefined) throw new CrewError("INTERNAL", { reason: `${ref.name} has no media address` });
      return homeserver.download(mxc, options.attachmentBytes, { signal: wanted });
    },

    async agentSays(room, { session, turn }, call, to, text) {
      const heard = { kind: "agentSays", session, turn, call, text } as const;
      const { reply } = await rooms.put(room, to === undefined ? heard : { ...heard, to });
      return reply ?? "Not sent.";
    },

    async act(room, effect, call, action, version) {
      const { session, turn } = effect;
      const handedIn = action.kind === "submit" ? await withFiles(room, effect, action) : action;
      if (typeof handedIn === "string") return handedIn;
      const asked = { kind: "act", session, turn, call, action: handedIn } as const;
      const { reply } = await rooms.put(room, version === undefined ? asked : { ...asked, version });
      return reply ?? "Not done.";
    },

    async files(room, effect, call, request, wanted) {
      const turn = fileTurn(effect);
      if (changes(request) || options.hasRuleFor(fileTools[request.kind])) {
        const about = await aboutOf(room, turn, request);
        if ("refused" in about) {
          await noteWayOut(room, effect, call, request, about.refused);
          return about.refused;
        }
        const large = request.kind === "delete" && (await options.files.isLarge(room, turn, request.path));
        const what = { ...whatOf(request, about.path), ...whyOf(request) };
        const use = large ? { ...what, large, details: largeText(about.path) } : what;
        const reply = await permit(room, effect, call, use);
        if (reply !== permitted) return reply;
      }
      const reach = new Reach((host) => {
        const command = request.kind === "run" ? request.command : "";
        const use = { ...exactly(networkTool, host, `${host}\n\n${command}`), ...whyOf(request) };
        return permit(room, effect, `${call}:${host}` as EffectId, use);
      });
      const text = await options.files.use(room, turn, request, reach.may, AbortSignal.any([wanted, signal]));
      await noteWayOut(room, effect, call, request, text);
      return [text, ...(await reach.told())].join("\n");
    },

    async leave(room, { session, turn }, { callId, title, options: choices }, wanted) {
      // Of what is asked as well: an answer to one request must not be taken for one to another of the same call.
      const call = `${turn}:${callId}:leave:${idFrom(title)}` as EffectId;
      const asked = new AbortController();
      const answer = options.leaves.wait(call, AbortSignal.any([wanted, signal, asked.signal]));
      // Nobody may be waiting for it in the end.
      answer.catch(() => undefined);
      try {
        const { reply } = await rooms.put(room, { kind: "leaveWanted", session, turn, call, title });
        return chosen(choices, reply === leaveAsked ? await answer : reply === "allow" ? "once" : "no");
      } finally {
        asked.abort();
      }
    },

    async readRoom(room, effect, call, limit) {
      const { agent, thread } = effect;
      if (options.hasRuleFor("read_room")) {
        const reply = await permit(room, effect, call, { tool: "read_room", about: "" });
        if (reply !== permitted) return reply;
      }
      try {
        const said = await options.recent(room, agentUserId(agent, server), limit, thread, { signal });
        return said.length === 0 ? "Nothing was said here yet." : said.map(lineOf).join("\n");
      } catch (thrown) {
        signal.throwIfAborted();
        return `Not read: ${reasonOf(thrown)}`;
      }
    },
  };
}

/** What only looks leaves no trace, and needs no leave where no rule speaks of it. */
function changes({ kind }: FileRequest): boolean {
  return kind !== "list" && kind !== "history" && kind !== "read";
}

const fileTools = {
  list: "list_files",
  history: "file_history",
  restore: "restore_file",
  read: "read_file",
  write: "write_file",
  edit: "edit_file",
  delete: "delete_file",
  run: "run_command",
} as const satisfies Record<FileRequest["kind"], string>;

interface WhatIsUsed {
  readonly tool: string;
  readonly about: string;
  readonly details?: string;
  readonly exact?: string;
  readonly why?: string;
}

/** Shown in full, since that is what an answer for once lets in. */
function exactly(tool: string, about: string, details: string): WhatIsUsed {
  return { tool, about, details, exact: idFrom(details) };
}

/** The tool, what it is about, and what a person sees of it. @param about The path, for what has one. */
function whatOf(request: FileRequest, about: string): WhatIsUsed {
  const tool = fileTools[request.kind];
  switch (request.kind) {
    case "run":
      return { tool, about: request.command };
    case "write":
      return exactly(tool, about, `${about}\n\n${request.content}`);
    case "edit":
      return exactly(tool, about, `${about}\n\n${marked("-", request.old)}\n${marked("+", request.new)}`);
    case "restore":
      return exactly(tool, about, `${about} as it was in ${request.commit}`);
    case "list":
    case "history":
    case "read":
    case "delete":
      return { tool, about };
  }
}

/** Why the agent wants it, where it has said so. */
function whyOf(request: FileRequest): { readonly why?: string } {
  return "why" in request && request.why !== undefined ? { why: request.why } : {};
}

function largeText(folder: string): string {
  return `${folder}\n\nA folder with more files than are deleted without asking (files.ask_deleted).`;
}

/** As a diff has them: no line of the one text can look like one of the other. */
function marked(mark: "-" | "+", text: string): string {
  return text
    .split("\n")
    .map((line) => `${mark} ${line}`)
    .join("\n");
}

type Submit = Extract<Action, { kind: "submit" }>;

function fileTurn({ agent, thread, turn }: RunTurn): FileTurn {
  return { agent, thread, turn };
}

/** Longer messages are cut: the agent reads the room for an overview. */
const lineLength = 2_000;

/** The lines after a message's first are set in: no message can look like one of somebody else. */
function lineOf({ sender, text }: SaidInRoom): string {
  const short = text.length > lineLength ? `${text.slice(0, lineLength)} […]` : text;
  return `${sender}: ${short.replaceAll(/[\n\r\u2028\u2029]+/g, "\n  ")}`;
}
