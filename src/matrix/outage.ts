/**
 * Whether the homeserver is there, seen from the outcomes of requests.
 *
 *   up ──report(false): it did not speak──▶ down ──report(true): it answered, or sent us something──▶ up (recovered)
 *
 * An error that the homeserver itself tells is an answer: then it is up.
 */
export class Outage {
  #up = true;
  readonly #changed = new Set<(up: boolean) => void>();

  get up(): boolean {
    return this.#up;
  }

  /** Tells one outcome. Cheap enough for every request. */
  report(ok: boolean): void {
    if (ok === this.#up) return;
    this.#up = ok;
    for (const listener of this.#changed) listener(ok);
  }

  /** Calls `listener` at every change. Gives the function that ends it. */
  onChange(listener: (up: boolean) => void): () => void {
    const own = (up: boolean): void => listener(up);
    this.#changed.add(own);
    return () => void this.#changed.delete(own);
  }

  /** Calls `listener` at the end of every outage: a retry need not wait longer, and the homeserver is to be pinged. */
  onRecovered(listener: () => void): () => void {
    return this.onChange((up) => {
      if (up) listener();
    });
  }
}
