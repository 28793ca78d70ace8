/**
 * `edit_file`: puts one text in the place of another one that stands in the file exactly once. Bytes around it stay as they
 * are, whatever their encoding; in a file with CRLF line ends both texts are taken to have them too.
 */
import { openFolder } from "../folder.ts";
import { placeIn } from "../paths.ts";
import type { Worktree } from "../port.ts";
import { answering, bytes, refused, shown } from "./answer.ts";
import { nearest } from "./nearest.ts";
import { existing, heldBack, replace, type Contents } from "./replace.ts";

export interface EditRequest {
  readonly path: string;
  readonly old: string;
  readonly new: string;
}

/** A call that is made again, after a crash, finds its text there and answers that it is done. */
export async function editText(worktree: Worktree, request: EditRequest, contents: Contents): Promise<string> {
  return answering("written", request.path, async () => {
    if (request.old === "") return refused("written", "old is empty; write_file writes a whole file");
    if (request.old === request.new) return refused("written", "old and new are the same");
    const place = await placeIn(worktree, request.path, "write");
    const label = shown(place.relative);
    const name = place.parts.at(-1) ?? "";
    await using folder = await openFolder(place.root, place.parts.slice(0, -1));
    const before = await existing(folder, name);
    if (before === undefined) return refused("written", `there is no ${label}; write_file makes one`);
    if (before.size > contents.fileBytes)
      return refused("written", `${label} has ${bytes(before.size)}, and the limit is ${bytes(contents.fileBytes)}`);

    const content = await read();
    const edit = editOf(content, request);
    if (edit.kind === "refused") return refused("written", `in ${label} ${edit.why}`);
    if (edit.kind === "done")
      return `Already so: new stands in ${label} at line ${edit.line}. Nothing was changed; if that is not meant, give more of what is around old.`;
    if (edit.content.length > contents.fileBytes)
      return refused(
        "written",
        `it would have ${bytes(edit.content.length)}, and the limit is ${bytes(contents.fileBytes)}`,
      );
    await replace(worktree, folder, name, edit.content, before.mode);
    return `Edited: ${label}, at line ${edit.line}.${await heldBack(contents, place.relative, edit.content)}`;

    async function read(): Promise<Buffer> {
      await using handle = await folder.file(name);
      return await handle.readFile();
    }
  });
}

type Edit =
  | { readonly kind: "edited"; readonly content: Buffer; readonly line: number }
  | { readonly kind: "done"; readonly line: number }
  /** To follow “in <file>”. */
  | { readonly kind: "refused"; readonly why: string };

/** Lines that are named when there are several places. */
const linesNamed = 10;

function editOf(content: Buffer, request: EditRequest): Edit {
  const [before, after] = asIn(content, request);
  const places = placesOf(before, content);
  const [place] = places;
  const line = (at: number): number => lineAt(content, at);

  if (place === undefined) {
    const there = after.length === 0 ? -1 : content.indexOf(after);
    if (there !== -1) return { kind: "done", line: line(there) };
    const gone = after.length === 0 ? "; if it was to be taken out, that is done" : "";
    return { kind: "refused", why: `old does not stand${gone}. ${nearest(content, request.old)}` };
  }
  if (places.length > 1) {
    const named = places.slice(0, linesNamed).map(line).join(", ");
    const more = places.length > linesNamed ? ", …" : "";
    return {
      kind: "refused",
      why: `old stands ${places.length} times, at lines ${named}${more}; add what is around the one that is meant`,
    };
  }
  const added = after.indexOf(before);
  // `new` is `old` with more around it, and all of that is there: this call was made before. Spaces prove nothing.
  if (added !== -1 && request.new.replace(request.old, "").trim() !== "") {
    const start = place - added;
    if (start >= 0 && content.subarray(start, start + after.length).equals(after))
      return { kind: "done", line: line(start) };
  }
  return {
    kind: "edited",
    line: line(place),
    content: Buffer.concat([content.subarray(0, place), after, content.subarray(place + before.length)]),
  };
}

/** Both texts in bytes, with the line ends of the file. */
function asIn(content: Buffer, request: EditRequest): readonly [old: Buffer, new: Buffer] {
  const plain = [Buffer.from(request.old), Buffer.from(request.new)] as const;
  if (!content.includes("\r\n")) return plain;
  const crlf = (text: string): Buffer => Buffer.from(text.replaceAll(/\r?\n/g, "\r\n"));
  const ended = [crlf(request.old), crlf(request.new)] as const;
  // A file may have both kinds of line ends.
  return content.includes(ended[0]) || !content.includes(plain[0]) ? ended : plain;
}

/** Enough to see that there is more than one, without counting through a large file for ever. */
const mostPlaces = 1_000;

function placesOf(text: Buffer, content: Buffer): number[] {
  const places: number[] = [];
  for (let at = content.indexOf(text); at !== -1 && places.length < mostPlaces; at = content.indexOf(text, at + 1))
    places.push(at);
  return places;
}

function lineAt(content: Buffer, place: number): number {
  let line = 1;
  for (let at = content.indexOf(10); at !== -1 && at < place; at = content.indexOf(10, at + 1)) line += 1;
  return line;
}
