/** `m.room.server_acl` from outside. */
import type { ServerAcl } from "../core/server-acl.ts";
import { asObject } from "./json.ts";

/** As homeservers read it: what is no list of names denies or allows nothing, and IP addresses are fine unless it says no. */
export function decodeServerAcl(content: unknown): ServerAcl {
  const { allow, deny, allow_ip_literals: ipLiterals } = asObject(content) ?? {};
  return { allow: namesIn(allow), deny: namesIn(deny), ipLiterals: ipLiterals !== false };
}

function namesIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
}
