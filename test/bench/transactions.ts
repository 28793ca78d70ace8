/** Transactions as Synapse sends them: 100 messages, most of them in rooms that are none of ours. */

export interface TransactionsOptions {
  readonly domain: string;
  /** Rooms where an agent is. A quarter of the messages is there, addressed to nobody. */
  readonly ours: readonly string[];
}

export const eventsPerTransaction = 100;
const strangersRooms = 40;
const people = 25;

const words =
  "the build of this morning is green again after the cache was cleared and the two slow tests were given a server of " +
  "their own so please pull before you push and tell me when the numbers on your side look any different from mine";

export class Transactions {
  readonly #options: TransactionsOptions;
  #events = 0;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  /** The next ones, no event of which was there before. */
  next(count: number): readonly Buffer[] {
    return Array.from({ length: count }, () => {
      const events = Array.from({ length: eventsPerTransaction }, () => this.#event());
      return Buffer.from(JSON.stringify({ events, ephemeral: [], "de.sorunome.msc2409.ephemeral": [] }));
    });
  }

  #event(): Readonly<Record<string, unknown>> {
    const { domain, ours } = this.#options;
    const n = this.#events++;
    const sender = `@person-${n % people}:${domain}`;
    const body = `${n}: ${words.slice(n % 40, 120 + (n % 80))}`;
    const age = 20 + (n % 50);
    return {
      content: {
        body,
        format: "org.matrix.custom.html",
        formatted_body: `<p>${body}</p>`,
        "m.mentions": {},
        msgtype: "m.text",
      },
      origin_server_ts: 1_790_000_000_000 + n,
      room_id: n % 4 === 0 ? ours[(n / 4) % ours.length] : `!strangers${n % strangersRooms}xyzXYZ:${domain}`,
      sender,
      type: "m.room.message",
      unsigned: { age },
      event_id: `$${n.toString(36).padStart(43, "A")}`,
      user_id: sender,
      age,
    };
  }
}
