import { expect, test } from "vitest";
import { openStage } from "../support/stage.ts";
import { expectFiveEach, expectWell, fiveMessages, roomWith, waitForCount } from "./support.ts";

test("of twenty agents that say five things each at once in one room, all hundred arrive, in order per agent", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `a${index + 1}`);
  await using stage = await openStage({ agents: names, script: fiveMessages });
  const anna = await stage.person("anna");
  const agents = names.map((name) => stage.crew.agent(name));
  const room = await roomWith(anna, agents);

  await anna.say(room, "five, please", { mentions: agents });
  await waitForCount(anna, room, 100, agents);

  await expectFiveEach(anna, room, agents);
  await expectWell(stage.bridge);
  expect((await stage.bridge.metrics()).value("crewroom_turns_total", { outcome: "end_turn" })).toBe(20);
}, 180_000);
