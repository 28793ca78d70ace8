/** Files in tests: what agents do with them by the script, what the room tells of them, and what the repository holds. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { RehearsalInput } from "../../src/models/rehearsal/script.ts";
import type { RehearsalServer } from "../../src/models/rehearsal/server.ts";
import { type Crew, mainFile } from "./crew.ts";
import type { Person } from "./person.ts";
import { patient, type TaskRoom } from "./tasks.ts";
import type { Said } from "./transcript.ts";

type Rule = RehearsalInput["rules"][number];
type Call = readonly [name: string, args: Readonly<Record<string, unknown>>];

/** One tool after the other in one turn, whatever they answer. */
export function uses(role: string, last: string, calls: readonly Call[], delayMs = 0): readonly Rule[] {
  return calls.map(([name, args], index) => ({
    when: { role, last, step: index + 1 },
    answer: { tools: [{ name, arguments: args }], ...(delayMs > 0 && { delay_ms: delayMs }) },
  }));
}

/** Ends every turn with few words, however many steps it took. Put it last. */
export const quiet: Rule = { when: { role: ["planner", "executor", "reviewer"] }, answer: { text: "That is all." } };

export function approval(subtask: string): Call {
  return ["review_work", { subtask, verdict: "approve", score: 4, issues: [], comment: "Good." }];
}

export function handIn(subtask: string, summary = `Made ${subtask}.`): Call {
  return ["submit_work", { subtask, summary }];
}

export const run = (command: string): Call => ["run_command", { command }];
export const write = (file: string, content: string): Call => ["write_file", { path: file, content }];

/** What the tools of one turn answered, in order: of the newest turn whose prompt fits. */
export function toolResults(rehearsal: RehearsalServer, prompt: RegExp): readonly string[] {
  const request = rehearsal.requests.findLast(({ scene }) => prompt.test(scene.last));
  const messages = request?.body.messages ?? [];
  const begun = messages.findLastIndex(({ role }) => role === "user");
  return messages
    .slice(begun + 1)
    .filter(({ role }) => role === "tool")
    .map(({ content }) =>
      typeof content === "string" ? content : (content ?? []).map(({ text = "" }) => text).join(""),
    );
}

/** `dev.crewroom.commit`, as far as tests look at it. */
export interface CommitContent {
  readonly commit: string;
  readonly parents: readonly string[];
  readonly branch: string;
  readonly by: string;
  readonly why: string;
  readonly subtask?: string;
  readonly turn?: string;
  readonly subject: string;
  readonly files: number;
  readonly changes: readonly {
    readonly path: string;
    readonly from?: string;
    readonly kind: string;
    readonly mode?: string;
    readonly added?: number;
    readonly removed?: number;
    readonly size?: number;
    readonly sha256?: string;
  }[];
  readonly bundle?: {
    readonly parts: readonly { readonly mxc: string; readonly size: number }[];
    readonly sha256: string;
    readonly size: number;
  };
}

export function commitOf(content: unknown): CommitContent | undefined {
  return typeof content === "object" && content !== null && "commit" in content
    ? (content as CommitContent)
    : undefined;
}

/** A commit and the message that told of it. */
export interface Told extends CommitContent {
  readonly said: Said;
}

function toldIn(said: readonly Said[]): readonly Told[] {
  return said.flatMap((one) => {
    const commit = commitOf(one.content["dev.crewroom.commit"]);
    return commit === undefined ? [] : [{ ...commit, said: one }];
  });
}

/** The commits that the room tells, oldest first, by the homeserver. */
export async function commitsIn(task: TaskRoom): Promise<readonly Told[]> {
  return toldIn(await task.person.timeline(task.room));
}

/** Until the room has told of a commit that fits. */
export function waitForCommit(
  task: TaskRoom,
  what: string,
  fits: (commit: Told) => boolean,
  options = patient,
): Promise<Told> {
  return task.person.waitFor(task.room, `the commit of ${what}`, options, () =>
    toldIn(task.person.seen(task.room)).find(fits),
  );
}

/** Changes a path, in any way. */
export const touches =
  (file: string, more: Partial<Pick<CommitContent, "branch" | "why">> = {}) =>
  ({ changes, branch, why }: CommitContent): boolean =>
    changes.some((change) => change.path === file) &&
    (more.branch === undefined || more.branch === branch) &&
    (more.why === undefined || more.why === why);

/** Until `dev.crewroom.head` names what `main` is in the repository. */
export async function waitForHead(task: TaskRoom, crew: Crew): Promise<string> {
  const main = await gitOf(task, crew, "rev-parse", "main");
  return task.person
    .waitFor(task.room, `the head to be ${main}`, patient, () =>
      task.state("dev.crewroom.head")?.["commit"] === main ? main : undefined,
    )
    .catch(async (thrown: unknown) => {
      // Which of the two is behind, the bridge or the client?
      const there: unknown = await task.person.client.getStateEvent(task.room, "dev.crewroom.head", "");
      const told = JSON.stringify(there);
      const seen = JSON.stringify(task.state("dev.crewroom.head"));
      throw new Error(`The homeserver has ${told}, the client ${seen}`, { cause: thrown });
    });
}

/** A task's folder under the bridge's data. */
export async function folderOf(task: TaskRoom, crew: Crew): Promise<string> {
  const tasks = path.join(crew.directory, "data", "tasks");
  const number = Number(task.state("dev.crewroom.room")?.["task"]);
  const name = (await readdir(tasks)).find((one) => one.startsWith(`task-${number}-`));
  if (name === undefined) throw new Error(`There is no folder of task ${number} in ${tasks}`);
  return path.join(tasks, name);
}

const environment = { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", LC_ALL: "C" };
const execute = promisify(execFile);

/** Git on any repository, as somebody looking on would run it. Output without the last line break. */
export async function git(gitDir: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env["PATH"], ...environment };
  const { stdout } = await execute("git", ["--git-dir", gitDir, "-c", "core.quotePath=false", ...args], {
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.replace(/\n$/, "");
}

/** Git on a task's repository under the bridge's data. */
export async function gitOf(task: TaskRoom, crew: Crew, ...args: readonly string[]): Promise<string> {
  return git(path.join(await folderOf(task, crew), "repo.git"), ...args);
}

/** Paths of a branch, sorted as git does. */
export async function pathsOn(task: TaskRoom, crew: Crew, branch = "main"): Promise<readonly string[]> {
  const listed = await gitOf(task, crew, "ls-tree", "-r", "-z", "--name-only", branch);
  return listed.split("\0").filter((one) => one !== "");
}

/** Says a command, in a thread where one is given, and gives the answer to it. */
export async function ask(task: TaskRoom, crew: Crew, words: string, thread?: string): Promise<Said> {
  const said = await task.person.say(task.room, `!crew ${words}`, thread === undefined ? {} : { thread });
  return thread === undefined ? answerTo(task, crew, said) : answerBelow(task, crew, said, thread);
}

/** The bot's reply to a message. */
export function answerTo(task: TaskRoom, crew: Crew, event: string): Promise<Said> {
  const isAnswer = (said: Said): boolean => said.replyTo === event;
  return task.person.waitForMessage(task.room, isAnswer, { ...patient, from: crew.bot });
}

/** In a thread no answer quotes its question: it is the next message there that is for whoever asked. */
function answerBelow(task: TaskRoom, crew: Crew, event: string, thread: string): Promise<Said> {
  const { person, room } = task;
  return person.waitFor(room, "an answer in the thread", patient, () => {
    const seen = person.seen(room);
    const asked = seen.findIndex(({ id }) => id === event);
    return seen.find(
      (said, at) =>
        asked !== -1 &&
        at > asked &&
        said.sender === crew.bot &&
        said.thread === thread &&
        said.mentions.includes(person.userId),
    );
  });
}

/** The bytes of a file that somebody was answered with. */
export function bytesOf(person: Person, said: Said): Promise<Buffer> {
  return person.download(String(said.content["url"]));
}

/** An agent's open question whose text fits, once it stands in the room. */
export function waitForQuestion(task: TaskRoom, fits: RegExp): Promise<Said> {
  return task.person.waitFor(task.room, `a question like ${fits}`, patient, () =>
    task.person.seen(task.room).find(({ text, content }) => {
      const approval = content["dev.crewroom.approval"] as { matter?: string; state?: string } | undefined;
      return approval?.matter === "question" && approval.state === "open" && fits.test(text);
    }),
  );
}

export interface Pulled {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `crewroom files pull` in a process of its own: as a person with their token, or as the bot with the bridge's config. */
export async function pull(room: string, into: string, as: Person | Crew): Promise<Pulled> {
  const access = "client" in as ? ["--homeserver", as.homeserver] : ["--config", as.configFile];
  const token = "client" in as ? { CREWROOM_ACCESS_TOKEN: as.client.getAccessToken() ?? "" } : {};
  const args = [mainFile, "files", "pull", "--room", room, "--into", into, ...access];
  const env = { ...process.env, ...token };
  return execute(process.execPath, args, { env }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (failed: { code?: number; stdout?: string; stderr?: string }) => ({
      code: failed.code ?? -1,
      out: failed.stdout ?? "",
      err: failed.stderr ?? "",
    }),
  );
}

/** Command lines of this machine's processes that sleep for exactly so many seconds: a number that only one test takes. */
export async function napping(seconds: string): Promise<readonly string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line.split("\0").includes(seconds));
}
