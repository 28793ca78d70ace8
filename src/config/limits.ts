/** `limits`: sizes, time-outs and the breaker. Every name carries its unit. */
import { z } from "zod";
import { count, duration, longest } from "./fields.ts";

const mebibyte = 1024 * 1024;

export const limits = z
  .strictObject({
    transaction_bytes: count(1024)
      .default(64 * mebibyte)
      .describe("Largest body of a request from the homeserver; a hundred of the largest events take 6.5 MB."),
    attachment_bytes: count(1)
      .default(20 * mebibyte)
      .describe("Largest file that is handed to an agent or sent by one."),
    turn_seconds: duration(longest.seconds)
      .default(1800)
      .describe("A turn that takes longer is stopped, and the room is told."),
    stream_first_ms: count(0).default(1500).describe("How long an answer may grow before its first part is shown."),
    stream_interval_ms: count(0)
      .default(1500)
      .describe("Least time between two edits of an answer that is being written."),
    stream_edits: count(0)
      .default(25)
      .describe("Most edits of one answer; Matrix keeps every edit for ever, and hundreds make a room slow."),
    long_answer_bytes: count(1).default(30_000).describe("A longer answer becomes a file with a summary."),
    queue_messages: count(1).default(100).describe("Most messages that wait for one agent in one room."),
    breaker_hops: count(1)
      .default(8)
      .describe("How many times agents may wake each other on from one message of a person."),
    breaker_pair_messages: count(1)
      .default(20)
      .describe("Most messages between the same two agents of a room within breaker_window_seconds."),
    breaker_room_messages: count(1)
      .default(60)
      .describe("Most messages between agents of a room within breaker_window_seconds."),
    breaker_window_seconds: duration(longest.seconds).default(600).describe("The time over which the breaker counts."),
    drain_seconds: duration(9)
      .default(8)
      .describe("After SIGTERM, how long running work may take to come to a safe point; the process ends within 10 s."),
    homeserver_timeout_seconds: duration(longest.seconds)
      .default(60)
      .describe("A request to the homeserver that takes longer is tried again."),
    retry_max_seconds: duration(longest.seconds)
      .default(60)
      .describe("Longest wait between two tries of the same request."),
    join_attempts: count(1)
      .default(8)
      .describe("How often joining a room is tried before the inviter is told that it failed."),
    sends_in_flight: count(1).default(16).describe("Most requests to the homeserver at the same time."),
  })
  .prefault({});
