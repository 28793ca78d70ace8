/** Turns the core's words into Matrix events and sends them, with ids that make a repetition harmless. */
import { createHash } from "node:crypto";
import type { React, Redact, Say, SetState } from "../core/effect.ts";
import type { MediaFile } from "../core/files.ts";
import { CrewError } from "../core/errors.ts";
import type { EffectId, EventId, RoomId, UserId } from "../core/ids.ts";
import { type Extra, editMessage, fileMessage, type MessageContent, reaction, textMessage } from "./compose/content.ts";
import type { Members } from "./compose/mentions.ts";
import { isLong, summarise } from "./compose/size.ts";
import { isGhostMissing } from "./ghosts.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError } from "./homeserver-error.ts";

export interface SpeakOptions {
  readonly homeserver: Pick<Homeserver, "send" | "redact" | "setState" | "upload">;
  /** `limits.long_answer_bytes` */
  readonly longAnswerBytes: number;
}

const messageType = "m.room.message";
const summaryChars = 1_000;

/**
 * The Matrix transaction id of an effect. Synapse keys its cache of an application service's sends by path, without the
 * user; effect ids are unique among all users and rooms, so these are too.
 */
export function transactionId(effect: string): string {
  return createHash("sha256").update(effect).digest("base64url").slice(0, 32);
}

export class Speaker {
  readonly #options: SpeakOptions;

  constructor(options: SpeakOptions) {
    this.#options = options;
  }

  /** Sends what an effect says. Resolves with its (first) event. Each call is one try. */
  async say(room: RoomId, say: Say, members: Members, signal: AbortSignal): Promise<EventId> {
    if (say.file !== undefined) return this.#sayWith(room, say, say.file, members, signal);
    if (!isLong(say.text, this.#options.longAnswerBytes)) return this.#sayText(room, say, say.text, members, signal);
    if (say.brief !== undefined) {
      if (say.replaces === undefined) {
        // Nobody is notified twice, and the typed part stands with the words that people answer.
        const { approval: _approval, action: _action, ...plain } = say;
        await this.#sayFile(room, { ...plain, mentions: [] }, undefined, members, signal);
      }
      return this.#sayText(room, say, say.brief, members, signal);
    }
    // The summary stands in the place of the answer; the whole follows as a file.
    if (say.replaces !== undefined) {
      const event = await this.#sayText(room, say, summarise(say.text, summaryChars), members, signal);
      await this.#sayFile(room, say, undefined, members, signal);
      return event;
    }
    return this.#sayFile(room, say, summarise(say.text, summaryChars), members, signal);
  }

  /** Shows more of an answer that goes on. Not repeated, so its id need not outlive the process. */
  async amend(
    room: RoomId,
    as: UserId,
    target: EventId,
    text: string,
    members: Members,
    signal: AbortSignal,
  ): Promise<void> {
    const content = editMessage(target, textMessage({ text, msgtype: "m.text", members }));
    await this.#options.homeserver.send(room, as, messageType, content, transactionId(crypto.randomUUID()), { signal });
  }

  /**
   * Puts a reaction under a message. Resolves without an event when the same one of this user is there already.
   * @throws CrewError `INTERNAL` when nobody knows yet which event it is for.
   */
  async react(room: RoomId, { id, as, target, key }: React, signal: AbortSignal): Promise<EventId | undefined> {
    if (!("event" in target))
      throw new CrewError("INTERNAL", { reason: `the reaction ${id} has no message to be under` });
    const content = reaction(target.event, key);
    try {
      return await this.#options.homeserver.send(room, as, "m.reaction", content, transactionId(id), { signal });
    } catch (thrown) {
      if (thrown instanceof HomeserverError && thrown.errcode === "M_DUPLICATE_ANNOTATION") return undefined;
      throw thrown;
    }
  }

  /** Takes a message back. One that is gone already, or that we may not take back, stays as it is. */
  async redact(room: RoomId, { id, as, event, reason }: Redact, signal: AbortSignal): Promise<EventId | undefined> {
    try {
      return await this.#options.homeserver.redact(room, as, event, transactionId(id), reason, { signal });
    } catch (thrown) {
      const isOver = thrown instanceof HomeserverError && (thrown.status === 403 || thrown.status === 404);
      if (!isOver || isGhostMissing(thrown)) throw thrown;
      return undefined;
    }
  }

  /** Sends a message that is made already. */
  publish(room: RoomId, as: UserId, id: EffectId, content: MessageContent, signal: AbortSignal): Promise<EventId> {
    return this.#options.homeserver.send(room, as, messageType, content, transactionId(id), { signal });
  }

  /** Writes a state event. Equal content makes no new event. */
  setState(room: RoomId, as: UserId, { type, key, content }: SetState, signal: AbortSignal): Promise<EventId> {
    return this.#options.homeserver.setState(room, as, type, key, content, { signal });
  }

  async #sayText(room: RoomId, say: Say, text: string, members: Members, signal: AbortSignal): Promise<EventId> {
    const target = say.replaces;
    const message = textMessage({
      text,
      msgtype: say.style === "notice" ? "m.notice" : "m.text",
      ...(target === undefined ? placementOf(say) : {}),
      ...audienceOf(say, members),
      extra: extraOf(say),
    });
    // An effect that replaces one before it goes out after it, and by then knows its event.
    const content =
      target !== undefined && "event" in target ? editMessage(target.event, message, say.mentions) : message;
    return this.#send(room, say, content, say.id, signal);
  }

  /** The words are the file's caption, and in an edit both are replaced. */
  #sayWith(room: RoomId, say: Say, file: MediaFile, members: Members, signal: AbortSignal): Promise<EventId> {
    const { text, replaces: target } = say;
    const caption = isLong(text, this.#options.longAnswerBytes) ? summarise(text, summaryChars) : text;
    const message = fileMessage({
      ...file,
      ...(caption.trim() === "" ? {} : { caption }),
      ...(target === undefined ? placementOf(say) : {}),
      ...audienceOf(say, members),
      extra: extraOf(say),
    });
    const content =
      target !== undefined && "event" in target ? editMessage(target.event, message, say.mentions) : message;
    return this.#send(room, say, content, say.id, signal);
  }

  async #sayFile(
    room: RoomId,
    say: Say,
    caption: string | undefined,
    members: Members,
    signal: AbortSignal,
  ): Promise<EventId> {
    const bytes = new TextEncoder().encode(say.text);
    const name = say.brief === undefined ? "answer.md" : "whole.md";
    const mimeType = "text/markdown";
    // A repetition uploads again: what was uploaded before is never referred to, and the message is sent once.
    const mxc = await this.#options.homeserver.upload(bytes, mimeType, name, { signal });
    const content = fileMessage({
      mxc,
      name,
      mimeType,
      size: bytes.length,
      ...(caption === undefined ? {} : { caption }),
      ...placementOf(say),
      ...audienceOf(say, members),
      extra: extraOf(say),
    });
    return this.#send(room, say, content, `${say.id}:file`, signal);
  }

  #send(room: RoomId, say: Say, content: MessageContent, id: string, signal: AbortSignal): Promise<EventId> {
    return this.#options.homeserver.send(room, say.as, messageType, content, transactionId(id), { signal });
  }
}

/** In a thread the answer stands below its question anyway, so it quotes none. */
function placementOf(say: Say): { thread?: EventId; replyTo?: EventId } {
  if (say.thread !== undefined) return { thread: say.thread };
  return say.replyTo === undefined ? {} : { replyTo: say.replyTo };
}

/** An agent may also notify people of the room by writing their full id. */
function audienceOf(
  say: Say,
  members: Members,
): { members: Members; mayMention: ReadonlySet<UserId>; mentions: readonly UserId[] } {
  return { members, mayMention: new Set(members.keys()), mentions: say.mentions };
}

function extraOf(say: Say): Extra {
  return {
    ...(say.turn === undefined ? {} : { "dev.crewroom.turn": say.turn }),
    ...(say.error === undefined ? {} : { "dev.crewroom.error": { code: say.error } }),
    ...(say.action === undefined ? {} : { "dev.crewroom.action": say.action }),
    ...(say.approval === undefined ? {} : { "dev.crewroom.approval": say.approval }),
  };
}
