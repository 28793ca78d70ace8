/**
 * The person looks at what the crew has made: opens every file of `main` in the room, and all of them in the archive. What
 * comes must be, byte for byte, what the messages about commits have told.
 */
import { createHash } from "node:crypto";
import type { Message } from "./room-view.ts";
import type { ConversationParts, Steps } from "./steps.ts";
import { readZip } from "./zip.ts";

const archiveName = /^task-\d+-([0-9a-f]{7,})\.zip$/;
/** A model may make many. */
const mostOpened = 20;

export async function playFiles(parts: ConversationParts, steps: Steps, room: string): Promise<void> {
  const { person, view } = parts;
  const said = (): readonly Message[] => view.messages(room);
  const archive = await steps.see("all files in an archive", () =>
    said().find(({ file }) => archiveName.test(file?.name ?? "")),
  );
  const at = archiveName.exec(archive.file?.name ?? "")?.[1] ?? "";
  const main = await steps.see("the commit that is in the archive", () =>
    said().some(({ commit }) => commit?.branch === "main" && commit.commit.startsWith(at)) ? mainOf(said()) : undefined,
  );

  const listing = await steps.command(room, "!crew files");
  for (const [path, sha256] of [...main.files].slice(0, mostOpened)) {
    if (!listing.text.includes(`\`${path}\``)) steps.failed.push(`${path} in the list of the task's files`);
    const { file } = await steps.command(room, `!crew show ${path}`);
    const content = file === undefined ? undefined : await person.download(file.address);
    if (content === undefined || sha256Of(content) !== sha256) steps.failed.push(`${path} as the crew made it`);
  }

  const zip = archive.file === undefined ? Buffer.of() : await person.download(archive.file.address);
  const packed = new Map([...readZip(zip)].map(([path, content]) => [path.replace(/^[^/]*\//, ""), sha256Of(content)]));
  const isComplete = [...main.files].every(([path, sha256]) => packed.get(path) === sha256);
  if (!isComplete || (main.isWhole && packed.size !== main.files.size))
    steps.failed.push("an archive with the same files");
}

interface Main {
  /** SHA-256 by path. */
  readonly files: ReadonlyMap<string, string>;
  /** Every change was told with its path. */
  readonly isWhole: boolean;
}

/** What the messages about the commits of `main` add up to. */
function mainOf(messages: readonly Message[]): Main {
  const commits = messages.flatMap(({ commit }) => (commit?.branch === "main" ? [commit] : []));
  const files = new Map<string, string>();
  for (const { path, from, sha256 } of commits.flatMap(({ changes }) => changes)) {
    if (from !== undefined) files.delete(from);
    if (sha256 === undefined) files.delete(path);
    else files.set(path, sha256);
  }
  return { files, isWhole: commits.every(({ changes, files: all }) => changes.length === all) };
}

function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
