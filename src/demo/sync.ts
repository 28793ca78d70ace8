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
    }),
  })
  .transform((content) => content["m.relates_to"]);
/** The content of a message. */
export const textSchema = z.object({
  body: z.string(),
  msgtype: z.string().default("m.text"),
  filename: z.string().optional(),
  /** Set by the bridge on a message that tells an error. */
  "dev.crewroom.error": z.unknown().optional(),
});

export const typingSchema = z.object({ user_ids: z.array(z.string()) });
/** The new content of an edit. */
export const editSchema = z.object({ "m.new_content": textSchema }).transform((content) => content["m.new_content"]);
