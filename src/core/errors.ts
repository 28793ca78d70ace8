/**
 * The closed set of Crewroom's errors. `docs/errors.md` is generated from {@link errorTable}; a new failure is first
 * added here, then thrown with {@link CrewError}. `{name}` in a sentence is filled from the error's details.
 */

/** What the thrower knows about an error before it happens. */
export interface ErrorKind {
  /** One sentence for a person. Placeholders in braces are filled from `details`. */
  readonly sentence: string;
  /** What that person can do about it. */
  readonly todo: string;
  /** `true` when the action certainly did not happen; `false` when it may have happened all the same. */
  readonly certain: boolean;
  /** Where it is told: in the room it concerns, to the operator (log, HQ), or as an HTTP answer. */
  readonly told: "room" | "operator" | "caller";
}

export const errorTable = {
  // Configuration and start
  CONFIG_INVALID: {
    sentence: "The config {file} has {count} problem(s):\n{problems}",
    todo: "Correct the lines named above, then run `crewroom check`.",
    certain: true,
    told: "operator",
  },
  CONFIG_UNREADABLE: {
    sentence: "The config {file} cannot be read: {reason}.",
    todo: "Give the path of an existing file with --config, or copy config/crewroom.yaml as a start.",
    certain: true,
    told: "operator",
  },
  PERMISSIONS_SAMPLE: {
    sentence: "The config's permissions still name the sample's people and homeservers: {names}.",
    todo: "Under `permissions`, grant your own Matrix id admin and your own homeserver what its people may do.",
    certain: true,
    told: "operator",
  },
  REGISTRATION_INVALID: {
    sentence: "The registration {file} cannot be used: {reason}.",
    todo: "Make one with `crewroom register` (`crewroom register --force` to replace it), install it in the homeserver, and restart the homeserver.",
    certain: true,
    told: "operator",
  },
  REGISTRATION_EXISTS: {
    sentence: "{file} exists already, and the homeserver may be using its tokens.",
    todo: "Give another path with --out, or add --force to replace its tokens.",
    certain: true,
    told: "operator",
  },
  REGISTRATION_UNWRITABLE: {
    sentence: "The registration {file} cannot be written: {reason}.",
    todo: "Give a path in a folder that exists and that you may write to with --out.",
    certain: true,
    told: "operator",
  },
  STORE_LOCKED: {
    sentence: "Another bridge is already running on the store {store}{holder}.",
    todo: "Stop the other bridge first: two bridges on one store would answer everything twice.",
    certain: true,
    told: "operator",
  },
  STORE_UNUSABLE: {
    sentence: "The store {store} cannot be used: {reason}.",
    todo: "Check the `store` key, the disk and the permissions of the file or server it names.",
    certain: false,
    told: "operator",
  },
  AUDIT_BROKEN: {
    sentence: "The audit log is not as it was written, from entry {n} on: {why}.",
    todo: "What stands before that entry is sound. docs/audit.md tells what it may mean and what to compare with.",
    certain: true,
    told: "operator",
  },
  PORT_TAKEN: {
    sentence: "Cannot listen on {hostname}:{port}: {reason}.",
    todo: "Choose another appservice.port (and the same in appservice.address), or end the program that uses it.",
    certain: true,
    told: "operator",
  },
  // The homeserver
  HOMESERVER_UNREACHABLE: {
    sentence: "The homeserver at {address} does not answer: {reason}.",
    todo: "Check homeserver.address and that the homeserver runs. Crewroom keeps everything and goes on by itself.",
    certain: false,
    told: "operator",
  },
  HOMESERVER_REFUSED: {
    sentence: "The homeserver refused {what}: {status} {errcode} {reason}.",
    todo: "Read the reason; if it names a permission, give the agent or bot that power in the room.",
    certain: true,
    told: "room",
  },
  TOKEN_UNKNOWN: {
    sentence: "The homeserver does not know this bridge's token.",
    todo: "Add the registration to app_service_config_files in homeserver.yaml and restart the homeserver.",
    certain: true,
    told: "operator",
  },
  ROOM_UNVERIFIED: {
    sentence: "The room {room} does not name {old} as its predecessor, so it may not be its replacement.",
    todo: "Invite the agents to the new room if it is the right one.",
    certain: true,
    told: "room",
  },
  MEDIA_TOO_LARGE: {
    sentence: "The file {name} has {size} bytes; the limit is {limit}.",
    todo: "Send a smaller file, or raise limits.attachment_bytes.",
    certain: true,
    told: "room",
  },
  // Ingress
  BODY_TOO_LARGE: {
    sentence: "The request's body has more than {limit} bytes.",
    todo: "Raise limits.transaction_bytes if the homeserver really sends such transactions.",
    certain: true,
    told: "caller",
  },
  BODY_INVALID: {
    sentence: "The request's body is not what the application service API allows: {reason}.",
    todo: "Only a homeserver should call this address.",
    certain: true,
    told: "caller",
  },
  // Models and runtimes
  MODEL_UNREACHABLE: {
    sentence: "The model {model} does not answer: {reason}.",
    todo: "Check models.{name}.base_url and the network, then say it again.",
    certain: false,
    told: "room",
  },
  MODEL_REFUSED: {
    sentence: "The model {model} refused the request: {reason}.",
    todo: "Check models.{name}: its key, its model name and its quota.",
    certain: true,
    told: "room",
  },
  MODEL_OVERLOADED: {
    sentence: "The model {model} is overloaded or out of quota: {reason}.",
    todo: "Wait a little and say it again, or choose another model for this agent.",
    certain: true,
    told: "room",
  },
  MODEL_NONSENSE: {
    sentence: "The model {model} answered something that cannot be read: {reason}.",
    todo: "Say it again; if it stays, check that models.{name}.base_url speaks the OpenAI chat completions API.",
    certain: false,
    told: "room",
  },
  CONTEXT_EXCEEDED: {
    sentence: "This message alone has more than the {context} tokens that the model {model} can take.",
    todo: "Send a shorter message, or raise models.{name}.context if the model really takes more.",
    certain: true,
    told: "room",
  },
  TURN_TIMED_OUT: {
    sentence: "The turn was stopped after {seconds} s without an end.",
    todo: "Say it again in smaller steps, or raise limits.turn_seconds.",
    certain: false,
    told: "room",
  },
  RUNTIME_FAILED: {
    sentence: "The runtime {runtime} failed: {reason}.",
    todo: "Say it again; the log has the details under the turn's id.",
    certain: false,
    told: "room",
  },
  TOOL_REFUSED: {
    sentence: "{reason}",
    todo: "{todo}",
    certain: true,
    told: "caller",
  },
  TOOLS_UNSERVED: {
    sentence: "The tools cannot be offered to runtimes on {hostname}:{port}: {reason}.",
    todo: "See which program uses this address, and whether this one may listen on the loopback interface.",
    certain: true,
    told: "operator",
  },
  // Files
  GIT_MISSING: {
    sentence: "The program {program} is not installed; tasks' files need it.",
    todo: "Install git 2.38 or newer (Debian: `apt-get install git`), then start Crewroom again.",
    certain: true,
    told: "operator",
  },
  GIT_TOO_OLD: {
    sentence: "git {version} is too old for tasks' files; Crewroom needs {least} or newer.",
    todo: "Update git, then start Crewroom again.",
    certain: true,
    told: "operator",
  },
  GIT_FAILED: {
    sentence: "git {command} failed: {reason}.",
    todo: "The files are as they were. If it does not pass, look at the task's repository under `data`.",
    certain: false,
    told: "room",
  },
  FILES_FULL: {
    sentence: "The disk of the task's files is full: {reason}.",
    todo: "Make room under `data`; what was not recorded is recorded with the next change.",
    certain: false,
    told: "room",
  },
  FILES_MOVED: {
    sentence: "{branch} is not where it was expected: somebody else moved it.",
    todo: "Nothing is lost. Look at the file again, and repeat what you wanted.",
    certain: true,
    told: "room",
  },
  FILES_HELD: {
    sentence: "It cannot be taken out of history yet, for it is still held by {held}.",
    todo: "End what works on it, then ask again. Nothing was changed.",
    certain: true,
    told: "room",
  },
  FILES_INCOMPLETE: {
    sentence: "The files cannot be put together from the room:\n{missing}",
    todo: "Look whether the messages named above were removed, or their media deleted, and ask who has them to send them again.",
    certain: true,
    told: "operator",
  },
  FILES_DAMAGED: {
    sentence: "{what} is not what its message says: {reason}.",
    todo: "It was not used. Fetch it again; if that does not help, the media store has damaged or replaced it.",
    certain: true,
    told: "operator",
  },
  FILES_IN_THE_WAY: {
    sentence: "These files in {folder} are not as the room had them, and would be overwritten:\n{files}",
    todo: "Commit them on a branch of your own, or put them aside, then pull again. Nothing was changed.",
    certain: true,
    told: "operator",
  },
  FILE_REFUSED: {
    sentence: "{path} cannot be used: {reason}.",
    todo: "Give a path inside the task's files, such as src/main.ts.",
    certain: true,
    told: "room",
  },
  SANDBOX_MISSING: {
    sentence: "Commands cannot be shut in on this machine: {reason}.",
    todo: "{install} Or, at your own risk, set `sandbox.mode: none` in the config.",
    certain: true,
    told: "room",
  },
  SANDBOX_FAILED: {
    sentence: "The command could not be started in its sandbox: {reason}.",
    todo: "It did not run. Try it again; if it stays, `crewroom check` tells what the sandbox needs.",
    certain: true,
    told: "room",
  },

  // Rehearsal and demo
  REHEARSAL_INVALID: {
    sentence: "The rehearsal script {file} cannot be played: {reason}.",
    todo: "Correct the script; docs/rehearsal.md describes its keys.",
    certain: true,
    told: "operator",
  },
  PYTHON_MISSING: {
    sentence: "The demo needs Python 3.10 or newer with venv, to run a local Synapse: {reason}.",
    todo: "Install it (Debian, Ubuntu: apt install python3-venv; macOS: brew install python), or use your own homeserver with --homeserver URL.",
    certain: true,
    told: "operator",
  },
  SYNAPSE_FAILED: {
    sentence: "The local Synapse did not start: {reason}.",
    todo: "Read {log}; delete the folder named there to begin anew.",
    certain: true,
    told: "operator",
  },
  SYNAPSE_ENDED: {
    sentence: "The local Synapse ended by itself: {reason}.",
    todo: "Read {log}, then start again: it goes on with its data.",
    certain: true,
    told: "operator",
  },
  COMMAND_INVALID: {
    sentence: "{reason}",
    todo: "`crewroom --help` lists the commands and options.",
    certain: true,
    told: "operator",
  },
  INTERNAL: {
    sentence: "Something in Crewroom itself went wrong: {reason}.",
    todo: "Please report it with the log lines around it. Crewroom goes on running.",
    certain: false,
    told: "operator",
  },
} as const satisfies Record<string, ErrorKind>;

/** The stable code of an error, the same in logs, rooms, metrics and `docs/errors.md`. */
export type ErrorCode = keyof typeof errorTable;

export type ErrorDetails = Readonly<Record<string, string | number>>;

function fill(template: string, details: ErrorDetails): string {
  return template.replace(/\{(\w+)\}/g, (whole, key: string) => String(details[key] ?? whole));
}

/** Every failure that Crewroom throws on purpose. `message` is the sentence for a person, already filled. */
export class CrewError extends Error {
  override readonly name = "CrewError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, cause?: unknown) {
    super(fill(errorTable[code].sentence, details), cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** What a person can do about it. */
  get todo(): string {
    return fill(errorTable[this.code].todo, this.details);
  }

  get kind(): ErrorKind {
    return errorTable[this.code];
  }
}

/** A short reason for a sentence, whatever was thrown: no stack, no newline, the innermost cause of a failed fetch. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof CrewError) return thrown.message;
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause instanceof Error ? thrown.cause : undefined;
  const told = cause !== undefined && thrown.message === "fetch failed" ? reasonOf(cause) : thrown.message;
  return (told || thrown.name).split("\n", 1)[0] ?? thrown.name;
}

/** Wraps anything thrown as a {@link CrewError}: one of ours as it is, everything else as `INTERNAL`. */
export function asCrewError(thrown: unknown): CrewError {
  return thrown instanceof CrewError ? thrown : new CrewError("INTERNAL", { reason: reasonOf(thrown) }, thrown);
}
