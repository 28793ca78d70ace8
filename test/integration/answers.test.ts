import { describe, expect, test } from "vitest";
import { saidBy, sharedStage } from "../support/shared-stage.ts";

const paragraph = "The tide comes in twice a day, and the boats in the harbour rise with it. ";
const shortStory = paragraph.repeat(40).trim();
/** Above `limits.long_answer_bytes`, whose default is 30,000. */
const longReport = `# Report\n\nThe short of it.\n\n${Array.from({ length: 900 }, (_, line) => `- line ${line}: the tide comes in twice a day`).join("\n")}`;

const shared = sharedStage({
  agents: ["ada", "bo"],
  config: { limits: { stream_first_ms: 100, stream_interval_ms: 100 } },
  script: [
    { when: { last: "tell a story" }, answer: { text: shortStory, chunks: 60, chunk_delay_ms: 40 } },
    { when: { last: "report at once" }, answer: { text: longReport, chunks: 4 } },
    { when: { last: "report slowly" }, answer: { text: longReport, chunks: 60, chunk_delay_ms: 30 } },
    { when: { last: "begin and hang" }, answer: { text: "The first words", hang: true } },
    { when: { last: "hang in silence" }, answer: { hang: true } },
    { when: { last: "wrong key" }, answer: { error: { status: 401, message: "Incorrect API key provided" } } },
    { when: { last: "too much" }, answer: { error: { status: 429, message: "Rate limit reached", retry_after: 600 } } },
    { when: { last: "broken" }, answer: { error: { status: 500, message: "The server had an error" } } },
    { when: { last: "break off" }, answer: { text: "Half an", error: { status: 500, message: "gone" } } },
  ],
});

describe("an answer that takes a while", () => {
  test("is one message, edited while it grows and complete at its end", async () => {
    const ada = shared.stage.crew.agent("ada");
    const [anna, ben] = [await shared.someone("anna"), await shared.someone("ben")];
    const room = await shared.group(anna, [ben], ["ada"]);
    const asked = await anna.mention(room, ada, "tell a story");
    const told = await anna.waitForMessage(room, shortStory, { from: ada });
    expect(told.edits).toBeGreaterThan(1);
    expect(told.edits).toBeLessThanOrEqual(25);
    expect(told).toMatchObject({ replyTo: asked, mentions: [anna.userId] });
    expect(told.original["m.mentions"]).toEqual({ user_ids: [anna.userId] });
    const edits = (await anna.events(room)).filter(
      (event) => event.type === "m.room.message" && event.content["m.new_content"] !== undefined,
    );
    // Who was notified once is not notified again by every edit.
    expect(edits.map((event) => event.content["m.mentions"])).toEqual(edits.map(() => ({})));
    expect(await saidBy(anna, room, ada)).toHaveLength(1);
  });

  test.each(["report at once", "report slowly"])(
    "of more than 30 kB (%s) becomes a summary and a file",
    async (ask) => {
      const ada = shared.stage.crew.agent("ada");
      const anna = await shared.someone("anna");
      const room = await shared.direct(anna, "ada");
      await anna.say(room, ask);
      const file = await anna.waitForMessage(room, (said) => said.msgtype === "m.file", { from: ada });
      expect(file.content).toMatchObject({
        filename: "answer.md",
        info: { mimetype: "text/markdown", size: Buffer.byteLength(longReport) },
      });
      const bytes = await anna.download(String(file.content["url"]));
      expect(bytes.toString()).toBe(longReport);
      const all = await saidBy(anna, room, ada);
      expect(all[0]?.text).toMatch(/^# Report\s+The short of it\.$/);
      expect(all.every((said) => said.edits <= 25)).toBe(true);
      expect(all).toHaveLength(ask === "report at once" ? 1 : 2);
    },
  );
});

describe("a turn is stopped, and what was said until then stays with a line about it,", () => {
  test("by 🛑 on the agent's message", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.say(room, "begin and hang");
    const begun = await anna.waitForMessage(room, "The first words", { from: ada });
    await anna.react(room, begun.id, "🛑");
    const stopped = await anna.waitForMessage(room, /Stopped/, { from: ada });
    expect(stopped.id).toBe(begun.id);
    expect(stopped.text).toBe(`The first words\n\n⏹ Stopped by ${anna.userId}.`);
    await anna.say(room, "go on");
    await anna.waitForMessage(room, "ada heard: go on", { from: ada });
  });

  test("by 🛑 on the instruction, also before a word was said", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const asked = await anna.say(room, "hang in silence");
    await anna.waitForTyping(room, ada);
    await anna.react(room, asked, "🛑");
    const stopped = await anna.waitForMessage(room, /Stopped/, { from: ada });
    expect(stopped).toMatchObject({ text: `⏹ Stopped by ${anna.userId}.`, msgtype: "m.notice" });
    await anna.say(room, "go on");
    await anna.waitForMessage(room, "ada heard: go on", { from: ada });
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
  });

  test("by !crew stop, which stops the agent that it names and no other", async () => {
    const { crew } = shared.stage;
    const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
    const anna = await shared.someone("anna");
    const room = await shared.group(anna, [], ["ada", "bo"]);
    await anna.say(room, "begin and hang", { mentions: [ada, bo] });
    const [fromAda, fromBo] = [
      await anna.waitForMessage(room, "The first words", { from: ada }),
      await anna.waitForMessage(room, "The first words", { from: bo }),
    ];
    await anna.say(room, "!crew stop @ada");
    await anna.waitForMessage(room, "Stopping ada.");
    await anna.waitForMessage(room, (said) => said.id === fromAda.id && /⏹ Stopped by/.test(said.text));
    expect(anna.seen(room).find((said) => said.id === fromBo.id)?.text).toBe("The first words");
    await anna.say(room, "!crew stop");
    await anna.waitForMessage(room, "Stopping bo.");
    await anna.waitForMessage(room, (said) => said.id === fromBo.id && /⏹ Stopped by/.test(said.text));
    await anna.say(room, "!crew stop");
    await anna.waitForMessage(room, "No agent runs a turn here.");
  });
});

describe("what a model does wrong", () => {
  test.each([
    { ask: "wrong key", code: "MODEL_REFUSED", told: /Incorrect API key/ },
    { ask: "too much", code: "MODEL_OVERLOADED", told: /Rate limit/ },
    { ask: "broken", code: "MODEL_UNREACHABLE", told: /HTTP 500/ },
  ])("is told in the room in a sentence ($code)", async ({ ask, code, told }) => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.say(room, ask);
    const error = await anna.waitForMessage(room, /^⚠️/, { from: ada });
    expect(error.msgtype).toBe("m.notice");
    expect(error.text).toMatch(told);
    expect(error.text).not.toContain("\n");
    expect(error.content["dev.crewroom.error"]).toEqual({ code });
    await anna.say(room, "still there?");
    await anna.waitForMessage(room, "ada heard: still there?", { from: ada });
    expect(await saidBy(anna, room, ada)).toHaveLength(2);
  });

  test("in the middle of an answer leaves what was said, and tells it below", async () => {
    const ada = shared.stage.crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.say(room, "break off");
    const told = await anna.waitForMessage(room, /⚠️/, { from: ada });
    expect(told.text).toMatch(/^Half an\n\n⚠️ The model rehearsal /);
    expect(told.content["dev.crewroom.error"]).toBeDefined();
  });
});

describe("what a person sends beside words reaches the agent:", () => {
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );

  test("an image with its caption, as an image", async () => {
    const { crew, rehearsal } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.sendImage(room, { name: "dot.png", mimeType: "image/png", bytes: png, caption: "what colour is it?" });
    await anna.waitForMessage(room, /what colour is it/, { from: ada });
    const request = rehearsal.requests.find(({ scene }) => scene.last.includes("what colour is it?"));
    expect(request?.body.messages.at(-1)?.content).toContainEqual(
      expect.objectContaining({
        type: "image_url",
        image_url: { url: `data:image/png;base64,${png.toString("base64")}` },
      }),
    );
  });

  test("a text file, as its text under its name", async () => {
    const { crew, rehearsal } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    await anna.sendFile(room, { name: "tides.csv", mimeType: "text/csv", bytes: Buffer.from("day,high\nMon,4.2\n") });
    await anna.waitForMessage(room, /tides\.csv/, { from: ada });
    const request = rehearsal.requests.find(({ scene }) => scene.last.includes("tides.csv"));
    expect(request?.scene.last).toContain("day,high\nMon,4.2\n");
  });

  test("a file that it cannot read, as a word about it", async () => {
    const { crew, rehearsal } = shared.stage;
    const ada = crew.agent("ada");
    const anna = await shared.someone("anna");
    const room = await shared.direct(anna, "ada");
    const bytes = Buffer.from([0, 1, 2, 3, 255, 254, 0]);
    await anna.sendFile(room, { name: "blob.bin", mimeType: "application/x-blob", bytes });
    await anna.waitForMessage(room, /blob\.bin/, { from: ada });
    const request = rehearsal.requests.find(({ scene }) => scene.last.includes("blob.bin"));
    expect(request?.scene.last).toMatch(/blob\.bin \(application\/x-blob, 7 bytes\): not included/);
  });
});

test("an answer that quotes hostile words carries no live HTML and notifies only who asked", async () => {
  const { crew } = shared.stage;
  const [ada, bo] = [crew.agent("ada"), crew.agent("bo")];
  const mallory = await shared.someone("mallory", { displayName: "<img src=x onerror=alert(1)> @room" });
  const ben = await shared.someone("ben", { displayName: "Ben" });
  const room = await shared.group(mallory, [ben], ["ada", "bo"]);
  const hostile =
    "<script>alert(1)</script> <img src=x onerror=alert(2)> [click](javascript:alert(3)) @room Ben, ben, Bo " +
    '<a href="https://matrix.to/#/@room">room</a> ![x](https://tracker.invalid/p.png)';
  await mallory.say(room, hostile, { mentions: [ada] });
  const answer = await mallory.waitForMessage(room, /^ada heard:/, { from: ada });
  expect(answer.text).toContain("<script>");
  expect(answer.html).not.toMatch(/<script|<img|href="javascript|\sonerror=(?!alert\(\d\)&gt;)/i);
  expect(answer.original["m.mentions"]).toEqual({ user_ids: [mallory.userId] });

  // The other agent was neither mentioned by the person nor woken by the answer.
  await mallory.say(room, "!crew agents");
  const listed = await mallory.waitForMessage(room, /on builtin with model/);
  expect(listed.html).not.toMatch(/<img|onerror/);
  expect(await saidBy(mallory, room, bo)).toEqual([]);
});
