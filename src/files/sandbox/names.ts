/** Which names commands may reach. */
import { isIP } from "node:net";

interface Rule {
  readonly name: string;
  readonly below: boolean;
  readonly ports: readonly number[];
}

const webPorts = [80, 443];

function plain(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function ruleOf(entry: string): Rule {
  // Only a name with one colon carries a port: an IPv6 address has more.
  const port = /^[^:]+:(\d{1,5})$/.exec(entry)?.[1];
  const name = plain(port === undefined ? entry : entry.slice(0, entry.lastIndexOf(":")));
  const below = name.startsWith("*.");
  return { name: below ? name.slice(1) : name, below, ports: port === undefined ? webPorts : [Number(port)] };
}

/**
 * Decides by name and port. `*.example.org` allows every name below `example.org`, not itself. An address counts only
 * where it is listed as such: an allowed name does not open its address to those who ask for it directly.
 */
export function allowList(entries: readonly string[]): (name: string, port: number) => boolean {
  const rules = entries.map(ruleOf);
  return (asked, port) => {
    const name = plain(asked);
    return rules.some(
      (rule) =>
        rule.ports.includes(port) &&
        (rule.below
          ? isIP(name) === 0 && name.endsWith(rule.name) && name.length > rule.name.length
          : name === rule.name),
    );
  };
}
