/** How a host that a command wants to reach is written, for rules and for people. */
import { isIP } from "node:net";

/** Longest name of the DNS. RFC 1035, section 2.3.4. */
const nameChars = 253;

/** Letters, digits and hyphens; underscores, too, which some names have. Others come as Punycode. */
const plainName = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;

/** A last label that is a number, as no top-level domain is. WHATWG URL, "ends in a number checker". */
const endsInNumber = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;

/**
 * `name:port` in lower case, without the root's dot; an address of version 6 in brackets, and as short as it gets, or as
 * the one of version 4 that it stands for. `undefined` for what is neither a name nor an address: it never gets to rules,
 * people or the resolver.
 */
export function hostOf(name: string, port: number): string | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  if (isIP(name) === 6) return name.includes("%") ? undefined : `${plainAddress(name)}:${port}`;
  const plain = name.toLowerCase().replace(/\.$/, "");
  // 2130706433, 0x7f.1 and 127.1 are addresses to a resolver: a rule about 127.0.0.1 must not be passed by.
  if (endsInNumber.test(plain) && isIP(plain) === 0) return undefined;
  return plain.length <= nameChars && plainName.test(plain) ? `${plain}:${port}` : undefined;
}

/** RFC 4291, section 2.5.5.2: `::ffff:192.0.2.7` leads where `192.0.2.7` does. */
const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/;

function plainAddress(address: string): string {
  const { hostname } = new URL(`http://[${address}]/`);
  const [, high, low] = mapped.exec(hostname) ?? [];
  if (high === undefined || low === undefined) return hostname;
  return [high, low].flatMap((half) => [Number.parseInt(half, 16) >> 8, Number.parseInt(half, 16) & 255]).join(".");
}
