/** Which servers may take part in a room (Matrix spec, "Server Access Control Lists", `m.room.server_acl`). */
import { globFits } from "./glob.ts";

/** The content of `m.room.server_acl`, decoded. */
export interface ServerAcl {
  /** Globs; a server that none of them fits is denied. */
  readonly allow: readonly string[];
  /** Globs; they come before `allow`. */
  readonly deny: readonly string[];
  /** Whether servers may be named by an IP address. */
  readonly ipLiterals: boolean;
}

/** The name without its port: ACLs know none. An IPv6 literal keeps its brackets. */
export function withoutPort(server: string): string {
  return server.replace(/:\d{1,5}$/, "");
}

function isIpLiteral(name: string): boolean {
  return name.startsWith("[") || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name);
}

/** Whether a server may take part. Letters count the same in both cases, as on homeservers. */
export function isServerAllowed(acl: ServerAcl | undefined, server: string): boolean {
  if (acl === undefined) return true;
  const name = withoutPort(server).toLowerCase();
  if (!acl.ipLiterals && isIpLiteral(name)) return false;
  const fits = (glob: string): boolean => globFits(glob.toLowerCase(), name);
  return !acl.deny.some(fits) && acl.allow.some(fits);
}
