/** The kinds of values that config keys share, each with the sentence that a wrong one gets. */
import { isIPv6 } from "node:net";
import { z } from "zod";
import { asAgentId, asMxcUri, asUserId, type AgentId } from "../core/ids.ts";

/** An `http` or `https` address without a query; a slash at its end is dropped. */
export const httpUrl = z
  .string()
  .refine(isHttpUrl, { error: "is not an http:// or https:// address; write it like http://127.0.0.1:8008" })
  .transform((text) => text.replace(/\/+$/, ""));

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
}

/** Matrix spec, appendix "Server name": a DNS name, an IPv4 address or an IPv6 literal in brackets, with or without a port. */
export function isServerName(text: string): boolean {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([a-z0-9.-]{1,255}))(?::\d{1,5})?$/.exec(text);
  return match !== null && (match[1] === undefined || isIPv6(match[1]));
}

export const serverName = z.string().refine(isServerName, {
  error: "is not a homeserver's name; write the part after the colon of its users, in lower case, like example.org",
});

export const agentId = z.string().transform((text, context): AgentId => {
  const id = asAgentId(text);
  if (id !== undefined) return id;
  context.addIssue("is not an agent's id; use a-z, 0-9, _ . and -, at most 63 characters, first a letter or digit");
  return z.NEVER;
});

/** A person, people whose ids are alike, a homeserver, `*.` and a domain, or `*`: the keys of `permissions`. */
export function isActor(text: string): boolean {
  if (text === "*") return true;
  if (text.startsWith("@")) return asUserId(text) !== undefined && isServerName(text.slice(text.indexOf(":") + 1));
  return isServerName(text.startsWith("*.") ? text.slice(2) : text);
}

/** `mxc://…`, or the path of an image file. */
export const avatar = z
  .string()
  .min(1)
  .refine((text) => !text.includes("://") || asMxcUri(text) !== undefined, {
    error: "is neither an mxc:// address nor the path of an image; an https:// picture must be uploaded first",
  });

/** A word such as a role: lower case, so that `Planner` and `planner` cannot be two. */
export const word = z.string().regex(/^[a-z][a-z0-9_-]{0,30}$/, {
  error: "is not a word of a-z, 0-9, _ and -; write it like planner",
});

/** A whole number from `least` on. */
export function count(least: number): z.ZodNumber {
  return z.int({ error: "is not a whole number" }).min(least, { error: `is less than ${least}` });
}

/** What a timer can hold (2³¹ − 1 ms), in the units of the keys. */
export const longest = { seconds: 2_147_483, minutes: 35_791, hours: 596 } as const;

/** A duration of more than nothing, at most what a timer can hold: one of {@link longest}. */
export function duration(most: number): z.ZodNumber {
  return z
    .number({ error: "is not a number" })
    .positive({ error: "is not more than 0" })
    .max(most, { error: `is more than ${most}` });
}
