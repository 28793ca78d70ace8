/** An agent is kicked while it works: its turn ends where it is thought out, and nothing of it is said any more. */
import { describe, expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import { Proxy } from "../support/proxy.ts";
import { openStage } from "../support/stage.ts";
import { expectWell, isSend, openBehindProxy, roomWith, saidBy } from "./support.ts";

describe("an agent that is kicked", { timeout: 120_000 }, () => {
  test.each([
    { when: "before it said anything", answer: { hang: true }, shown: 0 },
    { when: "while its answer is shown", answer: { text: "the first words", hang: true }, shown: 1 },
  ])("$when stops thinking, says nothing more, and works again when it is invited", async ({ answer, shown }) => {
    // Between the bridge and the model, to see that the request is given up.
    await using model = await Proxy.start();
    await using stage = await openStage({
      agents: ["ada", "bo"],
      script: [{ when: { last: "work for ever" }, answer }],
      config: { models: { default: { base_url: `${model.url}/v1` } }, limits: { stream_first_ms: 0 } },
    });
    model.passTo(stage.rehearsal.url);
    const anna = await stage.person("anna");
    const [ada, bo] = [stage.crew.agent("ada"), stage.crew.agent("bo")];
    const room = await roomWith(anna, [ada, bo]);

    await anna.mention(room, ada, "work for ever");
    await model.until(
      "a request that hangs",
      (exchanges) => exchanges.some(({ fate }) => fate === "open") || undefined,
    );
    if (shown > 0) await anna.waitForMessage(room, "the first words", { from: ada });
    // Waits for its turn, and goes with it.
    const waiting = await anna.mention(room, ada, "and this");
    await anna.waitForReceipt(room, ada, waiting);
    await anna.kick(room, ada);

    await model.until("its end", (exchanges) => exchanges.every(({ fate }) => fate === "abandoned") || undefined);
    // The room is handled in order: when bo answers, the kick has been, with all that came of it.
    await anna.mention(room, bo, "what happened?");
    await anna.waitForMessage(room, /heard: .*what happened\?/, { from: bo });
    await expect(saidBy(anna, room, ada)).resolves.toHaveLength(shown);

    await anna.invite(room, ada);
    await anna.waitForMember(room, ada, "join");
    await anna.mention(room, ada, "welcome back");
    const answered = await anna.waitForMessage(room, /^ada heard: .*welcome back$/, { from: ada });
    expect(answered.text).not.toContain("and this");
    await expect(saidBy(anna, room, ada)).resolves.toHaveLength(shown + 1);
    await expectWell(stage.bridge);
  });

  // Synapse shows a room to who was kicked as it was then, so what it says of the room must not bring the agent back.
  test("while its word waits for the homeserver stays away, and hears nothing more", async () => {
    await using behind = await openBehindProxy({ agents: ["ada", "bo"] });
    const { stage, proxy } = behind;
    const [ada, bo] = [stage.crew.agent("ada"), stage.crew.agent("bo")];
    await using bridge = await BridgeProcess.start(stage.crew);
    const anna = await stage.person("anna");
    const room = await roomWith(anna, [ada, bo]);
    let isDown = true;
    const refused = proxy.fail({
      fits: (asked) => isDown && asked.user === ada && isSend(asked),
      how: "refuse",
      answer: { status: 502 },
    });
    await anna.mention(room, ada, "hello");
    await proxy.until("a word that waits", () => (refused() > 0 ? true : undefined));
    await anna.kick(room, ada);
    await anna.mention(room, bo, "what happened?");
    await anna.waitForMessage(room, /what happened\?/, { from: bo });

    const looks = (): number =>
      proxy.exchanges.filter(
        ({ asked, fate }) => asked.user === ada && asked.path.endsWith("/state") && fate !== "open",
      ).length;
    const before = looks();
    isDown = false;
    await proxy.until("a look at the room after the refusal", () => (looks() > before ? true : undefined));
    await anna.say(room, "who is here?", { mentions: [ada, bo] });
    await anna.waitForMessage(room, /who is here\?/, { from: bo });
    const asked = stage.rehearsal.requests.filter(({ scene }) => scene.last.includes("who is here?"));
    expect(asked).toHaveLength(1);
    await expectWell(bridge);
  });
});
