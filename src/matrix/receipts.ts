/**
 * Read receipts, a moment later than they could be. The homeserver does one thing after another, and an answer that comes
 * at once would wait behind the receipt and behind what the receipt causes; and of messages that come together only the
 * newest needs one.
 */
import pLimit from "p-limit";
import type { Fleeting } from "../core/effect.ts";
import { reasonOf } from "../core/errors.ts";
import type { RoomId } from "../core/ids.ts";
import type { Logger } from "../observe/log.ts";
import type { Homeserver } from "./homeserver.ts";

type Receipt = Extract<Fleeting, { kind: "receipt" }>;

export interface ReceiptsOptions {
  readonly homeserver: Pick<Homeserver, "receipt">;
  /** Resolves after `ms`; rejects when the signal aborts. */
  readonly after: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: Logger;
}

/** Long enough for an answer that comes at once, and nobody sees it. */
export const receiptDelayMs = 250;
/** What is left at the end gets that long. */
const lastTryMs = 1_000;
/** Requests at once: after an outage many rooms have one due, and messages go first. */
const inFlight = 2;

export class Receipts implements AsyncDisposable {
  readonly #options: ReceiptsOptions;
  readonly #slots = pLimit(inFlight);
  /** Cuts the waits short, not the requests. */
  readonly #ending = new AbortController();
  readonly #cut = new AbortController();
  /** The newest of each user, room and thread that is not sent yet. */
  readonly #due = new Map<string, { readonly room: RoomId; readonly receipt: Receipt }>();
  readonly #working = new Set<Promise<void>>();

  constructor(options: ReceiptsOptions) {
    this.#options = options;
  }

  /** Returns at once. */
  add(room: RoomId, receipt: Receipt): void {
    const key = `${room} ${receipt.as} ${receipt.thread ?? "main"}`;
    const isWaiting = this.#due.has(key);
    this.#due.set(key, { room, receipt });
    if (isWaiting) return;
    const work = this.#sendLater(key).finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  async #sendLater(key: string): Promise<void> {
    const { signal } = this.#ending;
    if (!signal.aborted) await this.#options.after(receiptDelayMs, signal).catch(() => undefined);
    const due = this.#due.get(key);
    this.#due.delete(key);
    if (due !== undefined) await this.#slots(() => this.#send(due.room, due.receipt));
  }

  /** One try, and nobody is told when it fails: the next receipt covers this one. */
  async #send(room: RoomId, { as, event, thread }: Receipt): Promise<void> {
    const { homeserver, log } = this.#options;
    try {
      await homeserver.receipt(room, as, event, thread ?? "main", { signal: this.#cut.signal });
    } catch (thrown) {
      log.debug({ room, reason: reasonOf(thrown) }, "a read receipt was not sent");
    }
  }

  /** Sends what is due, within 1 s. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    const limit = setTimeout(() => this.#cut.abort(), lastTryMs);
    await Promise.all(this.#working);
    clearTimeout(limit);
  }
}
