/** What people look at: lists, single files, and everything as one archive. */
import { rm, stat } from "node:fs/promises";
import { type Branch, type FilesJob, type FilesResult, mainBranch, type MediaFile } from "../core/files.ts";
import { asCommitHash, type CommitHash } from "../core/ids.ts";
import { makeArchive } from "./archive.ts";
import type { TaskRepository } from "./task-files.ts";
import { blobAt, readBlob, treeAt } from "./tree-edit.ts";

/** The media store of the homeserver. */
export interface JobMedia {
  /** Into a file. @throws CrewError `MEDIA_TOO_LARGE` above `maxBytes`, `HOMESERVER_*`. */
  fetch(mxc: string, into: string, maxBytes: number, signal: AbortSignal): Promise<void>;
  /** @throws CrewError `MEDIA_TOO_LARGE`. */
  put(path: string, name: string, mimeType: string, signal: AbortSignal): Promise<MediaFile>;
}

export interface JobParts {
  readonly media: JobMedia;
  readonly signal: AbortSignal;
}

export type Job<Kind extends FilesJob["kind"]> = Extract<FilesJob, { kind: Kind }>;

export function told(text: string): FilesResult {
  return { kind: "told", text };
}

const listed = 100;

export async function list(task: TaskRepository, { path, branch }: Job<"list">): Promise<string> {
  const { git } = task.parts;
  const head = await task.head(branch);
  const folder = path.replace(/\/+$/, "");
  const found = await treeAt(git, task.repository, head, folder);
  const where = folder === "" ? "" : ` in \`${folder}\``;
  if (found.length === 0) return `There are no files${where} on ${branch}.`;
  const total = found.reduce((sum, { size }) => sum + size, 0);
  const lines = found.slice(0, listed).map((file) => `- \`${file.path}\` ${bytesText(file.size)}`);
  const more = found.length > listed ? [`- … and ${found.length - listed} more; name a folder to see its own`] : [];
  const count = found.length === 1 ? "1 file" : `${found.length} files`;
  return [
    `📁 **${count}**${where} on ${branch} at \`${head.slice(0, 10)}\`, ${bytesText(total)}:`,
    ...lines,
    ...more,
  ].join("\n");
}

/** The commit that is meant, or the sentence that there is none. */
export async function commitOf(
  task: TaskRepository,
  commit: string | undefined,
  branch: Branch,
): Promise<CommitHash | string> {
  if (commit === undefined) return task.head(branch);
  return (
    (await task.repository.resolve(commit)) ?? `There is no commit \`${commit}\`. \`!crew log <path>\` shows them.`
  );
}

export async function show(task: TaskRepository, job: Job<"show">, { media, signal }: JobParts): Promise<FilesResult> {
  const { git } = task.parts;
  const asked = await commitOf(task, job.commit, job.branch);
  const commit = asCommitHash(asked);
  if (commit === undefined) return told(asked);
  const found = await blobAt(git, task.repository, commit, job.path);
  if (found === undefined)
    return told(
      `There is no file \`${job.path}\` at \`${commit.slice(0, 10)}\`. \`!crew files\` lists them, \`!crew log ${job.path}\` tells what became of it.`,
    );
  const into = await task.temporary(job.path);
  try {
    await readBlob(git, task.repository, found.blob, into);
    const name = job.path.split("/").at(-1) ?? "file";
    const file = await media.put(into, name, typeOf(name), signal);
    return { kind: "told", text: `📄 \`${job.path}\` at \`${commit.slice(0, 10)}\``, file };
  } finally {
    await rm(into, { force: true });
  }
}

export async function archive(
  task: TaskRepository,
  { commit }: Job<"archive">,
  { media, signal }: JobParts,
): Promise<FilesResult> {
  const { git } = task.parts;
  const at = asCommitHash(commit) ?? (await task.head(mainBranch));
  const files = await treeAt(git, task.repository, at, "");
  if (files.length === 0) return told("There are no files on main.");
  const number = task.task?.number ?? 0;
  const name = `task-${number}-${at.slice(0, 7)}`;
  const into = await task.temporary(`${name}.zip`);
  try {
    await makeArchive(git, task.repository, at, name, into);
    const { size } = await stat(into);
    const file = await media.put(into, `${name}.zip`, "application/zip", signal);
    const count = files.length === 1 ? "The only file" : `All ${files.length} files`;
    return {
      kind: "told",
      text: `📦 ${count} of main at \`${at.slice(0, 10)}\` (${bytesText(size)}). \`!crew files\` lists them, \`!crew show <path>\` sends one.`,
      file,
    };
  } finally {
    await rm(into, { force: true });
  }
}

/** `1.5 MB`, in steps of 1,000 as the rooms tell it. */
export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const [size, unit] = bytes < 1_000_000 ? [bytes / 1_000, "kB"] : [bytes / 1_000_000, "MB"];
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
}

const types: Readonly<Record<string, string>> = {
  csv: "text/csv",
  css: "text/css",
  gif: "image/gif",
  html: "text/plain",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  json: "application/json",
  md: "text/markdown",
  pdf: "application/pdf",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain",
  webp: "image/webp",
  zip: "application/zip",
};

/** By its ending, enough for a client to show what people can look at. Code is plain text. */
function typeOf(name: string): string {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  const code =
    /^(?:c|cc|cpp|go|h|hpp|ini|java|js|jsx|kt|lua|mjs|php|pl|py|rb|rs|sh|sql|swift|toml|ts|tsx|xml|yaml|yml)$/;
  return types[ending] ?? (code.test(ending) || ending === "" ? "text/plain" : "application/octet-stream");
}
