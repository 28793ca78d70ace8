/**
 * What the room reads of a commit, and the typed part from which another host rebuilds it. Everything in it that came
 * from an agent, a person or a file is shown as code or escaped: a path is never markup, a mention or a link.
 */
import { mainBranch, type Bundle, type Commit, type FileChange } from "../core/files.ts";
import { CrewError } from "../core/errors.ts";
import type { UserId } from "../core/ids.ts";
import type { CommitFacts } from "../files/port.ts";
import { type Extra, type MessageContent, type Placement, textMessage } from "./compose/content.ts";
import { fitsEvent } from "./compose/size.ts";
import { code, escaped, fenced } from "../core/verbatim.ts";

export interface CommitNames {
  /** Display name of who made the change. */
  readonly by: string;
  /** Their Matrix id. */
  readonly user: UserId;
}

/** The property of a message that carries {@link commitPart}. */
export const commitType = "dev.crewroom.commit";

/** Changed paths that people see; the typed part has more. */
const pathsShown = 12;

/**
 * An `m.notice` that notifies nobody. When it would be too large for an event it tells fewer changes, then no diff.
 * @throws CrewError `MEDIA_TOO_LARGE` when not even the bundle's parts fit in.
 */
export function commitMessage(
  facts: CommitFacts,
  bundle: Bundle | undefined,
  names: CommitNames,
  placement: Placement = {},
): MessageContent {
  const make = (changes: number, diff: string | undefined): MessageContent =>
    textMessage({
      text: commitText(facts, names, diff),
      msgtype: "m.notice",
      ...placement,
      extra: commitPart(facts, bundle, names.user, changes),
    });
  const tries = [
    ...(facts.diff === undefined ? [] : [50, 25, pathsShown].map((changes) => [changes, facts.diff] as const)),
    ...[50, 25, pathsShown, 6, 3, 1, 0].map((changes) => [changes, undefined] as const),
  ];
  let message = make(0, undefined);
  for (const [changes, diff] of tries) {
    message = make(changes, diff);
    // Without its HTML it would fit as well, but nobody reads a diff like that.
    if (message.formatted_body !== undefined) return message;
  }
  if (fitsEvent(message)) return message;
  const { size = 0 } = bundle ?? {};
  const name = `the bundle of ${facts.commit.hash}`;
  throw new CrewError("MEDIA_TOO_LARGE", { name, size, limit: "as many parts as fit into an event" });
}

/** The typed part, with at most `most` changes. */
function commitPart(facts: CommitFacts, bundle: Bundle | undefined, user: UserId, most: number): Extra {
  const { commit, changes, files, added, removed } = facts;
  const { hash, parents, branch, why, subtask, turn, subject, ts } = commit;
  return {
    [commitType]: {
      v: 1,
      commit: hash,
      parents,
      branch,
      by: user,
      why,
      ...(subtask !== undefined && { subtask }),
      ...(turn !== undefined && { turn }),
      subject: subject.toWellFormed().slice(0, maxSubjectChars).toWellFormed(),
      ts,
      changes: changes.slice(0, most).map(wellFormed),
      files,
      added,
      removed,
      ...(bundle !== undefined && { bundle }),
    },
  };
}

/** A homeserver refuses half of a surrogate pair. */
function wellFormed(change: FileChange): FileChange {
  const { path, from } = change;
  return { ...change, path: path.toWellFormed(), ...(from !== undefined && { from: from.toWellFormed() }) };
}

const maxSubjectChars = 1_000;

function commitText(facts: CommitFacts, names: CommitNames, diff: string | undefined): string {
  const { commit, changes, files } = facts;
  // It is about all commits before it, of which this is only the last.
  if (commit.why === "rewrite") return headline(facts, names.by);
  const shown = changes.slice(0, pathsShown).map(changeLine);
  const more = files - shown.length;
  const lines = more > 0 ? [...shown, `and ${count(more)} more`] : shown;
  return [
    `${headline(facts, names.by)} · ${code(commit.hash.slice(0, 7))}`,
    ...(saysMore(commit) ? [escaped(commit.subject, 200)] : []),
    ...(lines.length === 0 ? [] : [lines.join("\n")]),
    ...(diff === undefined || diff === "" ? [] : [fenced(diff, "diff")]),
  ].join("\n\n");
}

/** People give their uploads a caption, and agents say what they hand in; other subjects are the bridge's own words. */
function saysMore({ why, subject }: Commit): boolean {
  return (why === "upload" || why === "submit" || why === "import") && subject.trim() !== "";
}

function headline(facts: CommitFacts, by: string): string {
  const { commit, changes, files } = facts;
  const who = `**${escaped(by, 100) || "Somebody"}**`;
  const only = files === 1 ? changes[0] : undefined;
  const what = only === undefined ? `${count(files)} files` : code(only.path);
  const where = placeOf(commit);
  switch (commit.why) {
    case "merge":
      if (commit.subtask === undefined) return `🔀 ${who} merged ${what} into ${code(commit.branch)}`;
      return commit.branch === mainBranch
        ? `🔀 ${code(commit.subtask)} merged into ${code(mainBranch)}`
        : `🔀 ${code(commit.subtask)} brought up to ${code(mainBranch)}`;
    case "upload":
      return `📎 ${who} ${only?.kind === "modified" ? "replaced" : "added"} ${what}${where}`;
    case "restore":
      return `♻️ ${who} restored ${what}${where}`;
    case "withdraw":
      return `🗑️ ${who} withdrew ${what}${where}`;
    case "rewrite":
      return `🧹 ${code(commit.branch)} is told anew with all of its history, up to ${code(commit.hash.slice(0, 7))}: earlier messages of it no longer count`;
    case "import":
      return `📥 ${who} brought in ${what}${where}`;
    default:
      return `📝 ${who} changed ${only === undefined ? what : "1 file"}${where}`;
  }
}

/** Where it stands, when that is not plain. */
function placeOf({ branch, subtask, why }: Commit): string {
  const isLate = branch.startsWith("late/");
  if (isLate) return ` in ${code(subtask ?? branch)} after the work had passed on; it is kept on ${code(branch)}`;
  if (subtask !== undefined) return ` in ${code(subtask)}`;
  return branch === mainBranch && why !== "change" && why !== "turn" ? "" : ` on ${code(branch)}`;
}

const signs: Readonly<Record<FileChange["kind"], string>> = {
  added: "+",
  modified: "~",
  deleted: "−",
  renamed: "→",
  mode: "mode",
};

function changeLine({ path, kind, from, mode, added, removed, size }: FileChange): string {
  const facts = [
    ...(kind === "mode" && mode !== undefined ? [mode] : []),
    ...(added !== undefined && removed !== undefined && added + removed > 0
      ? [`+${count(added)} −${count(removed)}`]
      : []),
    ...(size === undefined ? [] : [sizeText(size)]),
  ];
  const name = from === undefined ? code(path) : `${code(from)} → ${code(path)}`;
  return [`${code(signs[kind])} ${name}`, ...facts].join(" · ");
}

function count(number: number): string {
  return number.toLocaleString("en");
}

/** `340 B`, `1.2 kB`, `17 MB` */
function sizeText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1_000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ""}`;
}
