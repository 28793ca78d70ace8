/** How a host that a command wants to reach is written, for rules and for people. */
import { isIP } from "node:net";

/** Longest name of the DNS. RFC 1035, section 2.3.4. */
const nameChars = 253;

/** Letters, digits and hyphens; underscores, too, which some names have. Others come as Punycode. */
const plainName = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;

/**
 * `name:port` in lower case, without the root's dot; an address of version 6 in brackets, and as short as it gets.
 * `undefined` for what is neither a name nor an address: it never gets to rules, people or the resolver.
 */
export function hostOf(name: string, port: number): string | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  if (isIP(name) === 6) return name.includes("%") ? undefined : `${new URL(`http://[${name}]/`).hostname}:${port}`;
  const plain = name.toLowerCase().replace(/\.$/, "");
  return plain.length <= nameChars && plainName.test(plain) ? `${plain}:${port}` : undefined;
}
