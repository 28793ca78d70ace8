/** `read_file`: a part of a text, never more than a model should get at once; other kinds of files are named. */
import type { FileHandle } from "node:fs/promises";
import { openFolder } from "../folder.ts";
import { placeIn } from "../paths.ts";
import type { Worktree } from "../port.ts";
import { answering, bytes, counted, refused, shown } from "./answer.ts";
import { binaryKind } from "./kind.ts";

/** Most of a file in one answer. */
export const readBytes = 50_000;
const chunkBytes = 64 * 1024;

export interface ReadRequest {
  readonly path: string;
  /** First line, from 1. Default: 1. */
  readonly from?: number;
  /** Default: all. */
  readonly lines?: number;
}

/** The text as it stands; where it is not all of it, a last line in brackets says how to go on. */
export async function readText(worktree: Worktree, request: ReadRequest, signal?: AbortSignal): Promise<string> {
  return answering("read", request.path, async () => {
    const place = await placeIn(worktree, request.path, "read");
    const name = place.parts.at(-1);
    if (name === undefined) return refused("read", "it is the folder of all files; list_files shows what is in it");
    await using folder = await openFolder(place.root, place.parts.slice(0, -1));
    await using handle = await folder.file(name);
    return await partOf(handle, request, shown(place.relative), signal);
  });
}

async function partOf(
  handle: FileHandle,
  { from: wanted = 1, lines = Infinity }: ReadRequest,
  name: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { size } = await handle.stat();
  const from = Math.max(1, wanted);
  const part = new Part(from, Math.max(1, lines));
  const buffer = Buffer.alloc(chunkBytes);
  for (let at = 0; !part.full;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    const kind = at === 0 ? binaryKind(chunk) : undefined;
    if (kind !== undefined) return `${name} is ${kind} of ${bytes(size)}, and no text.`;
    part.add(chunk);
    at += bytesRead;
  }
  if (size === 0) return `${name} is empty.`;
  if (part.from > part.last) return refused("read", `${name} has only ${counted(part.last, "line")}`);
  const content = part.content();
  const text = content.toString();
  const notes = [
    ...(Buffer.from(text).equals(content) ? [] : ["it is not UTF-8 throughout: � stands for what is not"]),
    ...(part.cut ? [`line ${part.next - 1} is longer than can be shown; run_command can show the rest`] : []),
    ...(part.full ? [`${name} has ${bytes(size)}; go on with from: ${part.next}`] : []),
  ];
  return notes.length === 0 ? text : `${text}${text.endsWith("\n") ? "" : "\n"}[${notes.join("; ")}]`;
}

/** Collects the lines that are wanted from a file's bytes, as they come. */
class Part {
  readonly from: number;
  /** There is more after it. */
  full = false;
  /** Its last line is not shown to its end. */
  cut = false;
  /** The last line that has begun; 0 before the first byte. */
  last = 0;
  readonly #until: number;
  readonly #whole: Buffer[] = [];
  #size = 0;
  /** Bytes of the line that has not ended yet. */
  #line: Buffer[] = [];
  #lineSize = 0;
  #begun = false;

  constructor(from: number, lines: number) {
    this.from = from;
    this.#until = from + lines;
  }

  /** Where to go on. */
  get next(): number {
    return this.cut ? this.last + 1 : this.last;
  }

  add(chunk: Buffer): void {
    for (let start = 0; start < chunk.length && !this.full;) {
      const end = chunk.indexOf(10, start);
      const stop = end === -1 ? chunk.length : end + 1;
      this.#take(chunk.subarray(start, stop), end !== -1);
      start = stop;
    }
  }

  #take(piece: Buffer, ends: boolean): void {
    if (!this.#begun) this.last += 1;
    this.#begun = !ends;
    if (this.last < this.from) return;
    if (this.last >= this.#until) {
      this.full = true;
      return;
    }
    const room = readBytes - this.#size - this.#lineSize;
    if (piece.length > room) {
      this.full = true;
      // A line that does not fit goes into the next part; one that alone is too long is cut.
      this.cut = this.#size === 0;
      if (this.cut) this.#line.push(Buffer.from(wholeCharacters(piece, room)));
      else this.#line = [];
      return;
    }
    // The chunk's memory is used again.
    this.#line.push(Buffer.from(piece));
    this.#lineSize += piece.length;
    if (!ends) return;
    this.#whole.push(...this.#line);
    this.#size += this.#lineSize;
    this.#line = [];
    this.#lineSize = 0;
  }

  content(): Buffer {
    return Buffer.concat([...this.#whole, ...this.#line]);
  }
}

/** The beginning, without a part of a character at its end. */
function wholeCharacters(piece: Buffer, most: number): Buffer {
  let end = most;
  while (end > 0 && ((piece[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return piece.subarray(0, end);
}
