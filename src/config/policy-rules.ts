/** Rules for agents' tools as the core knows them, from all parts of the config that mean some. */
import { networkTool, type PolicyRule } from "../core/policy.ts";
import type { Config } from "./schema.ts";

/** The config's rules, and after them those that other parts of it mean. */
export function policyOf({ policy, sandbox }: Pick<Config, "policy" | "sandbox">): readonly PolicyRule[] {
  const rules = policy.map(({ agent, role, tool, about, do: verdict }): PolicyRule => ({
    ...(agent === undefined ? {} : { agent }),
    ...(role === undefined ? {} : { role }),
    ...(tool === undefined ? {} : { tool }),
    ...(about === undefined ? {} : { about }),
    do: verdict,
  }));
  const hosts = sandbox.network.flatMap(hostsOf).map((about): PolicyRule => ({
    tool: networkTool,
    about,
    do: "allow",
    from: "sandbox.network",
  }));
  // Where no wall stands around commands, a person is asked, unless a rule says otherwise.
  const bare: readonly PolicyRule[] =
    sandbox.mode === "none" ? [{ tool: "run_command", do: "ask", from: "sandbox.mode" }] : [];
  return [...rules, ...hosts, ...bare];
}

const webPorts = [80, 443];

function hostsOf(entry: string): readonly string[] {
  return entry.includes(":") ? [entry] : webPorts.map((port) => `${entry}:${port}`);
}
