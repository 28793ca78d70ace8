/**
 * Notices state that the bot wrote in an earlier life. When a process is killed, the homeserver may do its last request after
 * those of the next one, and the room would show for ever what is long over. All of the bot's state comes back to us in the room's
 * order: what stands there last and was not written by this process is told, to be compared.
 */
import type { EventId, RoomId, UserId } from "../core/ids.ts";
import { asRoomId } from "../core/ids.ts";
import { asObject, type JsonObject } from "./json.ts";

export interface OwnStateOptions {
  readonly bot: UserId;
  /** Resolves after `ms`; rejects when the signal aborts. */
  readonly after: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Something stands there that this process did not write. */
  readonly onStrange: (room: RoomId, type: string, key: string, content: JsonObject) => void;
}

/** By then the homeserver has answered who wrote it. */
const answerMs = 2_000;
/** More answers are not waited for at a time. */
const writtenKept = 1_000;

export class OwnState implements AsyncDisposable {
  readonly #options: OwnStateOptions;
  /** What this process wrote, the newest. */
  readonly #written = new Set<EventId>();
  /** What stands last where something unknown came, until it is looked at. */
  readonly #strange = new Map<string, JsonObject>();
  readonly #ending = new AbortController();
  readonly #working = new Set<Promise<void>>();

  constructor(options: OwnStateOptions) {
    this.#options = options;
  }

  /** This process wrote it. */
  wrote(event: EventId): void {
    this.#written.add(event);
    const [oldest] = this.#written;
    if (this.#written.size > writtenKept && oldest !== undefined) this.#written.delete(oldest);
  }

  /** Events of a transaction. Returns at once. */
  take(events: readonly unknown[]): void {
    for (const raw of events) {
      const event = asObject(raw);
      if (event?.["sender"] !== this.#options.bot || !isShown(event)) continue;
      const place = `${String(event["room_id"])} ${String(event["type"])} ${String(event["state_key"])}`;
      const isLooked = this.#strange.has(place);
      if (isLooked || !this.#isOurs(event)) this.#strange.set(place, event);
      if (isLooked || !this.#strange.has(place)) continue;
      const work = this.#look(place).finally(() => this.#working.delete(work));
      this.#working.add(work);
    }
  }

  async #look(place: string): Promise<void> {
    const { after, onStrange } = this.#options;
    try {
      await after(answerMs, this.#ending.signal);
    } catch {
      return;
    }
    const event = this.#strange.get(place);
    this.#strange.delete(place);
    const room = asRoomId(event?.["room_id"]);
    const content = asObject(event?.["content"]);
    if (event === undefined || room === undefined || content === undefined || this.#isOurs(event)) return;
    onStrange(room, String(event["type"]), String(event["state_key"]), content);
  }

  #isOurs({ event_id: id }: JsonObject): boolean {
    return this.#written.has(id as EventId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#working);
  }
}

function isShown({ type, state_key: key }: JsonObject): boolean {
  if (typeof type !== "string" || typeof key !== "string") return false;
  return type.startsWith("dev.crewroom.") || type === "m.room.name" || type === "m.room.topic";
}
