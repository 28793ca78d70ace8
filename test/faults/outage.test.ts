/** Synapse dies, stays away, and comes back. */
import { setTimeout as timer } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openStage } from "../support/stage.ts";
import { expectFiveEach, expectWell, fiveMessages, roomWith, saidBy, waitForCount } from "./support.ts";

/** Long enough for several back-offs. A minute or more tells nothing new: `CREWROOM_OUTAGE_SECONDS=60` shows it. */
const outageMs = Number(process.env["CREWROOM_OUTAGE_SECONDS"] ?? 10) * 1_000;

describe("when Synapse", { timeout: 240_000 + outageMs }, () => {
  test("is killed in the middle of sends, each message arrives once and in order after its restart", async () => {
    const names = Array.from({ length: 8 }, (_, index) => `a${index + 1}`);
    await using stage = await openStage({ agents: names, script: fiveMessages });
    const anna = await stage.person("anna");
    const agents = names.map((name) => stage.crew.agent(name));
    const room = await roomWith(anna, agents);

    await anna.say(room, "five, please", { mentions: agents });
    for (const seen of [4, 20]) {
      await waitForCount(anna, room, seen, agents);
      await stage.synapse.kill();
      await stage.synapse.start();
      anna.client.retryImmediately();
    }
    await waitForCount(anna, room, 40, agents);

    await expectFiveEach(anna, room, agents);
    await expectWell(stage.bridge);
    // Its transactions to us are numbered from 1 again, and are none that we have had.
    const [agent = ""] = agents;
    await anna.mention(room, agent, "and now?");
    await anna.waitForMessage(room, /heard: .*and now\?/, { from: agent });
    await expect(saidBy(anna, room, agent)).resolves.toHaveLength(6);
  });

  test("stays away, answers wait for it, also across a crash of the bridge", async () => {
    await using stage = await openStage({
      agents: ["ada", "bo"],
      script: [
        // Ends while Synapse is away.
        { when: { last: "/slowly/" }, answer: { text: "{agent} heard: {last}", delay_ms: 1_500 } },
        { when: { last: "/aloud/" }, answer: { text: "{agent} heard: {last}", chunks: 10, chunk_delay_ms: 300 } },
      ],
      config: { limits: { stream_first_ms: 0, stream_interval_ms: 200 } },
    });
    const { bridge, synapse } = stage;
    const anna = await stage.person("anna");
    const [ada, bo] = [stage.crew.agent("ada"), stage.crew.agent("bo")];
    const room = await roomWith(anna, [ada, bo]);
    await anna.mention(room, ada, "think slowly 1");
    await anna.mention(room, bo, "think aloud 2");
    await anna.waitForMessage(room, /^bo heard/, { from: bo });
    await synapse.kill();

    const away = timer(outageMs);
    await bridge.waitForLine(/does not answer; everything is kept/, { stream: "stderr" });
    await expect(bridge.health("/live")).resolves.toBe(200);
    await expect(bridge.health("/ready")).resolves.toBe(503);
    await bridge.kill();
    await bridge.start();
    await expect(bridge.health("/live")).resolves.toBe(200);
    await away;
    await synapse.start();
    anna.client.retryImmediately();

    await anna.waitForMessage(room, /heard: .*think slowly 1$/, { from: ada, timeoutMs: 90_000 });
    await anna.waitForMessage(room, /heard: .*think aloud 2$/, { from: bo, timeoutMs: 90_000 });
    for (const agent of [ada, bo]) {
      await anna.mention(room, agent, "are you back?");
      await anna.waitForMessage(room, /heard: .*are you back\?$/, { from: agent, timeoutMs: 90_000 });
      await expect(saidBy(anna, room, agent)).resolves.toHaveLength(2);
    }
    await expectWell(bridge);
  });
});
