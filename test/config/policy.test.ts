import { expect, test } from "vitest";
import { policyOf } from "../../src/config/policy-rules.ts";
import { good, load, problemsIn } from "./support.ts";

test("what the sandbox lets out, and that there is none, are rules after those of the policy", async () => {
  const config = await load(`${good}
policy: [{ tool: network, about: "*.test:443", do: ask }]
sandbox: { mode: none, network: [example.org, "*.example.net:8443"] }
`);
  expect(policyOf(config)).toEqual([
    { tool: "network", about: "*.test:443", do: "ask" },
    { tool: "network", about: "example.org:80", do: "allow", from: "sandbox.network" },
    { tool: "network", about: "example.org:443", do: "allow", from: "sandbox.network" },
    { tool: "network", about: "*.example.net:8443", do: "allow", from: "sandbox.network" },
    { tool: "run_command", do: "ask", from: "sandbox.mode" },
  ]);
});

test("what is no rule is refused with its place", async () => {
  expect(await problemsIn(`${good}policy: [{ tool: network, do: perhaps }]\n`)).toEqual([
    expect.stringContaining("policy[0].do"),
  ]);
});
