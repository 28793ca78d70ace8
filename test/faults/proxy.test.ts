/** What stands between the bridge and its homeserver refuses requests, loses answers, and asks for patience. */
import { describe, expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import type { Asked } from "../support/proxy.ts";
import {
  expectFiveEach,
  expectWell,
  fiveMessages,
  isSend,
  openBehindProxy,
  roomWith,
  saidBy,
  waitForCount,
} from "./support.ts";

const isJoin =
  (user: string) =>
  (asked: Asked): boolean =>
    asked.path.includes("/join/") && asked.user === user;

const names = ["ada", "bo", "cleo"];

describe("behind a proxy that fails", { timeout: 180_000 }, () => {
  test("messages that it refuses, loses or cuts off are sent again, once and in order", async () => {
    await using behind = await openBehindProxy({ agents: names, script: fiveMessages });
    const { stage, proxy } = behind;
    // Also what the start needs: our users and their devices.
    const registering = proxy.fail({
      fits: ({ path }) => path.endsWith("/register"),
      times: 2,
      how: "refuse",
      answer: { status: 502 },
    });
    await using bridge = await BridgeProcess.start(stage.crew);
    const anna = await stage.person("anna");
    const agents = names.map((name) => stage.crew.agent(name));
    const room = await roomWith(anna, agents);

    const met = [
      proxy.fail({ fits: isSend, times: 3, how: "lose", answer: { status: 502 } }),
      proxy.fail({ fits: isSend, times: 3, how: "refuse", answer: { status: 429, headers: { "retry-after": "1" } } }),
      proxy.fail({ fits: isSend, times: 3, how: "lose", answer: "cut" }),
      proxy.fail({ fits: isSend, times: 3, how: "refuse", answer: { status: 503 } }),
    ];
    await anna.say(room, "five, please", { mentions: agents });
    await waitForCount(anna, room, 15, agents);

    await expectFiveEach(anna, room, agents);
    expect([registering(), ...met.map((count) => count())]).toEqual([2, 3, 3, 3, 3]);
    const metrics = await bridge.metrics();
    expect(metrics.value("crewroom_send_retries_total", { reason: "limited" })).toBe(3);
    await expectWell(bridge);
  });

  test("an agent whose join meets 502 gets in, and answers once what was said meanwhile", async () => {
    await using behind = await openBehindProxy({ agents: names });
    const { stage, proxy } = behind;
    const [ada, bo] = [stage.crew.agent("ada"), stage.crew.agent("bo")];
    await using bridge = await BridgeProcess.start(stage.crew);
    const refused = proxy.fail({ fits: isJoin(ada), times: 3, how: "refuse", answer: { status: 502 } });
    const lost = proxy.fail({ fits: isJoin(bo), times: 2, how: "lose", answer: { status: 502 } });
    const anna = await stage.person("anna");

    const rooms = await Promise.all([ada, bo].map((agent) => anna.createDirectRoom(agent, "hello before you came")));
    const answers = await Promise.all(rooms.map((room) => anna.waitForMessage(room, /heard: hello before you came/)));
    expect(answers.map(({ sender }) => sender)).toEqual([ada, bo]);
    expect([refused(), lost()]).toEqual([3, 2]);

    for (const [index, agent] of [ada, bo].entries()) {
      const room = rooms[index] ?? "";
      await anna.say(room, "and now?");
      await anna.waitForMessage(room, /heard: and now\?/, { from: agent });
      const heard = (await saidBy(anna, room, agent)).filter(({ text }) => text.includes("heard:"));
      expect(heard).toHaveLength(2);
    }
    await expectWell(bridge);
  });

  test("a ping that failed is repeated, so that the bridge gets ready without a restart", async () => {
    await using behind = await openBehindProxy({ agents: ["ada"] });
    const { stage, proxy } = behind;
    // Synapse's words when it finds the connection dead that it kept to a bridge which was restarted since.
    const json = { errcode: "M_CONNECTION_FAILED", error: "Connection was lost" };
    const isPing = ({ path }: Asked): boolean => path.endsWith("/ping");
    const met = proxy.fail({ fits: isPing, times: 2, how: "refuse", answer: { status: 502, json } });
    await using bridge = await BridgeProcess.start(stage.crew);
    await proxy.until("a ping that succeeds", (exchanges) =>
      exchanges.some(({ asked, fate }) => isPing(asked) && fate === "answered") ? true : undefined,
    );
    await expectWell(bridge);
    expect(met()).toBe(2);
    expect((await bridge.metrics()).value("crewroom_pings_total", { outcome: "failed" })).toBe(2);
  });
});
