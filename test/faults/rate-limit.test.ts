import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import { openStage } from "../support/stage.ts";
import { expectFiveEach, expectWell, fiveMessages, roomWith, waitForCount } from "./support.ts";

test("where the homeserver limits agents as it does people, they are slow but complete", async () => {
  const names = ["ada", "bo", "cleo"];
  await using stage = await openStage({
    agents: names,
    script: fiveMessages,
    homeserver: { rc_message: { per_second: 2, burst_count: 2 } },
    start: false,
  });
  // Synapse reads registrations when it starts.
  await stage.synapse.stop();
  const { registrationFile } = stage.crew;
  const registration = await readFile(registrationFile, "utf8");
  await writeFile(registrationFile, registration.replace("rate_limited: false", "rate_limited: true"));
  await stage.synapse.start();
  await using bridge = await BridgeProcess.start(stage.crew);
  const anna = await stage.person("anna");
  const agents = names.map((name) => stage.crew.agent(name));
  const room = await roomWith(anna, agents);

  await anna.say(room, "five, please", { mentions: agents });
  await waitForCount(anna, room, 15, agents);

  await expectFiveEach(anna, room, agents);
  expect((await bridge.metrics()).value("crewroom_send_retries_total", { reason: "limited" })).toBeGreaterThan(0);
  await expectWell(bridge);
}, 180_000);
