/**
 * What people do about each other and about agents, as far as it decides who is heard: server ACLs, rules of the config and
 * of watched policy lists, and the removal of people. Whoever is not heard begins nothing, decides nothing, and what they
 * asked for before ends.
 */
import type { Draft } from "./draft.ts";
import type { AuditFacts } from "./audit.ts";
import type { AgentId, UserId } from "./ids.ts";
import type { AclChange, Edit, MatrixInput, Member, Message, Redaction } from "./input.ts";
import { relock, release } from "./read-only.ts";
import { isDenied, silenceOf } from "./silence.ts";
import { may, refuse } from "./steering.ts";
import { begin, putSession, takeBack } from "./turns.ts";

export interface ModerationAct {
  /** What a person does in their client. */
  readonly act: string;
  readonly inChats: string;
  readonly inTasks: string;
}

/**
 * For `docs/moderation.md`. Shown by `moderation*.test.ts` and `rooms.test.ts` in `test/integration`, by
 * `test/faults/approvals.test.ts`, and, what no client can bring about alone, by `test/core/moderation.test.ts`.
 */
export const moderationTable: readonly ModerationAct[] = [
  {
    act: "remove (kick) an agent",
    inChats:
      "its turn and its commands end, what it heard is dropped, what it asked is withdrawn, and it does not come back by itself; an invite lets it work again",
    inTasks:
      "the same, and its subtask or review is offered to others under a new lease; it also stays away from the room that replaces this one",
  },
  {
    act: "ban an agent",
    inChats: "as a kick; no invite works before it is unbanned",
    inTasks: "as a kick; it gets no work of this task before it is unbanned and invited",
  },
  {
    act: "`!crew dismiss`, also in a direct chat, where clients give both sides the same power, and nobody can remove or mute an equal",
    inChats: "as a kick",
    inTasks: "as a kick",
  },
  {
    act: "unban an agent",
    inChats: "nothing by itself; an invite lets it work again",
    inTasks: "the same",
  },
  {
    act: "mute an agent: put its power level below `events_default`",
    inChats: "its turn is taken back and its commands end; what it heard waits, and goes on when it may speak again",
    inTasks: "the same; its lease runs on, and patrol gives the work to others when that ends",
  },
  {
    act: "give an agent more power, also 100",
    inChats: "nothing: what agents may do is decided by their tools' policy",
    inTasks: "the same",
  },
  {
    act: "redact an instruction",
    inChats:
      "dropped where it waits; its turn is taken back; the agent forgets it (of the newest 200 of a conversation). An agent's message to another as well",
    inTasks: "the same",
  },
  {
    act: "edit an instruction",
    inChats:
      "replaced where it waits; who works on it, or has answered it, is told of the change, in its newest form. Only its author's edit counts",
    inTasks: "the same",
  },
  {
    act: "leave",
    inChats: "what the person asked for goes on",
    inTasks: "the same; HQ is told when nobody is left who may steer the task",
  },
  {
    act: "remove (kick) or ban a person",
    inChats: "what they asked for ends: dropped where it waits, its turn taken back",
    inTasks: "the same; work that subtasks give to agents goes on",
  },
  {
    act: "demote a person below power level 50",
    inChats: "they no longer release the breaker",
    inTasks: "they no longer steer or answer questions; what they answered before counts",
  },
  {
    act: "upgrade the room (`m.room.tombstone`)",
    inChats:
      "the crew follows if the new room names the old one; conversations go on, open questions are asked again there",
    inTasks: "the same; the task goes on there, and its leases are given anew",
  },
  {
    act: "deny a server (`m.room.server_acl`)",
    inChats: "its people are not heard, and what they asked for ends",
    inTasks: "the same; they neither steer nor answer",
  },
  {
    act: "deny our own server",
    inChats:
      "read-only: no turn begins, nothing is said, HQ is told; it goes on by itself when the server is allowed again",
    inTasks: "the same",
  },
  {
    act: "take the bot's power, mute it, or remove it",
    inChats: "commands are answered by an agent, if one is there",
    inTasks:
      "read-only: turns are taken back, nothing is sent, HQ is told; with its power back the task goes on and the room is brought up to date",
  },
  {
    act: "a rule in a watched policy list, or `moderation.ignored`",
    inChats:
      "in all rooms at once: not heard, what they asked for ends, their invites are rejected, a command is refused once",
    inTasks: "the same; they neither steer nor answer",
  },
  {
    act: "ignore an agent in one's own client",
    inChats: "nothing reaches Crewroom: the agent still hears the person, who no longer sees its answers",
    inTasks: "the same",
  },
];

/** Whether what somebody says counts here. Withdrawing a message counts for everybody: it takes away, and adds nothing. */
export function isHeard(draft: Draft, input: MatrixInput): boolean {
  if (input.kind !== "message" && input.kind !== "edit" && input.kind !== "reaction") return true;
  const silence = silenceOf(draft.world, draft.state, input.sender);
  if (silence === undefined) return true;
  // A denied server's events come only while its own homeserver does not know yet: nobody waits for an answer.
  if (silence.why === "rule" && input.kind === "message") refuseOnce(draft, input);
  return false;
}

const commandWord = /^!crew(?:\s|$)/i;

function refuseOnce(draft: Draft, message: Message): void {
  if (!commandWord.test(message.text.trim()) || message.notice || message.hops !== undefined) return;
  // Where nobody may speak yet it is told after the join, which reads back what was said.
  if (draft.voice() === undefined) return;
  const text = "A moderation rule keeps the crew from working for you.";
  refuse(draft, message, { text, what: "message", because: "moderation" });
}

/**
 * Ends what these people asked for: it is taken out of the queues, and a turn on it is taken back. What others said in the
 * same turn waits again. Gives the agents that were busy with it.
 */
export function dropWordsOf(draft: Draft, isMeant: (user: UserId) => boolean): readonly AgentId[] {
  const stopped = new Set<AgentId>();
  for (const key of Object.keys(draft.state.sessions)) {
    const session = draft.state.sessions[key];
    if (session === undefined) continue;
    if (session.running?.messages.some(({ from }) => isMeant(from)) === true) {
      takeBack(draft, key);
      stopped.add(session.agent);
    }
    const now = draft.state.sessions[key];
    if (now === undefined || !now.queue.some(({ from }) => isMeant(from))) continue;
    stopped.add(session.agent);
    putSession(draft, key, { ...now, queue: now.queue.filter(({ from }) => !isMeant(from)) });
    begin(draft, key);
  }
  const { breaker } = draft.state;
  const held = breaker.held.filter(({ message }) => !isMeant(message.from));
  if (held.length < breaker.held.length) draft.set({ breaker: { ...breaker, held } });
  return [...stopped];
}

/** Somebody else removed a person: what they asked for is not wanted any more. */
export function personRemoved(draft: Draft, input: Member): void {
  const { user, sender, event, reason, membership } = input;
  if (sender === user) return;
  const stopped = dropWordsOf(draft, (one) => one === user);
  const facts = {
    kind: "moderation",
    what: membership === "ban" ? "ban" : "kick",
    by: sender,
    detail: reason === undefined ? user : `${user}: ${reason}`,
    event,
  } as const;
  for (const agent of stopped) draft.audit({ ...facts, agent });
  // Those who were never heard are the room's own affair.
  if (stopped.length === 0 && draft.state.people.includes(user) && may(draft, user, "talk")) draft.audit(facts);
}

/** The room's server ACL has changed. */
export function acl(draft: Draft, input: AclChange): void {
  const before = draft.state;
  draft.set({ acl: input.acl });
  draft.countChange();
  const stopped = dropWordsOf(draft, (user) => isDenied(draft.world, draft.state, user));
  const facts = { kind: "moderation", what: "server acl", by: input.sender, event: input.event } as const;
  if (stopped.length === 0) draft.audit(facts);
  for (const agent of stopped) draft.audit({ ...facts, agent });
  relock(draft, input.event);
  release(draft, before);
}

/** Somebody gave an instruction other words. */
export function editOf({ sender, event }: Edit, agent: AgentId): AuditFacts {
  return { kind: "moderation", what: "edit", by: sender, agent, event };
}

/** Somebody took an instruction back. */
export function redactOf({ sender, event }: Redaction, agent: AgentId): AuditFacts {
  return { kind: "moderation", what: "redact", by: sender, agent, event };
}

/** The rules have changed: whom one fits now is not worked for any longer. */
export function moderated(draft: Draft): void {
  const because = new Map<UserId, string>();
  const isMeant = (user: UserId): boolean => {
    const silence = silenceOf(draft.world, draft.state, user);
    if (silence?.why !== "rule") return silence !== undefined;
    const { entity, reason, source } = silence.rule;
    because.set(user, `${user} by ${entity} of ${source}${reason === undefined ? "" : `: ${reason}`}`);
    return true;
  };
  for (const agent of dropWordsOf(draft, isMeant))
    draft.audit({
      kind: "moderation",
      what: "rule",
      by: draft.world.bot,
      agent,
      detail: [...because.values()].join("; "),
    });
}
