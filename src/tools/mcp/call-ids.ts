/**
 * Ids of tool calls that come over MCP. A call's id is made of its tool, its arguments and how often the turn made the
 * same call before. So the same call gets the same id when a turn runs again after a crash, whatever else it does this time; a call that
 * is meant twice is two actions; and a request that a client sends again because its answer was lost is one.
 *
 * Requests have ids, but clients begin to count anew with every connection. So a request counts as sent again only when
 * tool and arguments are the same as well.
 */
import { createHash } from "node:crypto";
import type { TurnId } from "../../core/ids.ts";

export class CallIds {
  #turn: TurnId | undefined;
  /** Ids of the turn's requests so far, by what they call. */
  readonly #made = new Map<string, Map<string | number, string>>();

  idFor(turn: TurnId, request: string | number, tool: string, input: unknown): string {
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#made.clear();
    }
    const called = JSON.stringify([tool, input ?? {}]);
    const requests = this.#made.get(called) ?? new Map<string | number, string>();
    this.#made.set(called, requests);
    const known = requests.get(request);
    if (known !== undefined) return known;
    const hash = createHash("sha256").update(JSON.stringify([turn, called, requests.size]));
    const id = `mcp${hash.digest("hex").slice(0, 12)}`;
    requests.set(request, id);
    return id;
  }
}
