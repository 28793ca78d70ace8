/**
 * What agents can do with the task's files. Runtimes with file tools of their own need only what those cannot know: the
 * history. Where a path leads and who may change what, the files decide.
 */
import { z } from "zod";
import { effectOf } from "./context.ts";
import { defineTool } from "./define.ts";

const why = z.string().optional().describe("For who is asked.");
const reasoned = (why: string | undefined): { readonly why?: string } => (why === undefined ? {} : { why });

const path = z.string().refine((text) => text.trim() !== "", { error: "is empty" });

export const listFiles = defineTool({
  name: "list_files",
  help: "Lists the task's files, or those in one folder.",
  takes: "optionally path (a folder)",
  refused: "read",
  input: z.strictObject({ path: z.string().optional() }),
  run: async ({ path = "" }, { context, call }) =>
    context.works(call.turn, effectOf(call), { kind: "list", path }, call.signal),
});

export const fileHistory = defineTool({
  name: "file_history",
  help: "Shows who changed a file, when and in which commit, also of a deleted file.",
  takes: "path",
  refused: "read",
  input: z.strictObject({ path }),
  run: async ({ path }, { context, call }) =>
    context.works(call.turn, effectOf(call), { kind: "history", path }, call.signal),
});

export const restoreFile = defineTool({
  name: "restore_file",
  help: "Brings a file back as it was in a commit.",
  takes: "path and commit (file_history shows them)",
  refused: "restored",
  input: z.strictObject({
    path,
    commit: z
      .string()
      .trim()
      .refine((text) => text !== "", { error: "is empty" }),
  }),
  run: async ({ path, commit }, { context, call }) =>
    context.works(call.turn, effectOf(call), { kind: "restore", path, commit }, call.signal),
});

export const readFile = defineTool({
  name: "read_file",
  help: "Reads a text file, or a part of it.",
  takes: "path and, optionally, from (its first line, counted from 1) and lines (how many)",
  refused: "read",
  input: z.strictObject({
    path,
    from: z.number().optional().describe("First line."),
    lines: z.number().optional(),
  }),
  run: async ({ path, from, lines }, { context, call }) =>
    context.works(
      call.turn,
      effectOf(call),
      {
        kind: "read",
        path,
        ...(from === undefined ? {} : { from: Math.trunc(from) }),
        ...(lines === undefined ? {} : { lines: Math.trunc(lines) }),
      },
      call.signal,
    ),
});

export const writeFile = defineTool({
  name: "write_file",
  help: "Writes a whole file, new or in place of another.",
  takes: "path and content",
  refused: "written",
  input: z.strictObject({ path, content: z.string() }),
  run: async ({ path, content }, { context, call }) =>
    context.works(call.turn, effectOf(call), { kind: "write", path, content }, call.signal),
});

export const editFile = defineTool({
  name: "edit_file",
  help: "Replaces old, which must occur exactly once in the file, by new.",
  takes: "path, old and new",
  refused: "written",
  input: z.strictObject({ path, old: z.string(), new: z.string() }),
  run: async ({ path, old, new: text }, { context, call }) =>
    context.works(call.turn, effectOf(call), { kind: "edit", path, old, new: text }, call.signal),
});

export const deleteFile = defineTool({
  name: "delete_file",
  help: "Deletes a file, or a folder with all in it when path ends with /.",
  takes: "path and, optionally, why",
  refused: "deleted",
  input: z.strictObject({ path, why }),
  run: async ({ path, why }, { context, call }) =>
    context.works(call.turn, effectOf(call), { kind: "delete", path, ...reasoned(why) }, call.signal),
});

export const runCommand = defineTool({
  name: "run_command",
  help: "Runs a shell command in the folder of the files.",
  takes: "command and, optionally, why",
  refused: "run",
  input: z.strictObject({ command: z.string().refine((text) => text.trim() !== "", { error: "is empty" }), why }),
  run: async ({ command, why }, { context, call }) =>
    context.works(call.turn, effectOf(call), { kind: "run", command, ...reasoned(why) }, call.signal),
});
