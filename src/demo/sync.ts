/** The parts of an answer of `/sync` that the demo reads. */
import { z } from "zod";

const eventSchema = z.object({
  type: z.string(),
  sender: z.string().default(""),
  event_id: z.string().default(""),
  state_key: z.string().optional(),
  origin_server_ts: z.number().default(0),
  content: z.record(z.string(), z.unknown()).default({}),
});
const eventsSchema = z.object({ events: z.array(eventSchema).default([]) }).prefault({});
export const syncSchema = z.object({
  next_batch: z.string(),
  rooms: z
    .object({
      join: z
        .record(z.string(), z.object({ state: eventsSchema, timeline: eventsSchema, ephemeral: eventsSchema }))
        .default({}),
      /** With the few state events that somebody who is invited may see. */
      invite: z.record(z.string(), z.object({ invite_state: eventsSchema })).default({}),
    })
    .prefault({}),
});
export type Sync = z.output<typeof syncSchema>;
export type SyncEvent = z.output<typeof eventSchema>;

/** What an event relates to. */
export const relationSchema = z
  .object({
    "m.relates_to": z.object({
      rel_type: z.string().optional(),
      event_id: z.string().optional(),
      key: z.string().optional(),
      "m.in_reply_to": z.object({ event_id: z.string() }).optional().catch(undefined),
    }),
  })
  .transform((content) => content["m.relates_to"]);

/** The typed part of a message about a task: what it tells, and of which subtask. */
const actionSchema = z.object({
  kind: z.string(),
  subtask: z.string().optional(),
  /** Of a task that was opened. */
  room: z.string().optional(),
  verdict: z.string().optional(),
  issues: z.array(z.string()).default([]),
});
export type TypedAction = z.output<typeof actionSchema>;

/** The typed part of a question to people. */
const approvalSchema = z.object({
  id: z.string(),
  /** What is asked about: `plan`, `final`, … */
  matter: z.string(),
  /** `open`, or how it ended. */
  state: z.string(),
  /** The reactions that answer it. */
  options: z
    .array(z.object({ id: z.string().default(""), key: z.string(), label: z.string().default("") }))
    .default([]),
  /** What answered it: the id of an option, or another word. */
  option: z.string().optional(),
  /** Who answered it. */
  by: z.string().optional(),
});
export type TypedApproval = z.output<typeof approvalSchema>;

/** The typed part of a message about a commit: what has changed in the task's files, and where. */
const commitSchema = z.object({
  commit: z.string(),
  branch: z.string(),
  why: z.string(),
  subtask: z.string().optional(),
  /** Not all of them, when there are many. */
  changes: z.array(
    z.object({ path: z.string(), kind: z.string(), from: z.string().optional(), sha256: z.string().optional() }),
  ),
  /** Changed files in all. */
  files: z.number(),
});
export type TypedCommit = z.output<typeof commitSchema>;

/** The content of a message. */
export const textSchema = z.object({
  body: z.string(),
  msgtype: z.string().default("m.text"),
  filename: z.string().optional(),
  /** Of a file in the media store. */
  url: z.string().optional(),
  info: z.object({ size: z.number().optional() }).optional().catch(undefined),
  /** Set by the bridge on a message that tells an error. */
  "dev.crewroom.error": z.unknown().optional(),
  "dev.crewroom.action": actionSchema.optional().catch(undefined),
  "dev.crewroom.approval": approvalSchema.optional().catch(undefined),
  "dev.crewroom.commit": commitSchema.optional().catch(undefined),
});
export type Text = z.output<typeof textSchema>;

export const typingSchema = z.object({ user_ids: z.array(z.string()) });
/** The new content of an edit. */
export const editSchema = z.object({ "m.new_content": textSchema }).transform((content) => content["m.new_content"]);
