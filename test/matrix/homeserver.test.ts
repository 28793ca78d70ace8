/** The traps of a real Synapse: what our client must do so that no message is lost and none comes twice. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UserId } from "../../src/core/ids.ts";
import type { Synapse } from "../../src/demo/synapse.ts";
import { freePort } from "../../src/demo/ports.ts";
import { createGhosts, isGhostMissing } from "../../src/matrix/ghosts.ts";
import { createHomeserver, type Homeserver } from "../../src/matrix/homeserver.ts";
import { createIngress } from "../../src/matrix/ingress.ts";
import { createReads, type Reads } from "../../src/matrix/reads.ts";
import { makeRegistration, type Registration } from "../../src/matrix/registration.ts";
import { registrationText } from "../../src/matrix/registration-file.ts";
import { retrying } from "../../src/matrix/retry.ts";
import { createLogger } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { freshSynapse } from "../support/fresh-synapse.ts";
import { alias, event, user } from "./ids.ts";

const log = createLogger({ level: "silent", format: "json" });
const bot = user("@crewroom:localhost");
const ada = user("@agent_ada:localhost");
const bo = user("@agent_bo:localhost");

let directory: string;
let synapse: Synapse;
let registration: Registration;
let appservicePort: number;
let homeserver: Homeserver;
let reads: Reads;
let requests = 0;
const meta = new Map<string, unknown>();

function ghosts() {
  return createGhosts({
    homeserver,
    log,
    meta: {
      get: (name) => Promise.resolve(meta.get(name)),
      set: (name, value) => Promise.resolve(void meta.set(name, value)),
    },
  });
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "crewroom-homeserver-"));
  appservicePort = await freePort();
  registration = await makeRegistration({
    homeserver: { domain: "localhost" },
    appservice: { address: `http://127.0.0.1:${appservicePort}` },
  });
  const file = path.join(directory, "registration.yaml");
  await writeFile(file, registrationText(registration));
  synapse = await freshSynapse({ registrations: [file] });
  const access = { address: synapse.url, asToken: registration.as_token };
  const counting: typeof fetch = (...asked) => {
    requests++;
    return fetch(...asked);
  };
  homeserver = createHomeserver({ ...access, domain: "localhost", timeoutMs: 20_000, fetch: counting });
  reads = createReads({ ...access, bot });
  await ghosts().ensure({ user: bot, name: "Crewroom" });
  await ghosts().ensure({ user: ada, name: "Ada" });
  await ghosts().ensure({ user: bo, name: "Bo" });
});

afterAll(async () => {
  await synapse[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** A room of the bot with these users in it. */
async function newRoom(members: readonly UserId[], more: Record<string, unknown> = {}) {
  const made = await homeserver.createRoom(bot, { preset: "private_chat", invite: members, ...more });
  for (const member of members) await homeserver.join(made, member);
  return made;
}

const says = (body: string) => ({ msgtype: "m.text", body, "m.mentions": {} });

test("Users of ours exist, have their names, and cost a second start no request", async () => {
  expect(await homeserver.whoami(ada)).toBe(ada);
  expect(await homeserver.profile(ada)).toEqual({ name: "Ada" });
  await homeserver.register(ada);
  const before = requests;
  await ghosts().ensure({ user: ada, name: "Ada" });
  expect(requests).toBe(before);
});

test("A send repeated after Synapse was killed gives the same event, once in the room", async () => {
  const place = await newRoom([ada]);
  const send = () => homeserver.send(place, ada, "m.room.message", says("only once"), "restart-1");
  const first = await send();
  expect(await send()).toBe(first);
  await synapse.kill();
  let retries = 0;
  const again = retrying(send, { maxWaitMs: 500, onRetry: () => retries++ });
  await synapse.start();
  expect(await again).toBe(first);
  expect(retries).toBeGreaterThan(0);
  const found = (await homeserver.request({
    method: "GET",
    path: `/_matrix/client/v3/rooms/${encodeURIComponent(place)}/messages`,
    as: bot,
    query: { dir: "b", limit: "50" },
  })) as { chunk: { content: { body?: string } }[] };
  expect(found.chunk.filter(({ content }) => content.body === "only once")).toHaveLength(1);
});

test("Two agents who send in lockstep lose nothing", async () => {
  const place = await newRoom([ada, bo]);
  const invite = await homeserver.setState(place, bot, "dev.example.mark", "", {});
  const rounds = Array.from({ length: 20 }, (_, n) => n);
  const sent = await Promise.all(
    rounds.flatMap((n) =>
      [ada, bo].map((as) => homeserver.send(place, as, "m.room.message", says(`${as} ${n}`), `lockstep-${as}-${n}`)),
    ),
  );
  expect(new Set(sent).size).toBe(40);
  const since = (await reads.messagesSince(place, bot, invite)) as { event_id: string }[];
  expect(new Set(since.map((one) => one.event_id))).toEqual(new Set(sent));
});

test("A user, or its device, that Synapse does not know is told, and made by the next ensure", async () => {
  const cleo = user("@agent_cleo:localhost");
  const place = await newRoom([ada], { preset: "public_chat" });
  const failure = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  expect(isGhostMissing(await failure(homeserver.join(place, cleo)))).toBe(true);
  await homeserver.register(cleo);
  await homeserver.join(place, cleo);
  const send = () => homeserver.send(place, cleo, "m.room.message", says("hello"), "cleo-1");
  expect(isGhostMissing(await failure(send()))).toBe(true);
  // The facts of an earlier database say that all is well.
  meta.set(`ghost:${cleo}`, { able: true, name: "Cleo" });
  const made = ghosts();
  await made.ensure({ user: cleo, name: "Cleo" });
  await made.forget(cleo);
  await made.ensure({ user: cleo, name: "Cleo" });
  await send();
  // No member of the room is no missing user.
  expect(isGhostMissing(await failure(homeserver.send(place, bo, "m.room.message", says("x"), "bo-1")))).toBe(false);
});

test.each(["11", "12"])("A snapshot tells what a room of version %s is", async (version) => {
  const old = await newRoom([]);
  const place = await homeserver.createRoom(bot, {
    room_version: version,
    preset: "private_chat",
    invite: [ada, bo],
    creation_content: { predecessor: { room_id: old, event_id: "$last" } },
    power_level_content_override: { users: version === "12" ? { [ada]: 50 } : { [bot]: 100, [ada]: 50 } },
    initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
  });
  await homeserver.join(place, ada);
  const snapshot = await reads.snapshot(place, ada);
  expect(snapshot).toMatchObject({ version, creators: [bot], encrypted: true, predecessor: old });
  expect(snapshot.power.users?.[ada]).toBe(50);
  expect(snapshot.power.users?.[bot]).toBe(version === "12" ? undefined : 100);
  expect(new Map(snapshot.members.map((one) => [one.user, one.membership]))).toEqual(
    new Map([
      [bot, "join"],
      [ada, "join"],
      [bo, "invite"],
    ]),
  );
});

test("What was said between the invite and the join is read back, and nothing from before", async () => {
  const place = await homeserver.createRoom(bot, { preset: "private_chat" });
  const say = (body: string) => homeserver.send(place, bot, "m.room.message", says(body), `back-${body}`);
  await say("before");
  await homeserver.invite(place, bot, ada);
  const state = (await homeserver.request({
    method: "GET",
    path: `/_matrix/client/v3/rooms/${encodeURIComponent(place)}/state`,
    as: bot,
  })) as { event_id: string; state_key: string }[];
  const invite = event(state.find((one) => one.state_key === ada)?.event_id ?? "");
  await say("one");
  await say("two");
  await homeserver.join(place, ada);
  const missed = (await reads.messagesSince(place, ada, invite)) as { type: string; content: { body?: string } }[];
  expect(missed.map(({ type, content }) => content.body ?? type)).toEqual(["one", "two", "m.room.member"]);
});

test("An event is found by its time, and nothing after the last", async () => {
  const place = await newRoom([ada]);
  const said = await homeserver.send(place, bot, "m.room.message", says("when?"), "when");
  const found = (await reads.eventFrom(place, ada, 0)) as { type: string };
  expect(found.type).toBe("m.room.create");
  const { origin_server_ts: ts } = (await homeserver.request({
    method: "GET",
    path: `/_matrix/client/v3/rooms/${encodeURIComponent(place)}/event/${encodeURIComponent(said)}`,
    as: ada,
  })) as { origin_server_ts: number };
  expect(await reads.eventFrom(place, ada, ts)).toMatchObject({ event_id: said });
  expect(await reads.eventFrom(place, ada, ts + 1)).toBeUndefined();
});

test("Redactions, receipts, typing, aliases and leaving go through", async () => {
  const place = await newRoom([ada], { room_alias_name: "crewroom-test" });
  expect(await homeserver.resolveAlias(alias("#crewroom-test:localhost"))).toBe(place);
  const said = await homeserver.send(place, bot, "m.room.message", says("oops"), "oops");
  const redact = () => homeserver.redact(place, bot, said, "redact-oops", "a slip");
  expect(await redact()).toBe(await redact());
  await homeserver.receipt(place, ada, said);
  await homeserver.receipt(place, ada, said, "main");
  await homeserver.typing(place, ada, true, 10_000);
  await homeserver.typing(place, ada, false, 10_000);
  expect(await homeserver.joinedRooms(ada)).toContain(place);
  await homeserver.leave(place, ada, "done");
  expect(await homeserver.joinedRooms(ada)).not.toContain(place);
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(place)}/event/${encodeURIComponent(said)}`;
  expect(await homeserver.request({ method: "GET", path, as: bot })).toHaveProperty("content", {});
});

test("A file goes up and comes down again", async () => {
  const bytes = new TextEncoder().encode("a plan");
  const mxc = await homeserver.upload(bytes, "text/plain", "plan é.txt");
  const file = await homeserver.download(mxc, 6);
  expect([Buffer.from(file.bytes).toString(), file.mimeType]).toEqual(["a plan", "text/plain"]);
  await expect(homeserver.download(mxc, 5)).rejects.toMatchObject({ code: "MEDIA_TOO_LARGE" });
});

test("Synapse reaches us through our own ingress, and pushes what happens", async () => {
  await expect(homeserver.ping(registration.id, "nobody-listens")).rejects.toMatchObject({
    errcode: "M_CONNECTION_FAILED",
    retryable: true,
    outage: false,
  });
  const pinged = Promise.withResolvers<string | undefined>();
  const arrived = Promise.withResolvers<unknown>();
  await using ingress = createIngress({
    hsToken: registration.hs_token,
    maxBodyBytes: 1_000_000,
    accept: ({ transaction }) => {
      const found = transaction.events.find((one) => (one as { content: { body?: string } }).content.body === "pushed");
      if (found !== undefined) arrived.resolve(found);
      return Promise.resolve();
    },
    userExists: () => Promise.resolve(false),
    roomAliasExists: () => Promise.resolve(false),
    onPing: pinged.resolve,
    health: () => Promise.resolve(undefined),
    log,
    metrics: createMetrics(),
  });
  await ingress.listen("127.0.0.1", appservicePort);
  // Synapse's first connection after a refused one may fail in Synapse itself; the bridge repeats pings for that.
  const ping = (): Promise<number> => homeserver.ping(registration.id, "p-1");
  expect(await retrying(ping, { maxWaitMs: 100, attempts: 10 })).toBeGreaterThanOrEqual(0);
  expect(await pinged.promise).toBe("p-1");
  const place = await newRoom([ada]);
  await homeserver.send(place, bot, "m.room.message", says("pushed"), "pushed-1");
  expect(await arrived.promise).toMatchObject({ type: "m.room.message", room_id: place, sender: bot });
});
