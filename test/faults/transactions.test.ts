/** What comes to the bridge's door in the homeserver's name: repetitions, rubbish, strangers, and far too much. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRegistration } from "../../src/matrix/registration-file.ts";
import type { Person } from "../support/person.ts";
import { openStage, type Stage } from "../support/stage.ts";
import { expectWell, roomWith, saidBy } from "./support.ts";

const mebibyte = 1024 * 1024;
const limitBytes = 12 * mebibyte;

let stage: Stage;
let anna: Person;
let ada: string;
let room: string;
let token: string;

beforeAll(async () => {
  stage = await openStage({ agents: ["ada"], config: { limits: { transaction_bytes: limitBytes } } });
  anna = await stage.person("anna");
  ada = stage.crew.agent("ada");
  room = await roomWith(anna, [ada]);
  ({ hs_token: token } = await readRegistration(stage.crew.registrationFile));
});

afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

interface Door {
  readonly status: number;
  readonly errcode: string | undefined;
}

/** Brings a transaction as the homeserver does. */
async function bring(txnId: string, body: unknown, as: string | undefined = token): Promise<Door> {
  const answer = await fetch(`${stage.crew.address}/_matrix/app/v1/transactions/${txnId}`, {
    method: "PUT",
    headers: { "content-type": "application/json", ...(as !== "" && { authorization: `Bearer ${as}` }) },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const { errcode } = (await answer.json()) as { errcode?: string };
  return { status: answer.status, errcode };
}

const taken: Door = { status: 200, errcode: undefined };

/** A message of anna's, as the homeserver pushes it. Each text makes an event of its own. */
function eventOf(text: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: "m.room.message",
    event_id: `$${Buffer.from(text).toString("base64url")}`,
    room_id: room,
    sender: anna.userId,
    origin_server_ts: 1_700_000_000_000,
    content: { msgtype: "m.text", body: text, "m.mentions": { user_ids: [ada] } },
    ...changes,
  };
}

/** Until ada has answered something new. A room is handled in order, so all that came before is over then. */
async function settle(text: string): Promise<void> {
  await anna.mention(room, ada, text);
  await anna.waitForMessage(room, (said) => said.text.startsWith("ada heard:") && said.text.includes(text), {
    from: ada,
    timeoutMs: 60_000,
  });
}

/** How many of ada's messages contain this, by the room's whole history. */
async function answersTo(text: string): Promise<number> {
  return (await saidBy(anna, room, ada)).filter((said) => said.text.includes(text)).length;
}

describe("a transaction", { timeout: 120_000 }, () => {
  test("delivered three times at once, and again by a homeserver that counts from 1 anew, has one effect", async () => {
    const transaction = { events: [eventOf("just-once")] };
    await expect(Promise.all(["1", "1", "1"].map((txn) => bring(txn, transaction)))).resolves.toEqual([
      taken,
      taken,
      taken,
    ]);
    await anna.waitForMessage(room, /just-once/, { from: ada });
    await stage.bridge.kill();
    await stage.bridge.start();
    for (const txn of ["1", "2", "1"]) await expect(bring(txn, transaction)).resolves.toEqual(taken);
    await settle("after the repetitions");
    await expect(answersTo("just-once")).resolves.toBe(1);
    expect(
      (await stage.bridge.metrics()).value("crewroom_events_handled_total", { outcome: "duplicate" }),
    ).toBeGreaterThanOrEqual(3);
    await expectWell(stage.bridge);
  });

  test("that repeats what the homeserver itself has pushed before is not handled again", async () => {
    await settle("pushed for real");
    const pushed = (await anna.events(room)).filter(
      ({ type, sender }) => type === "m.room.message" && sender === anna.userId,
    );
    await expect(bring("2", { events: pushed.map((event) => ({ ...event, room_id: room })) })).resolves.toEqual(taken);
    await settle("after that");
    await expect(answersTo("pushed for real")).resolves.toBe(1);
  });

  test("that differs under an id which was there before is handled", async () => {
    await bring("7", { events: [eventOf("first under seven")] });
    await bring("7", { events: [eventOf("second under seven")] });
    await anna.waitForMessage(room, /first under seven/, { from: ada });
    await anna.waitForMessage(room, /second under seven/, { from: ada });
    await settle("after seven");
    await expect(answersTo("first under seven")).resolves.toBe(1);
    await expect(answersTo("second under seven")).resolves.toBe(1);
  });

  test("with malformed events loses only those", async () => {
    const before = (await stage.bridge.metrics()).value("crewroom_events_malformed_total");
    const malformed = [
      null,
      42,
      "event",
      [],
      {},
      { type: 7 },
      { type: "m.room.message" },
      eventOf("no content", { content: "text" }),
      eventOf("no room", { room_id: 5 }),
      eventOf("no sender", { sender: "anna" }),
      eventOf("no time", { origin_server_ts: "noon" }),
      eventOf("a body that is none", { content: { msgtype: "m.text", body: { deep: [] } } }),
      eventOf("a member of nothing", { type: "m.room.member", state_key: anna.userId, content: { membership: 9 } }),
    ];
    const [first, second] = [eventOf("before the rubbish"), eventOf("behind the rubbish")];
    await expect(bring("8", { events: [first, ...malformed, second] })).resolves.toEqual(taken);
    await anna.waitForMessage(room, /before the rubbish/, { from: ada });
    await anna.waitForMessage(room, /behind the rubbish/, { from: ada });
    expect((await stage.bridge.metrics()).value("crewroom_events_malformed_total") - before).toBe(malformed.length);
    await expectWell(stage.bridge);
  });

  test("with events of unknown types, or of unknown lists, is taken, and the others in it are handled", async () => {
    const unknown = [
      eventOf("a type of tomorrow", { type: "m.room.hologram", content: { beams: [1, 2, 3] } }),
      eventOf("a state of tomorrow", { type: "org.example.weather", state_key: "", content: {} }),
      eventOf("a message of tomorrow", { content: { msgtype: "m.smell", body: "a message of tomorrow" } }),
    ];
    const transaction = {
      events: [...unknown, eventOf("of today")],
      ephemeral: [{ type: "m.hologram", content: {} }, null],
      to_device: [{ type: "m.unheard" }],
      "org.example.lists": { changed: [] },
    };
    await expect(bring("9", transaction)).resolves.toEqual(taken);
    await anna.waitForMessage(room, /of today/, { from: ada });
    await expectWell(stage.bridge);
  });

  test.each([
    { what: "no JSON", body: "{", errcode: "M_NOT_JSON" },
    { what: "JSON without events", body: "[]", errcode: "M_BAD_JSON" },
  ])("that is $what is refused with $errcode", async ({ body, errcode }) => {
    await expect(bring("10", body)).resolves.toEqual({ status: 400, errcode });
    await settle(`after ${errcode}`);
    await expectWell(stage.bridge);
  });

  test("of a stranger is refused, and has no effect", async () => {
    const transaction = { events: [eventOf("let me in")] };
    await expect(bring("11", transaction, "not the token")).resolves.toEqual({ status: 403, errcode: "M_FORBIDDEN" });
    await expect(bring("11", transaction, "")).resolves.toEqual({ status: 401, errcode: "M_MISSING_TOKEN" });
    await settle("after the stranger");
    await expect(answersTo("let me in")).resolves.toBe(0);
    await expectWell(stage.bridge);
  });

  test("of 10 MB is taken where the limit allows it, and refused with 413 above the limit", async () => {
    const padded = (text: string, bytes: number): object => ({
      events: [eventOf(text), { type: "org.example.padding", content: { padding: "x".repeat(bytes) } }],
    });
    await expect(bring("12", padded("ten megabytes", 10_000_000))).resolves.toEqual(taken);
    await anna.waitForMessage(room, /ten megabytes/, { from: ada });
    await expect(bring("13", padded("too much", limitBytes))).resolves.toEqual({ status: 413, errcode: "M_TOO_LARGE" });
    await settle("after the flood");
    await expect(answersTo("too much")).resolves.toBe(0);
    await expectWell(stage.bridge);
  });
});
