/**
 * What comes into a room's lane: Matrix events as decoded at the edge, the outcome of effects, and what agents ask for.
 * All of it is plain data; `ts` is milliseconds since the epoch.
 */
import type { Ask } from "./asks.ts";
import type { ModelUsage } from "./spent.ts";
import type { AttachmentRef, Carried, DayLimit } from "./effect.ts";
import type { Bundle, Commit, FilesResult, HeldFile } from "./files.ts";
import type { AgentId, CommitHash, EffectId, EventId, RoomId, TurnId, UserId } from "./ids.ts";
import type { PowerLevels } from "./power.ts";
import type { Breaker } from "./room.ts";
import type { ServerAcl } from "./server-acl.ts";
import type { Action } from "./tasks/actions.ts";
import type { Task } from "./tasks/task.ts";

interface FromMatrix {
  readonly event: EventId;
  readonly sender: UserId;
  readonly ts: number;
}

/** A message that a person (or a foreign bridge's user) said. Our own users' messages never come in. */
export interface Message extends FromMatrix {
  readonly kind: "message";
  readonly text: string;
  readonly mentions: readonly UserId[];
  readonly replyTo?: EventId;
  readonly thread?: EventId;
  readonly attachment?: AttachmentRef;
  /** `m.notice`: never answered, by the spec's rule against loops. */
  readonly notice: boolean;
  /** Set when a foreign Crewroom bridge marked it: wakes since a person spoke. */
  readonly hops?: number;
}

/** A person changed the words of an earlier message (`m.replace` by the same sender). */
export interface Edit extends FromMatrix {
  readonly kind: "edit";
  readonly target: EventId;
  readonly text: string;
}

export interface Reaction extends FromMatrix {
  readonly kind: "reaction";
  readonly target: EventId;
  readonly key: string;
}

export interface Redaction extends FromMatrix {
  readonly kind: "redaction";
  readonly target: EventId;
}

export interface Member extends FromMatrix {
  readonly kind: "member";
  readonly user: UserId;
  readonly membership: "invite" | "join" | "leave" | "ban" | "knock";
  readonly direct: boolean;
  readonly reason?: string;
}

export interface PowerChange extends FromMatrix {
  readonly kind: "power";
  readonly power: PowerLevels;
}

export interface AclChange extends FromMatrix {
  readonly kind: "acl";
  readonly acl: ServerAcl;
}

export interface EncryptionOn extends FromMatrix {
  readonly kind: "encryption";
}

export interface Tombstone extends FromMatrix {
  readonly kind: "tombstone";
  readonly replacement: RoomId;
}

/** What the homeserver says of a room when one of our users enters it. */
export interface Snapshot {
  readonly version: string;
  readonly creators: readonly UserId[];
  readonly power: PowerLevels;
  readonly encrypted: boolean;
  /** Missing: all servers may take part. */
  readonly acl?: ServerAcl;
  /** Who is there, invited or banned, and who was but is not any more. */
  readonly members: readonly { readonly user: UserId; readonly membership: "join" | "invite" | "ban" | "leave" }[];
  readonly predecessor?: RoomId;
  /** State events `dev.crewroom.*` that the bot wrote, to rebuild a task from: type, key, content as they came. */
  readonly crewroom?: readonly CrewroomState[];
}

export interface CrewroomState {
  readonly type: string;
  readonly key: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** A task as it was asked for. */
export interface TaskSeed {
  readonly number: number;
  readonly title: string;
  readonly brief: string;
  readonly asker: UserId;
}

/** Inputs that are Matrix events. */
export type MatrixInput =
  Message | Edit | Reaction | Redaction | Member | PowerChange | AclChange | EncryptionOn | Tombstone;

/** The answer to a `joined` whose snapshot is older than what the room knows by now: look again. */
export const outdated = "outdated";

/** The reply to `leaveWanted` when a person is asked: the answer comes as a fleeting effect. */
export const leaveAsked = "asked";

/** The replies to `committed`: it is recorded; or it is not, because it is known or does not follow what is. */
export const taken = "taken";
export const notTaken = "not taken";

/** Why a turn ended. `text` is all that the agent said in it. */
export type TurnOutcome =
  | { readonly kind: "answered"; readonly text: string; readonly spoke: boolean }
  | { readonly kind: "cancelled"; readonly text: string }
  | {
      readonly kind: "failed";
      readonly text: string;
      readonly code: string;
      readonly sentence: string;
      readonly todo: string;
    };

/** Inputs that come from the bridge's own parts. */
export type OwnInput =
  /** One of our users is in the room. `missed`: what was said between the invite and the join, oldest first. */
  | {
      readonly kind: "joined";
      readonly user: UserId;
      readonly snapshot: Snapshot;
      /** The state's `changes` when the snapshot was asked for. When it has grown since, the input is answered {@link outdated}. */
      readonly asOf?: number;
      readonly missed: readonly MatrixInput[];
      /** Attempts that the join took; 1 for one that took no time worth a word. */
      readonly attempts: number;
      /** Conversations that go on here after a room upgrade. */
      readonly carried?: readonly Carried[];
      /** Questions that are asked again here after a room upgrade. */
      readonly asks?: readonly Ask[];
      /** The task that goes on here after a room upgrade. */
      readonly task?: Task;
      /** Agents that were removed from the room that this one replaces. */
      readonly away?: readonly UserId[];
      /** The breaker that was open in the room before. */
      readonly breaker?: Breaker;
    }
  /** The first words of a turn are ready to be shown while it goes on. */
  | { readonly kind: "turnSpeaks"; readonly session: string; readonly turn: TurnId; readonly text: string }
  | {
      readonly kind: "turnEnded";
      readonly session: string;
      readonly turn: TurnId;
      readonly outcome: TurnOutcome;
      /** What it used of its models and was not told as `used` before. */
      readonly usage?: readonly ModelUsage[];
    }
  /** What a turn has used so far, less what was told already. It may come after the turn's end. */
  | {
      readonly kind: "used";
      readonly session: string;
      readonly turn: TurnId;
      readonly usage: readonly ModelUsage[];
    }
  /** The runtime of a turn shows life. Given at most once a minute. */
  | { readonly kind: "alive"; readonly session: string; readonly turn: TurnId }
  /** A tool that acts on the task. The answer that the agent reads is the reply. */
  | {
      readonly kind: "act";
      readonly session: string;
      readonly turn: TurnId;
      readonly call: EffectId;
      readonly action: Action;
      /** The version of the subtask (of the task, for a plan) that the agent has seen; an older one is refused. */
      readonly version?: number;
    }
  /** A tool that is not about the task's state asks whether it may go on; see `permits.ts` for the reply. */
  | {
      readonly kind: "permit";
      readonly session: string;
      readonly turn: TurnId;
      readonly call: EffectId;
      readonly tool: string;
      /** What it is about: the command, the path, the host. */
      readonly about: string;
      /** What a person is shown of it, where that is more: a diff. */
      readonly details?: string;
      /** A digest of all that it does, where {@link about} does not say it: one answer lets in just this. */
      readonly exact?: string;
      /** Why, in the agent's words, for the person who is asked. */
      readonly why?: string;
      /** So much that a person is asked even where a rule allows it. */
      readonly large?: boolean;
    }
  /** The files refused what a tool was to do, whatever the policy says. */
  | {
      readonly kind: "useRefused";
      readonly session: string;
      readonly turn: TurnId;
      readonly call: EffectId;
      readonly tool: string;
      readonly about: string;
      readonly because: string;
    }
  /** A runtime asks for leave in a running turn, and waits. The reply is `allow`, `deny`, or {@link leaveAsked}. */
  | {
      readonly kind: "leaveWanted";
      readonly session: string;
      readonly turn: TurnId;
      readonly call: EffectId;
      /** What it wants to do, in the runtime's words. */
      readonly title: string;
    }
  /** A time has come that the room waits for; see `nextDeadline`. */
  | { readonly kind: "tick" }
  /** This room was made for a task. */
  | { readonly kind: "taskOpened"; readonly seed: TaskSeed }
  /** A task room that was asked for here is there. */
  | {
      readonly kind: "taskRoom";
      readonly effect: EffectId;
      readonly number: number;
      readonly room: RoomId;
      readonly alias: string;
    }
  /** The tool `send_message`, called in a turn. Its effects have the id of the call. */
  | {
      readonly kind: "agentSays";
      readonly session: string;
      readonly turn: TurnId;
      readonly call: EffectId;
      readonly to?: UserId;
      readonly text: string;
    }
  /** A commit was made in the task's files. Taken once, and after its first parent; the reply tells, see {@link taken}. */
  | { readonly kind: "committed"; readonly commit: Commit; readonly full?: boolean }
  /** Files in an agent's worktree that are not committed. */
  | {
      readonly kind: "held";
      readonly agent: AgentId;
      readonly subtask: string;
      readonly files: readonly HeldFile[];
    }
  /** A commit is in the room. Without a bundle when the media store does not take it. */
  | {
      readonly kind: "published";
      readonly commit: CommitHash;
      readonly branch: string;
      /** The message that tells of it. */
      readonly message: EventId;
      readonly bundle?: Bundle;
    }
  /** A job of the files is done. */
  | { readonly kind: "filesDone"; readonly effect: EffectId; readonly result: FilesResult }
  /** State of the bot's that stands in the room and was not written by this process. */
  | {
      readonly kind: "overwritten";
      readonly type: string;
      readonly key: string;
      readonly content: Readonly<Record<string, unknown>>;
    }
  /** What the audit log says, as text for the room. */
  | { readonly kind: "recalled"; readonly effect: EffectId; readonly text: string }
  /** Something of the files did not work, and the room should know: told once for each `id`. */
  | {
      readonly kind: "filesTrouble";
      readonly id: EffectId;
      readonly thread?: EventId;
      readonly code: string;
      readonly sentence: string;
    }
  /** An effect is done; `event` when it made one. */
  | { readonly kind: "done"; readonly effect: EffectId; readonly event?: EventId }
  /** An effect failed for good. */
  | { readonly kind: "failed"; readonly effect: EffectId; readonly code: string; readonly sentence: string }
  /** Something to tell in this room, from another one (only HQ gets these). The reply is the room that replaces it, if one does. */
  | { readonly kind: "announce"; readonly id: EffectId; readonly text: string; readonly budget?: DayLimit }
  /** The rules of moderation have changed, of the config or of a watched list. */
  | { readonly kind: "moderated" }
  /** The bridge has started: nothing of the last run is in progress any more. */
  | { readonly kind: "recovered" };

export type Input = MatrixInput | OwnInput;
