/** `crewroom files pull`: a task's files from its room alone, on any host that can reach the homeserver. */
import { resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import { CrewError } from "../core/errors.ts";
import { asRoomAlias, asRoomId, type RoomId } from "../core/ids.ts";
import { createGit, type Git } from "../files/git.ts";
import { pullInto } from "../files/pull.ts";
import { BundleStore } from "../matrix/bundles.ts";
import { readCommitEvents, type RoomReader } from "../matrix/commit-events.ts";
import { createHomeserver, type Homeserver } from "../matrix/homeserver.ts";
import { readRegistration } from "../matrix/registration-file.ts";
import { configFile, text, type Given } from "./given.ts";
import { PulledFolder } from "./pulled-folder.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

const tokenName = "CREWROOM_ACCESS_TOKEN";
const timeoutMs = 60_000;
/** Bundles between two lines of progress. */
const linesApart = 25;
/** A person waits in front of it. */
const retry = { maxWaitMs: 10_000, attempts: 5 };

export async function filesPull(given: Given, terminal: Terminal): Promise<ExitCode> {
  const wanted = need(given, "room", "the room's id or alias");
  const into = resolve(need(given, "into", "the folder to put the files into"));
  const { signal } = new AbortController();
  const { homeserver, git } = await accessOf(given, terminal);
  const room = await roomOf(homeserver, wanted);
  const say = (line: string): void => terminal.out(line);
  const reader: RoomReader = { request: (asked) => homeserver.request(asked), retry };
  const { events, head, task, malformed } = await readCommitEvents(reader, room, signal, say);
  if (malformed > 0) say(`messages about commits that this version of Crewroom cannot read: ${malformed}`);
  if (events.length === 0) say("the room has no commits yet");

  const folder = await PulledFolder.open(git, into, room);
  const bundles = new BundleStore({ homeserver, retry });
  const heads = head === undefined ? {} : { main: head.commit };
  const { repository, branches } = await pullInto(
    git,
    folder.store,
    task,
    events,
    heads,
    (bundle, file) => bundles.get(bundle, file, signal),
    (done, all) => {
      if (done === all || done % linesApart === 0) say(`bundles taken: ${done} of ${all}`);
    },
  );
  for (const kept of await folder.update(repository, branches)) say(kept);
  for (const branch of Object.keys(branches).toSorted()) say(`${branch} ${branches[branch] ?? ""}`);
  return 0;
}

function need(given: Given, option: string, what: string): string {
  const value = text(given, option);
  if (value !== undefined && value !== "") return value;
  throw invalid(`--${option} is missing: ${what}.`);
}

function invalid(reason: string, cause?: unknown): CrewError {
  return new CrewError("COMMAND_INVALID", { reason: `crewroom files pull: ${reason}` }, cause);
}

/** As the bot with the config; with `--homeserver` as the person whose token stands in the environment. */
async function accessOf(given: Given, terminal: Terminal): Promise<{ homeserver: Homeserver; git: Git }> {
  const address = text(given, "homeserver");
  if (address === undefined) {
    const { config } = await loadConfig(configFile(given), { env: terminal.env });
    const { as_token: asToken } = await readRegistration(config.appservice.registration);
    const homeserver = createHomeserver({ ...config.homeserver, asToken, timeoutMs });
    return { homeserver, git: createGit(config.files.git) };
  }
  const { protocol } = URL.parse(address) ?? {};
  if (protocol !== "https:" && protocol !== "http:") {
    throw invalid("--homeserver needs a URL like https://matrix.example.org.");
  }
  const asToken = terminal.env[tokenName];
  if (asToken === undefined || asToken === "") {
    throw invalid(`--homeserver needs your access token in the environment variable ${tokenName}.`);
  }
  const homeserver = createHomeserver({ address, domain: "", asToken, timeoutMs });
  try {
    await homeserver.whoami();
  } catch (thrown) {
    if (!(thrown instanceof CrewError) || thrown.code !== "TOKEN_UNKNOWN") throw thrown;
    throw invalid(`the homeserver does not know the access token in ${tokenName}.`, thrown);
  }
  return { homeserver, git: createGit() };
}

async function roomOf(homeserver: Homeserver, wanted: string): Promise<RoomId> {
  const alias = asRoomAlias(wanted);
  const room = alias === undefined ? asRoomId(wanted) : await homeserver.resolveAlias(alias);
  if (room !== undefined) return room;
  throw invalid(alias === undefined ? `${wanted} is no id or alias of a room.` : `there is no room ${wanted}.`);
}
