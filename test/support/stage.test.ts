import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { Metrics } from "./metrics.ts";
import { openStage } from "./stage.ts";

describe("a stage", { timeout: 120_000 }, () => {
  test("lets a person talk with an agent, across a kill and an orderly stop of the bridge", async () => {
    await using stage = await openStage({
      agents: ["ada"],
      script: [{ when: { last: "ping" }, answer: { text: "pong" } }],
    });
    const ada = stage.crew.agent("ada");
    const anna = await stage.person("anna");
    const room = await anna.createRoom({ invite: [ada] });
    await anna.waitForMember(room, ada, "join");
    await anna.mention(room, ada, "ping");
    await anna.waitForMessage(room, "pong", { from: ada });
    await stage.bridge.kill();
    await stage.bridge.start();
    await anna.mention(room, ada, "are you back?");
    await anna.waitForMessage(room, /ada heard: .*are you back\?/, { from: ada });
    await expect(stage.bridge.stop()).resolves.toBeUndefined();
    expect(stage.bridge.pid).toBeUndefined();
  });

  test("tells what the bridge wrote when it does not start", async () => {
    // The sample's permissions, which `register` takes and `start` refuses.
    const permissions = (): Record<string, string> => ({
      "*": "observe",
      "example.org": "talk",
      "@you:example.org": "admin",
    });
    await expect(openStage({ agents: ["ada"], permissions })).rejects.toThrow(
      /ended with 1 before it was ready:[\s\S]*error PERMISSIONS_SAMPLE/,
    );
  });
});

test("a program that tests start ends with its parent", async () => {
  const followParent = path.join(import.meta.dirname, "follow-parent.ts");
  const child = spawn(process.execPath, ["--import", followParent, "--eval", "setInterval(() => {}, 1000)"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  await once(child, "spawn");
  child.stdin.end();
  await expect(once(child, "exit")).resolves.toEqual([null, "SIGKILL"]);
});

test("metrics are read back by name and labels", () => {
  const metrics = new Metrics('# HELP a x\na{kind="x",room="1"} 2\na{kind="y"} 3\nab 7\nc 1.5\n');
  expect(metrics.value("a")).toBe(5);
  expect(metrics.value("a", { kind: "x" })).toBe(2);
  expect(metrics.value("c")).toBe(1.5);
  expect(metrics.value("missing")).toBe(0);
});
