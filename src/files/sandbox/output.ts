/** What is kept of a command's output: its head and its tail, in bounded memory, and how much is missing between them. */

export interface KeptOutput {
  readonly text: string;
  readonly leftOut: number;
}

/** How many bytes at the start of `bytes` belong to a character that began before. */
function continuation(bytes: Buffer): number {
  let count = 0;
  while (count < 3 && count < bytes.length && ((bytes[count] ?? 0) & 0xc0) === 0x80) count += 1;
  return count;
}

/** Where the last whole character ends. */
function wholeEnd(bytes: Buffer): number {
  for (let back = 1; back <= 4 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needs > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

export class Output {
  readonly #headLimit: number;
  readonly #tailLimit: number;
  readonly #head: Buffer[] = [];
  readonly #tail: Buffer[] = [];
  #headBytes = 0;
  #tailBytes = 0;
  #dropped = 0;

  /** @param limit Bytes that are kept, half of them of the head. */
  constructor(limit: number) {
    this.#headLimit = Math.floor(limit / 2);
    this.#tailLimit = limit - this.#headLimit;
  }

  /** Whether something was left out already. */
  get full(): boolean {
    return this.#dropped > 0;
  }

  add(chunk: Buffer): void {
    const toHead = Math.min(chunk.length, this.#headLimit - this.#headBytes);
    if (toHead > 0) {
      this.#head.push(chunk.subarray(0, toHead));
      this.#headBytes += toHead;
    }
    if (toHead === chunk.length) return;
    this.#tail.push(chunk.subarray(toHead));
    this.#tailBytes += chunk.length - toHead;
    while (this.#tailBytes > this.#tailLimit) {
      const first = this.#tail[0] ?? Buffer.alloc(0);
      const over = this.#tailBytes - this.#tailLimit;
      if (first.length <= over) this.#tail.shift();
      // A copy, or a small rest would hold on to its whole chunk.
      else this.#tail[0] = Buffer.from(first.subarray(over));
      const gone = Math.min(first.length, over);
      this.#tailBytes -= gone;
      this.#dropped += gone;
    }
  }

  /** The text so far. A character that the cut went through is left out as a whole. */
  kept(): KeptOutput {
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    if (this.#dropped === 0) return { text: Buffer.concat([head, tail]).toString(), leftOut: 0 };
    const end = wholeEnd(head);
    const start = continuation(tail);
    const leftOut = this.#dropped + (head.length - end) + start;
    return {
      text: `${head.subarray(0, end).toString()}\n[… ${leftOut} bytes left out …]\n${tail.subarray(start).toString()}`,
      leftOut,
    };
  }
}
