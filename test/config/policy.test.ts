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

test("a host in a rule is written as it is asked about; one that would never fit is refused", async () => {
  const of = (about: string): string => `${good}policy: [{ tool: network, about: "${about}", do: deny }]\n`;
  for (const about of ["example.org:443", "*.internal.example:*", "*", "[2001:db8::1]:443", "192.0.2.*:80"])
    expect((await load(of(about))).policy).toMatchObject([{ about }]);
  for (const about of ["internal.example", "*.Internal.example:*", "https://example.org:443"])
    expect(await problemsIn(of(about)), `for ${about}`).toEqual([expect.stringContaining("policy[0].about")]);
});
