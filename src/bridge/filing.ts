/** Tasks' files, joined with the rooms, the media store and the sandbox. */
import { open, rm } from "node:fs/promises";
import path from "node:path";
import { policyOf } from "../config/policy-rules.ts";
import type { Config } from "../config/schema.ts";
import { asCrewError, CrewError } from "../core/errors.ts";
import type { FilesJobEffect, PublishCommit } from "../core/files.ts";
import {
  type AgentId,
  agentUserId,
  asMxcUri,
  botUserId,
  type EventId,
  localpartOf,
  type RoomId,
  type UserId,
} from "../core/ids.ts";
import { hasWayOut } from "../core/policy.ts";
import { pullInto } from "../files/pull.ts";
import { makeBundle } from "../files/bundle.ts";
import { factsOf } from "../files/changes.ts";
import { Files } from "../files/files.ts";
import { createGit } from "../files/git.ts";
import type { JobMedia } from "../files/looks.ts";
import type { Author, Sandbox } from "../files/port.ts";
import { openSandbox } from "../files/sandbox/sandbox.ts";
import { createSecretScanner } from "../files/secrets.ts";
import type { BundleStore } from "../matrix/bundles.ts";
import { readCommitEvents } from "../matrix/commit-events.ts";
import { commitMessage } from "../matrix/commit-message.ts";
import type { Homeserver } from "../matrix/homeserver.ts";
import type { Messenger } from "../matrix/messenger.ts";
import { retrying, type RetryOptions } from "../matrix/retry.ts";
import type { Logger } from "../observe/log.ts";
import type { Rooms } from "../rooms/rooms.ts";

export interface FilingOptions {
  readonly config: Config;
  readonly rooms: Rooms;
  readonly homeserver: Homeserver;
  readonly bundles: BundleStore;
  readonly messenger: () => Messenger;
  readonly retry: Omit<RetryOptions, "signal" | "attempts">;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** The files of all tasks, and the effects that are about them. */
export interface Filing extends AsyncDisposable {
  readonly files: Files;
  job(room: RoomId, effect: FilesJobEffect, signal: AbortSignal): Promise<void>;
  /** Resolves with the message that tells of the commit. */
  publish(room: RoomId, effect: PublishCommit, signal: AbortSignal): Promise<EventId | undefined>;
}

export function createFiling(options: FilingOptions): Filing {
  const { config, rooms, homeserver, bundles, retry, signal, log } = options;
  const server = config.homeserver.domain;
  const bot = botUserId(server);
  const git = createGit(config.files.git);
  const names = new Map(config.agents.map(({ id, name }) => [id as string, name]));
  const author = (id: AgentId | UserId): Author =>
    isUser(id)
      ? { id, name: id === bot ? config.bot.name : localpartOf(id), user: id }
      : { id, name: names.get(id) ?? id, user: agentUserId(id, server) };

  const media: JobMedia = {
    async fetch(mxc, into, maxBytes, call) {
      const address = asMxcUri(mxc);
      if (address === undefined) throw new CrewError("INTERNAL", { reason: "the file has no media address" });
      const once = async (): Promise<void> => {
        await using file = await open(into, "w", 0o600);
        await homeserver.downloadInto(address, maxBytes, async (chunk) => void (await file.write(chunk)), {
          signal: call,
        });
      };
      await retrying(once, { ...retry, signal: call });
    },
    put: (...asked) => bundles.putFile(...asked),
  };

  const files = new Files({
    bridge: {
      state: (room) => rooms.lane(room).state,
      put: async (room, input) => {
        const { reply } = await rooms.put(room, input);
        return reply === undefined ? {} : { reply };
      },
      author,
      bot: author(bot),
      now: options.now,
      log,
    },
    git,
    settings: {
      fileBytes: config.files.file_bytes,
      commitBytes: config.files.commit_bytes,
      quietMs: config.files.quiet_ms,
      quietMostMs: config.files.quiet_most_ms,
      diffBytes: config.files.diff_bytes,
      ignore: config.files.ignore,
      withdrawn: config.files.withdrawn,
      askDeleted: config.files.ask_deleted,
    },
    secretIn: createSecretScanner().secretIn,
    data: config.data,
    readable: config.sandbox.readable,
    sandbox: sandboxOf(options),
    media,
    rebuild: async (room, folder, task, ends) => {
      log.warn({ room, task }, "the task's files are not on this host; they are put together from the room");
      const { events, head } = await readCommitEvents(
        { request: (asked) => homeserver.request(asked), retry },
        room,
        ends,
      );
      await pullInto(
        git,
        folder,
        task,
        events,
        head === undefined ? {} : { main: head.commit },
        (bundle, into) => bundles.get(bundle, into, ends),
        (done, all) => log.info({ room, task, done, all }, "commits taken from the room"),
      );
    },
    signal,
  });

  return {
    files,

    async job(room, effect, ends) {
      const result = await files.job(room, effect, ends);
      await rooms.put(room, { kind: "filesDone", effect: effect.id, result });
    },

    async publish(room, effect, ends) {
      const { commit, full = false, thread } = effect;
      const task = await files.repositoryOf(room);
      const { repository } = task;
      // History was rewritten meanwhile: what is there now is told in full.
      if (!(await repository.has(commit.hash))) return undefined;
      const needs = full ? [] : commit.parents.filter((parent) => parent !== repository.root);
      const into = await task.temporary(`${commit.hash}.bundle`);
      try {
        // Not while history is rewritten.
        const [facts, file] = await task.exclusive(async () => [
          // What a merge brings was shown when it was made.
          await factsOf(git, repository, commit, commit.why === "merge" ? 0 : config.files.diff_bytes),
          await makeBundle(git, repository, commit.hash, needs, into),
        ]);
        const who = author(commit.by);
        const placement = thread === undefined ? {} : { thread };
        const names = { by: who.name, user: who.user };
        const [bundle, content] = (await unlessTooLarge(log, async () => {
          const put = await bundles.put(file, `${commit.hash.slice(0, 10)}.bundle`, ends);
          return [put, commitMessage(facts, put, names, placement)] as const;
        })) ?? [undefined, commitMessage(facts, undefined, names, placement)];
        const message = await options.messenger().publish(room, effect.as, effect.id, content, ends);
        const told = { kind: "published", commit: commit.hash, branch: commit.branch, message } as const;
        await rooms.put(room, bundle === undefined ? told : { ...told, bundle });
        return message;
      } finally {
        await rm(into, { force: true });
      }
    },

    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  };
}

function isUser(id: AgentId | UserId): id is UserId {
  return id.startsWith("@");
}

/** A commit that the media store does not take is told all the same; other hosts then cannot fetch it. */
async function unlessTooLarge<T>(log: Logger, put: () => Promise<T>): Promise<T | undefined> {
  try {
    return await put();
  } catch (thrown) {
    const error = asCrewError(thrown);
    if (error.code !== "MEDIA_TOO_LARGE") throw thrown;
    log.error({ reason: error.message }, "a commit is told without its bundle");
    return undefined;
  }
}

/** Tried out when the first command is to run, and again as long as none works. */
function sandboxOf({ config, log }: FilingOptions): () => Promise<Sandbox> {
  const { sandbox } = config;
  let opened: Promise<Sandbox> | undefined;
  return () => {
    opened ??= openSandbox({
      mode: sandbox.mode,
      network: hasWayOut(policyOf(config)),
      seconds: sandbox.seconds,
      memoryBytes: sandbox.memory_mib * 1024 * 1024,
      processes: sandbox.processes,
      outputBytes: sandbox.output_bytes,
      hidden: hiddenFrom(config),
      env: sandbox.env,
      log,
    });
    opened.catch(() => (opened = undefined));
    return opened;
  };
}

function hiddenFrom({ data, store, appservice }: Config): readonly string[] {
  const database = /^sqlite:(?!:memory:)(.*)$/s.exec(store)?.[1];
  const { registration } = appservice;
  return [data, registration, path.dirname(registration), ...(database === undefined ? [] : [database])];
}
