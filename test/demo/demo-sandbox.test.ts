import { describe, expect, test } from "vitest";
import { findDemoSandbox } from "../../src/demo/demo-sandbox.ts";
import type { Sandbox } from "../../src/files/port.ts";
import { missingSandbox } from "../../src/files/sandbox/sandbox.ts";

const missing = (): Promise<Sandbox> =>
  Promise.resolve(missingSandbox("bubblewrap is not installed", "Run `apt-get install bubblewrap`."));

describe("where the commands of the demo's agents run", () => {
  test("in a sandbox where there is one, whoever thinks", async () => {
    const there: Sandbox = { kind: "bubblewrap", run: () => Promise.reject(new Error("tried already")) };
    for (const scripted of [true, false])
      expect(await findDemoSandbox(scripted, () => Promise.resolve(there))).toEqual({
        config: { mode: "required" },
        policy: [],
        told: undefined,
      });
  });

  test("without one only for the script's own commands, and it says what installs one", async () => {
    expect(await findDemoSandbox(true, missing)).toEqual({
      config: { mode: "none" },
      policy: [{ tool: "run_command", do: "allow" }],
      told: "The script's commands run without a sandbox, since bubblewrap is not installed. Run `apt-get install bubblewrap`.",
    });
    const model = await findDemoSandbox(false, missing);
    expect(model).toMatchObject({ config: { mode: "required" }, policy: [] });
    expect(model.told).toMatch(/^The agents cannot run commands, .*apt-get install/);
  });
});
