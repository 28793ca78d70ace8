/** The commands and their options: parsing and `--help` both come from this table. */
import { auditKinds } from "../core/audit.ts";
import type { Given } from "./given.ts";
import type { ExitCode, Terminal } from "./terminal.ts";

export interface Option {
  /** How the value is called in the help; a switch has none. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  run(given: Given, terminal: Terminal): Promise<ExitCode>;
}

const config: Option = { value: "FILE", help: "the config; default crewroom.yaml" };

/** Each is imported only when it runs: `--help` and `register` must not wait for a bridge to load. */
export const commands: Readonly<Record<string, Command>> = {
  register: {
    help: "write the registration that the homeserver needs, with new tokens",
    options: {
      config,
      out: { value: "FILE", help: "where to write it; default appservice.registration of the config" },
      force: { help: "replace a registration that exists; its tokens end, its other keys stay" },
    },
    run: async (given, terminal) => (await import("./register.ts")).register(given, terminal),
  },
  check: {
    help: "check config, registration, store and homeserver; one line per finding",
    options: { config },
    run: async (given, terminal) => (await import("./check.ts")).check(given, terminal),
  },
  start: {
    help: "run the bridge until SIGTERM or Ctrl-C; prints `ready` when it serves",
    options: { config },
    run: async (given, terminal) => (await import("./start.ts")).start(given, terminal),
  },
  "files pull": {
    help: "put a task's files together from its room, and check each of them; again to update",
    options: {
      room: { value: "ROOM", help: "id or alias of the task's room" },
      into: { value: "DIR", help: "the folder for the files; it becomes a git repository" },
      config,
      homeserver: {
        value: "URL",
        help: "read as a person, without a config; their access token stands in CREWROOM_ACCESS_TOKEN",
      },
    },
    run: async (given, terminal) => (await import("./files.ts")).filesPull(given, terminal),
  },
  audit: {
    help: "show what happened and who decided it, also while the bridge runs",
    options: {
      config,
      task: { value: "N", help: "only of this task" },
      agent: { value: "ID", help: "only what this agent did, or what happened to it" },
      kind: { value: "KIND", help: `only of this kind: ${auditKinds.join(", ")}` },
      since: { value: "ISO", help: "only from this time on, like 2026-11-21 or 2026-11-21T09:30Z" },
      json: { help: "whole entries, one JSON object a line" },
      verify: { help: "check that the log is as it was written; prints its length and the hash of its head" },
    },
    run: async (given, terminal) => (await import("./audit.ts")).audit(given, terminal),
  },
  demo: {
    help: "play a crew of three on a homeserver of its own, without a model",
    options: {
      once: { help: "end when the conversation is done" },
      homeserver: { value: "URL", help: "use this homeserver instead of a local Synapse; needs --person" },
      person: { value: "MXID", help: "who may talk with the crew there, like @you:example.org" },
    },
    run: async (given) => (await import("./demo.ts")).demo(given),
  },
};
