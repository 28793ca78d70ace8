/** `write_file`: a whole file, new or in the place of another one. */
import { openFolder, type Folder } from "../folder.ts";
import { placeIn } from "../paths.ts";
import type { Worktree } from "../port.ts";
import { answering, bytes, counted, lineCount, refused, shown } from "./answer.ts";
import { existing, heldBack, replace, type Contents } from "./replace.ts";

/** Makes the folders on the way. Says what it did; the same call again changes nothing. */
export async function writeText(
  worktree: Worktree,
  request: { readonly path: string; readonly content: string },
  contents: Contents,
): Promise<string> {
  return answering("written", request.path, async () => {
    const place = await placeIn(worktree, request.path, "write");
    const label = shown(place.relative);
    if (request.path.endsWith("/")) return refused("written", `${shown(request.path)} names a folder, not a file`);
    const content = Buffer.from(request.content);
    if (content.length > contents.fileBytes)
      return refused("written", `it has ${bytes(content.length)}, and the limit is ${bytes(contents.fileBytes)}`);

    await using folder = await openFolder(place.root, place.parts.slice(0, -1), true);
    const name = place.parts.at(-1) ?? "";
    const before = await existing(folder, name);
    const same = before?.size === content.length && (await isAlready(folder, name, content));
    if (!same) await replace(worktree, folder, name, content, before?.mode);
    const did = same ? "Unchanged" : before === undefined ? "Created" : "Replaced";
    const size = `${counted(lineCount(content), "line")}, ${bytes(content.length)}`;
    return `${did}: ${label}, ${size}.${await heldBack(contents, place.relative, content)}`;
  });
}

async function isAlready(folder: Folder, name: string, content: Buffer): Promise<boolean> {
  await using handle = await folder.file(name);
  return content.equals(await handle.readFile());
}
