/** A commit as git keeps it: headers, an empty line, the message. What Crewroom knows of it stands in its last paragraph. */
import { type Branch, type Commit, type CommitReason } from "../core/files.ts";
import { asAgentId, asEventId, asUserId, type CommitHash, type TurnId, type UserId } from "../core/ids.ts";
import type { CommitWords } from "./port.ts";

/** Nobody else commits in a task's repository; so the trailers of others are not believed. */
const committer = "Crewroom <crewroom>";

const reasons: readonly string[] = [
  "change",
  "turn",
  "submit",
  "merge",
  "upload",
  "restore",
  "withdraw",
  "rewrite",
  "import",
] satisfies readonly CommitReason[];

/** One line that can end neither a header nor a trailer. */
function line(text: string): string {
  return text.replaceAll(/[\0\r\n]+/g, " ").trim();
}

function person(name: string, address: string): string {
  const plain = (text: string): string => line(text.replaceAll(/[<>]/g, ""));
  return `${plain(name) || plain(address)} <${plain(address)}>`;
}

/** The first commit of a task: the same bytes, and so the same name, on every host. */
export function rootText(tree: string, task: number): string {
  return `tree ${tree}\nauthor ${committer} 0 +0000\ncommitter ${committer} 0 +0000\n\nTask #${task}\n`;
}

export function commitText(tree: string, parents: readonly CommitHash[], words: CommitWords): string {
  const { author, event, message, subtask, task, ts, turn, why } = words;
  const date = `${Math.max(0, Math.floor(ts / 1000))} +0000`;
  const trailers = [
    ["Task", String(task)],
    ["Subtask", subtask],
    ["Turn", turn],
    ["Reason", why],
    ["By", author.id],
    ["Event", event],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`Crewroom-${name}: ${line(value)}`]));
  const said = message.replaceAll("\0", "").replaceAll(/\r\n?/g, "\n").trim() || why;
  return [
    `tree ${tree}`,
    ...parents.map((parent) => `parent ${parent}`),
    `author ${person(author.name, author.user)} ${date}`,
    `committer ${committer} ${date}`,
    "",
    said,
    "",
    ...trailers,
    "",
  ].join("\n");
}

/** Works for commits of other programs as well: then `by` is its author's address and `why` is `import`. */
export function parseCommit(text: string, hash: CommitHash, branch: Branch): Commit {
  const end = text.indexOf("\n\n");
  const headers = (end === -1 ? text : text.slice(0, end)).split("\n");
  const message = end === -1 ? "" : text.slice(end + 2).trimEnd();
  const all = (name: string): string[] =>
    headers.filter((header) => header.startsWith(`${name} `)).map((header) => header.slice(name.length + 1));
  const [, address = "", seconds = "0"] = /<([^>]*)> (\d+)/.exec(all("author")[0] ?? "") ?? [];
  const trailers = (all("committer")[0] ?? "").startsWith(`${committer} `) ? trailersOf(message) : new Map();
  const by: unknown = trailers.get("By");
  const why: unknown = trailers.get("Reason");
  const subtask: unknown = trailers.get("Subtask");
  const turn: unknown = trailers.get("Turn");
  const event = asEventId(trailers.get("Event"));
  return {
    hash,
    parents: all("parent") as CommitHash[],
    branch,
    by: asUserId(by) ?? asAgentId(by) ?? (address as UserId),
    why: typeof why === "string" && reasons.includes(why) ? (why as CommitReason) : "import",
    ...(typeof subtask === "string" ? { subtask } : {}),
    ...(typeof turn === "string" ? { turn: turn as TurnId } : {}),
    ...(event === undefined ? {} : { event }),
    subject: message.split("\n", 1)[0] ?? "",
    ts: Number(seconds) * 1000,
  };
}

/** Of the last paragraph only, which is ours: the message stands before it and cannot reach into it. */
function trailersOf(message: string): ReadonlyMap<string, string> {
  const last = message.slice(message.lastIndexOf("\n\n") + 2);
  return new Map(
    last.split("\n").flatMap((trailer) => {
      const [, name, value] = /^Crewroom-(\w+): (.*)$/.exec(trailer) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
}
