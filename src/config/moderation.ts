/** `moderation`: rules against people and servers that hold in all rooms. */
import { z } from "zod";
import { asRoomAlias, asRoomId } from "../core/ids.ts";

const room = z.string().refine((text) => asRoomId(text) !== undefined || asRoomAlias(text) !== undefined, {
  error: "is no room; write its address (#bans:example.org) or its id (!…:example.org)",
});

const people = z.string().refine((text) => /^[@*?]\S*$/.test(text) && text.length <= 255, {
  error: "is no person; write a Matrix id, with * for any characters, like @spam*:example.org or @*:example.org",
});

export const moderation = z
  .strictObject({
    policy_rooms: z
      .array(room)
      .default([])
      .describe(
        "Policy lists: rooms whose ban rules for people and servers the crew keeps. The bot joins them; invite it where a " +
          "list is private.",
      ),
    ignored: z
      .array(people)
      .default([])
      .describe("People whom the whole crew ignores, with * and ? as wildcards: @spam:example.org, @*:example.org."),
  })
  .prefault({});
