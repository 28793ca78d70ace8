/** A task's files out of its room on a real Synapse: by a person on a host without a bridge, and by the bot. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Bundle, Commit } from "../../src/core/files.ts";
import { asRoomId, type AgentId, type CommitHash, type EffectId, type RoomId } from "../../src/core/ids.ts";
import type { Account } from "../../src/demo/accounts.ts";
import type { Synapse } from "../../src/demo/synapse.ts";
import { makeBundle } from "../../src/files/bundle.ts";
import { factsOf } from "../../src/files/changes.ts";
import { createGit } from "../../src/files/git.ts";
import type { CommitWords, Repository } from "../../src/files/port.ts";
import { openRepository } from "../../src/files/repository.ts";
import { BundleStore } from "../../src/matrix/bundles.ts";
import { commitMessage } from "../../src/matrix/commit-message.ts";
import { createHomeserver, type Homeserver } from "../../src/matrix/homeserver.ts";
import { readRegistration } from "../../src/matrix/registration-file.ts";
import { Speaker } from "../../src/matrix/speak.ts";
import { freshSynapse, uniqueName } from "../support/fresh-synapse.ts";
import { user } from "../matrix/ids.ts";
import { Desk, runQuietly } from "./desk.ts";

const never = new AbortController().signal;
const bot = user("@crewroom:localhost");
const task = 7;
const git = createGit();

let desk: Desk;
let synapse: Synapse;
let homeserver: Homeserver;
let sam: Account;
let folder: string;
beforeAll(async () => {
  desk = await Desk.open();
  await desk.config({ homeserver: { address: "http://127.0.0.1:9", domain: "localhost" } });
  await desk.run("register");
  const registrations = [desk.path("registration.yaml")];
  synapse = await freshSynapse({ registrations });
  await desk.config({ homeserver: { address: synapse.url, domain: "localhost" } });
  const { as_token: asToken } = await readRegistration(desk.path("registration.yaml"));
  homeserver = createHomeserver({ address: synapse.url, domain: "localhost", asToken, timeoutMs: 20_000 });
  await homeserver.register(bot);
  await homeserver.putDevice(bot);
  sam = await synapse.registerUser("sam", "password of sam");
});
afterAll(async () => {
  await synapse[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "crewroom-pull-"));
  return () => rm(folder, { recursive: true, force: true });
});

/** A task's room as the bridge makes and fills it. */
class TaskRoom {
  readonly room: RoomId;
  readonly repository: Repository;
  readonly #homeserver: Homeserver;

  private constructor(room: RoomId, repository: Repository) {
    this.room = room;
    this.repository = repository;
    this.#homeserver = homeserver;
  }

  static async open(): Promise<TaskRoom> {
    const content = { kind: "task", task, coordinator: bot, v: 1 };
    const room = await homeserver.createRoom(bot, {
      preset: "private_chat",
      invite: [sam.userId],
      initial_state: [{ type: "dev.crewroom.room", state_key: "", content }],
    });
    await asSam("POST", `/join/${encodeURIComponent(room)}`);
    return new TaskRoom(room, await openRepository(git, path.join(folder, "bridge"), task));
  }

  /** A commit of all these files on a branch. */
  async commit(branch: string, files: Readonly<Record<string, string>>): Promise<Commit> {
    const { repository } = this;
    const place = { gitDir: repository.path };
    const entries: string[] = [];
    for (const [name, input] of Object.entries(files)) {
      const blob = await git.text(place, ["hash-object", "-w", "--stdin"], { input });
      entries.push(`100644 blob ${blob}\t${name}`);
    }
    const tree = await git.text(place, ["mktree"], { input: `${entries.join("\n")}\n` });
    const from = await repository.head(branch);
    const parent = from ?? (await repository.head("main")) ?? repository.root;
    const words: CommitWords = {
      message: `Files of ${branch}`,
      author: { id: "ada" as AgentId, name: "Ada", user: user("@agent_ada:localhost") },
      why: "turn",
      task,
      ts: 1_700_000_000_000,
    };
    const hash = await repository.commitTree(tree, [parent], words);
    await repository.move(branch, hash, from);
    return repository.read(hash, branch);
  }

  async bundleOf(commit: Commit): Promise<Bundle> {
    const needs = commit.parents.filter((parent) => parent !== this.repository.root);
    const into = path.join(folder, `${commit.hash}.bundle`);
    const file = await makeBundle(git, this.repository, commit.hash, needs, into);
    const bundles = new BundleStore({ homeserver: this.#homeserver, retry: { maxWaitMs: 10 } });
    return bundles.put(file, `${commit.hash}.bundle`, never);
  }

  /** Tells of a commit. Gives the message. */
  async tell(commit: Commit, bundle?: Bundle) {
    const facts = await factsOf(git, this.repository, commit, 4_000);
    const names = { by: "Ada", user: user("@agent_ada:localhost") };
    const content = commitMessage(facts, bundle ?? (await this.bundleOf(commit)), names);
    const speaker = new Speaker({ homeserver: this.#homeserver, longAnswerBytes: 30_000 });
    return speaker.publish(this.room, bot, uniqueName("commit") as EffectId, content, never);
  }

  async head(commit: CommitHash): Promise<void> {
    await this.#homeserver.setState(this.room, bot, "dev.crewroom.head", "", { v: 1, commit });
  }
}

async function asSam(method: string, at: string, body: object = {}): Promise<unknown> {
  const headers = { authorization: `Bearer ${sam.accessToken}` };
  const answer = await fetch(`${synapse.url}/_matrix/client/v3${at}`, { method, headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
  return answer.json();
}

type Ran = Awaited<ReturnType<typeof runQuietly>>;

const here = (name: string): string => path.join(folder, "here", name);
const read = (name: string): Promise<string> => readFile(here(name), "utf8");
function pull(room: string, token = sam.accessToken): Promise<Ran> {
  const args = ["files", "pull", "--room", room, "--into", here(""), "--homeserver", synapse.url];
  return runQuietly(args, { CREWROOM_ACCESS_TOKEN: token });
}
const pullAsBot = (room: string): Promise<Ran> =>
  runQuietly(["files", "pull", "--config", desk.path("crewroom.yaml"), "--room", room, "--into", here("")]);

async function filled(): Promise<{ place: TaskRoom; commits: readonly [Commit, Commit, Commit] }> {
  const place = await TaskRoom.open();
  const one = await place.commit("main", { "a.txt": "one\n" });
  const two = await place.commit("main", { "a.txt": "two\n", "b.bin": "\u0000\u0001" });
  const side = await place.commit("subtask/parser", { "a.txt": "two\n", "p.ts": "parse\n" });
  return { place, commits: [one, two, side] };
}

test("A person without a bridge pulls a task's files with their own token, and pulls again what is new", async () => {
  const { place, commits } = await filled();
  for (const commit of commits) await place.tell(commit);
  const [, two, side] = commits;
  await place.head(two.hash);
  const first = await pull(place.room);
  expect(first).toMatchObject({ code: 0, err: [] });
  expect(first.out.slice(-2)).toEqual([`main ${two.hash}`, `subtask/parser ${side.hash}`]);
  expect(first.out).toContain("bundles taken: 3 of 3");
  expect([await read("a.txt"), await read("b.bin")]).toEqual(["two\n", "\u0000\u0001"]);
  const three = await place.commit("main", { "a.txt": "three\n" });
  await place.tell(three);
  await place.head(three.hash);
  expect((await pull(place.room)).out).toContain(`main ${three.hash}`);
  expect(await read("a.txt")).toBe("three\n");
  expect(await git.text({ gitDir: here(".git"), workTree: here("") }, ["status", "--porcelain"])).toBe("");
  await writeFile(here("a.txt"), "mine\n");
  const four = await place.commit("main", { "a.txt": "four\n" });
  await place.tell(four);
  const refused = await pull(place.room);
  expect(refused.code).toBe(1);
  expect(refused.err.join("\n")).toMatch(/FILES_IN_THE_WAY.*\n- a\.txt/s);
  expect(await read("a.txt")).toBe("mine\n");
});

test("In any order, twice told, with a forged commit among them, the bot pulls the same, by the room's alias", async () => {
  const { place, commits } = await filled();
  const [one, two, side] = commits;
  for (const commit of [side, two, one, two, side]) await place.tell(commit);
  const forged = {
    v: 1,
    commit: "f".repeat(40),
    parents: [two.hash],
    branch: "main",
    by: bot,
    why: "turn",
    subject: "",
  };
  const part = { ...forged, ts: 1, changes: [], files: 0, added: 0, removed: 0 };
  const content = { msgtype: "m.notice", body: "📝", "dev.crewroom.commit": part };
  await asSam("PUT", `/rooms/${encodeURIComponent(place.room)}/send/m.room.message/forged`, content);
  const alias = "#crewroom-task-7:localhost";
  const directory = `/_matrix/client/v3/directory/room/${encodeURIComponent(alias)}`;
  await homeserver.request({ method: "PUT", path: directory, as: bot, body: { room_id: place.room } });
  const { code, out, err } = await pullAsBot(alias);
  expect({ code, err }).toEqual({ code: 0, err: [] });
  expect(out.slice(-2)).toEqual([`main ${two.hash}`, `subtask/parser ${side.hash}`]);
  expect(await read("a.txt")).toBe("two\n");
});

test("A commit whose message was redacted is named as missing, and what came before is kept", async () => {
  const { place, commits } = await filled();
  const [one, two, side] = commits;
  await place.tell(one);
  const told = await place.tell(two);
  await place.tell(side);
  await homeserver.redact(place.room, bot, told, uniqueName("redact"));
  await place.head(two.hash);
  const { code, err } = await pull(place.room);
  expect(code).toBe(1);
  expect(err.join("\n")).toMatch(/FILES_INCOMPLETE/);
  expect(err.join("\n")).toContain(two.hash);
  expect(err.join("\n")).not.toContain(one.hash);
  await place.tell(two);
  expect((await pull(place.room)).out.slice(-2)).toEqual([`main ${two.hash}`, `subtask/parser ${side.hash}`]);
});

test("Media that is gone is named, and media with other bytes is never used", async () => {
  const { place, commits } = await filled();
  const [one, two] = commits;
  await place.tell(one);
  const bundle = await place.bundleOf(two);
  const withMxc = (mxc: string): Bundle => ({
    ...bundle,
    parts: bundle.parts.map((part) => ({ ...part, mxc: mxc as typeof part.mxc })),
  });
  const told = await place.tell(two, withMxc("mxc://localhost/gone"));
  const gone = await pull(place.room);
  expect(gone.code).toBe(1);
  expect(gone.err.join("\n")).toMatch(new RegExp(`FILES_INCOMPLETE.*${two.hash}.*404`, "s"));
  await homeserver.redact(place.room, bot, told, uniqueName("redact"));

  const [part] = bundle.parts;
  if (part === undefined) throw new Error("no part");
  const { bytes } = await homeserver.download(part.mxc, part.size);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  await place.tell(two, withMxc(await homeserver.upload(bytes, "application/x-git-bundle", "x")));
  const damaged = await pull(place.room);
  expect(damaged.code).toBe(1);
  expect(damaged.err.join("\n")).toMatch(/FILES_DAMAGED: Part 1 of 1 .*SHA-256/);
  await expect(read("b.bin")).rejects.toMatchObject({ code: "ENOENT" });
});

test("What cannot be right is said before anything is asked or written", async () => {
  const room = asRoomId("!nowhere:localhost") ?? "";
  const usage = async (args: readonly string[], env: Record<string, string> = {}): Promise<string> => {
    const { code, err } = await runQuietly(["files", "pull", ...args], env);
    expect(code).toBe(2);
    return err[0] ?? "";
  };
  expect((await runQuietly(["files"])).err[0]).toContain("Did you mean crewroom files pull?");
  expect((await runQuietly(["files", "pull", "--help"])).out[0]).toContain("Usage: crewroom files pull [options]");
  expect(await usage([])).toContain("--room is missing");
  expect(await usage(["--room", room])).toContain("--into is missing");
  const to = ["--room", room, "--into", here("")];
  expect(await usage([...to, "--homeserver", synapse.url])).toContain("CREWROOM_ACCESS_TOKEN");
  expect(await usage([...to, "--homeserver", "matrix.example"], { CREWROOM_ACCESS_TOKEN: "x" })).toContain(
    "a URL like",
  );
  const wrong = await usage([...to, "--homeserver", synapse.url], { CREWROOM_ACCESS_TOKEN: "secret-token" });
  expect(wrong).toContain("does not know the access token");
  expect(wrong).not.toContain("secret-token");
  const { code, err } = await pull("#nothing:localhost");
  expect([code, err[0]]).toEqual([2, expect.stringContaining("there is no room #nothing:localhost")]);
  const outside = await homeserver.createRoom(bot, { preset: "private_chat" });
  expect(await pull(outside)).toMatchObject({
    code: 1,
    err: [expect.stringContaining("M_FORBIDDEN"), expect.anything()],
  });
  await expect(readdir(here(""))).rejects.toMatchObject({ code: "ENOENT" });
});
