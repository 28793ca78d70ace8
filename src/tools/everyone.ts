/** What every agent can do beside `send_message`: ask people, tell how far it is, and look around. */
import { z } from "zod";
import { effectOf } from "./context.ts";
import { defineTool } from "./define.ts";
import { words } from "./fields.ts";

/** As many as there are digits to tap on. */
const mostOptions = 9;

export const askHuman = defineTool({
  name: "ask_human",
  help: "Asks the people of the room a question that they answer by a tap on one of your options, or in words.",
  more: "The answer comes later as a message: do other work meanwhile, or end your turn.",
  takes: `question and, optionally, options (a list of at most ${mostOptions} short answers to choose from)`,
  refused: "asked",
  input: z.strictObject({
    question: words(4_000),
    options: z
      .array(words(100))
      .max(mostOptions, { error: `has more than ${mostOptions} items` })
      .optional(),
  }),
  run: async ({ question, options = [] }, { context, call }) =>
    context.acts(call.turn, effectOf(call), { kind: "ask", question, options }),
});

export const reportProgress = defineTool({
  name: "report_progress",
  help: "Tells how far your work is, without ending it.",
  takes: "text and, optionally, percent (0 to 100)",
  refused: "reported",
  input: z.strictObject({ text: words(2_000), percent: z.number().min(0).max(100).optional() }),
  run: async ({ text, percent }, { context, call }) =>
    context.acts(call.turn, effectOf(call), {
      kind: "progress",
      text,
      ...(percent === undefined ? {} : { percent }),
    }),
});

export const getTask = defineTool({
  name: "get_task",
  help: "Shows the task of this room, its subtasks and what you may do.",
  takes: "no arguments",
  refused: "read",
  input: z.strictObject({}),
  run: async (_, { context, call }) => context.acts(call.turn, effectOf(call), { kind: "look" }),
});

const usualMessages = 20;
const mostMessages = 50;

export const readRoom = defineTool({
  name: "read_room",
  help: "Shows the newest messages of this room, or of the thread that you work in.",
  takes: `optionally limit (1 to ${mostMessages}; ${usualMessages} without it)`,
  refused: "read",
  input: z.strictObject({ limit: z.int().min(1).max(mostMessages).optional() }),
  run: async ({ limit = usualMessages }, { context, call }) => context.reads(call.turn, effectOf(call), limit),
});
