/** Sends what is to be in rooms for as long as it takes: repeats what the homeserver did not take, a bounded number at once. */
import pLimit from "p-limit";
import type { React, Redact, Say, SetState } from "../core/effect.ts";
import type { EffectId, EventId, RoomId, UserId } from "../core/ids.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { MessageContent } from "./compose/content.ts";
import type { Members } from "./compose/mentions.ts";
import type { OwnUsers } from "./own-users.ts";
import { retrying, type RetryOptions } from "./retry.ts";
import type { Speaker } from "./speak.ts";

export interface MessengerOptions {
  readonly speaker: Speaker;
  readonly users: OwnUsers;
  /** Who is in a room, for mentions. */
  readonly membersOf: (room: RoomId) => Members;
  readonly retry: Omit<RetryOptions, "signal" | "attempts">;
  /** `limits.sends_in_flight` */
  readonly inFlight: number;
  readonly metrics: Pick<Metrics, "sends" | "sendLatency">;
}

export class Messenger {
  readonly #options: MessengerOptions;
  /** Only tries count, not the pauses between them: one room's trouble must not hold up the others. */
  readonly #slots: <T>(work: () => Promise<T>) => Promise<T>;

  constructor(options: MessengerOptions) {
    this.#options = options;
    this.#slots = pLimit(options.inFlight);
  }

  /** Resolves with the event. Rejects when the homeserver refuses it for good, or `signal` aborts. */
  say(room: RoomId, say: Say, signal: AbortSignal): Promise<EventId> {
    const { speaker, membersOf } = this.#options;
    return this.#send(say.as, say.style, () => speaker.say(room, say, membersOf(room), signal), signal);
  }

  /** Like {@link say}; see {@link Speaker.react}. */
  react(room: RoomId, react: React, signal: AbortSignal): Promise<EventId | undefined> {
    const { speaker } = this.#options;
    return this.#send(react.as, "reaction", () => speaker.react(room, react, signal), signal);
  }

  /** Like {@link say}; see {@link Speaker.redact}. */
  redact(room: RoomId, redact: Redact, signal: AbortSignal): Promise<EventId | undefined> {
    const { speaker } = this.#options;
    return this.#send(redact.as, "redaction", () => speaker.redact(room, redact, signal), signal);
  }

  /** Like {@link say}, of a message that is made already. The same effect gives the same event. */
  publish(room: RoomId, as: UserId, id: EffectId, content: MessageContent, signal: AbortSignal): Promise<EventId> {
    const { speaker } = this.#options;
    const kind = content.msgtype === "m.notice" ? "notice" : "message";
    return this.#send(as, kind, () => speaker.publish(room, as, id, content, signal), signal);
  }

  /** Like {@link say}; see {@link Speaker.setState}. */
  setState(room: RoomId, as: UserId, state: SetState, signal: AbortSignal): Promise<EventId> {
    const { speaker } = this.#options;
    return this.#send(as, "state", () => speaker.setState(room, as, state, signal), signal);
  }

  async #send<T>(as: UserId, kind: string, send: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { users, retry, metrics } = this.#options;
    const began = performance.now();
    const once = (): Promise<T> => this.#slots(send);
    const made = await retrying(() => users.actAs(as, once), { ...retry, signal });
    metrics.sends.inc({ kind });
    metrics.sendLatency.observe((performance.now() - began) / 1_000);
    return made;
  }

  /** Shows more of a running answer. One try: the next one, or the end of the answer, makes up for it. */
  amend(room: RoomId, as: UserId, message: EventId, text: string, signal: AbortSignal): Promise<void> {
    const { speaker, membersOf } = this.#options;
    return this.#slots(() => speaker.amend(room, as, message, text, membersOf(room), signal));
  }
}
