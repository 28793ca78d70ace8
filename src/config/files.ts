/** `files` and `sandbox`: what of a task's files is recorded and how, and what agents' commands can reach. */
import { z } from "zod";
import { count, duration, longest } from "./fields.ts";

const mebibyte = 1024 * 1024;

/** What a timer can hold. */
const longestMs = longest.seconds * 1000;

/** What programs make anew by themselves. Names that somebody may give to a result (`build`, `dist`, `target`) are not here. */
const madeAnew = [
  "node_modules/",
  "__pycache__/",
  "*.pyc",
  ".venv/",
  "venv/",
  ".pytest_cache/",
  ".mypy_cache/",
  ".ruff_cache/",
  ".DS_Store",
  "Thumbs.db",
];

const pattern = z.string().refine((text) => text.trim() !== "" && !/[\0\r\n]/.test(text) && !text.startsWith("#"), {
  error: "is no pattern; write one as a line of a .gitignore file, like node_modules/",
});

export const files = z
  .strictObject({
    file_bytes: count(1)
      .default(50 * mebibyte)
      .describe("Largest file that is recorded or written by an agent's tool; the room is told of a larger one."),
    commit_bytes: count(1)
      .default(256 * mebibyte)
      .describe("Most that one commit may add; what is over it stays behind, and the room is told."),
    quiet_ms: count(0)
      .max(longestMs, { error: `is more than ${longestMs}` })
      .default(1000)
      .describe("While a turn runs, a change is recorded after so long without another one."),
    quiet_most_ms: count(0)
      .max(longestMs, { error: `is more than ${longestMs}` })
      .default(10_000)
      .describe("A change is recorded at the latest after so long, though others follow it."),
    diff_bytes: count(0).default(4000).describe("A longer diff is left out of the room's message about a commit."),
    ignore: z
      .array(pattern)
      .default(madeAnew)
      .describe(
        "Patterns as in .gitignore of what is never recorded, beside a task's own .gitignore. The default names what " +
          "programs make anew by themselves; build, dist and target are not in it, since they may hold what was asked for.",
      ),
    ask_deleted: count(0)
      .default(20)
      .describe("A person is asked before an agent deletes a folder with more files than that."),
    withdrawn: z
      .enum(["keep", "purge"])
      .default("keep")
      .describe(
        "When a person redacts an uploaded file, it is taken out of the task's files; keep: older commits still have it; " +
          "purge: history is written anew without it, and every commit since gets a new name.",
      ),
    git: z.string().min(1).default("git").describe("The git program, 2.38 or newer: a name in the PATH or a path."),
  })
  .refine(({ quiet_ms, quiet_most_ms }) => quiet_ms <= quiet_most_ms, {
    path: ["quiet_most_ms"],
    error: "is less than quiet_ms",
  })
  .prefault({});

const host = z.string().regex(/^(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?$/, {
  error:
    "is not the name of a host; write it in lower case, like registry.example.org, *.example.org or example.org:8080",
});

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
  error: "is not the name of an environment variable; write it like LANG, without a value",
});

export const sandbox = z
  .strictObject({
    mode: z
      .enum(["required", "none"])
      .default("required")
      .describe(
        "required: agents' commands run in a sandbox, and are refused where there is none; none: without any wall, with " +
          "all rights of the user that runs Crewroom.",
      ),
    network: z
      .array(host)
      .default([])
      .describe(
        "Hosts that commands can reach, by name, *.example.org for all below one, on the ports 80 and 443 or one that is " +
          "given (:8080); none by default. A policy rule about the tool network can ask a person, or say who may.",
      ),
    seconds: duration(longest.seconds).default(120).describe("A command that takes longer is ended."),
    memory_mib: count(16).default(1024).describe("Most memory of a command and all that it starts, in MiB."),
    processes: count(1).default(128).describe("Most processes of a command at the same time."),
    output_bytes: count(1)
      .default(30_000)
      .describe("Of a longer output, an agent gets the beginning and the end; it is sent to its model."),
    readable: z
      .array(z.string().min(1))
      .default([])
      .describe("Folders that commands can read beside the task's files and the system's programs."),
    env: z
      .array(variable)
      .default([])
      .describe("Names of environment variables that commands get from Crewroom's own; never a secret's."),
  })
  .prefault({});
