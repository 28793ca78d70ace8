import { expect, test } from "vitest";
import { CrewError } from "../../src/core/errors.ts";
import { asMxcUri } from "../../src/core/ids.ts";
import { createHomeserver, type Homeserver } from "../../src/matrix/homeserver.ts";
import { HomeserverError } from "../../src/matrix/homeserver-error.ts";
import { Outage } from "../../src/matrix/outage.ts";
import { createReads } from "../../src/matrix/reads.ts";
import { answering, json, type Answerer } from "./answering.ts";
import { alias, event, room, user } from "./ids.ts";

const ada = user("@agent_ada:localhost:8448");
const bot = user("@crewroom:localhost:8448");
const place = room("!ro/om:localhost");

function client(address: string, more: { timeoutMs?: number; outage?: Outage } = {}): Homeserver {
  return createHomeserver({ address, domain: "localhost:8448", asToken: "as-secret", timeoutMs: 5_000, ...more });
}

async function failing(answer: Answerer, timeoutMs?: number): Promise<HomeserverError & { wasUp: boolean }> {
  await using server = await answering(answer);
  const outage = new Outage();
  const homeserver = client(server.address, { outage, ...(timeoutMs !== undefined && { timeoutMs }) });
  const failure: unknown = await homeserver
    .send(place, ada, "m.room.message", {}, "t")
    .catch((thrown: unknown) => thrown);
  if (!(failure instanceof HomeserverError)) throw new Error(`no HomeserverError: ${String(failure)}`);
  return Object.assign(failure, { wasUp: outage.up });
}

test("A send goes to its own path, for its user and that user's device, with the token in the header only", async () => {
  await using server = await answering((_asked, response) => json(response, 200, { event_id: "$one" }));
  const sent = await client(`${server.address}/`).send(place, ada, "m.room.message", { body: "hi" }, "turn/1#é");
  expect(sent).toBe("$one");
  const [asked] = server.asked;
  expect(asked).toMatchObject({
    method: "PUT",
    path: "/_matrix/client/v3/rooms/!ro/om:localhost/send/m.room.message/turn/1#é",
    body: '{"body":"hi"}',
  });
  expect([...(asked?.query ?? [])]).toEqual([
    ["user_id", ada],
    ["device_id", "CREWROOM"],
  ]);
  expect(asked?.headers.authorization).toBe("Bearer as-secret");
});

test("Versions are asked as nobody, and a join names the servers that know the room", async () => {
  await using server = await answering((asked, response) =>
    json(response, 200, asked.path.endsWith("versions") ? { versions: ["v1.12"] } : { room_id: "!x" }),
  );
  expect(await client(server.address).versions()).toEqual(["v1.12"]);
  expect(await client(server.address).join(place, ada, ["a.org", "b.org:8448"])).toBe("!x");
  expect(server.asked[0]?.headers.authorization).toBeUndefined();
  expect(server.asked[1]?.query.getAll("via")).toEqual(["a.org", "b.org:8448"]);
  expect(server.asked[1]?.query.getAll("server_name")).toEqual(["a.org", "b.org:8448"]);
});

test("A refusal is final and says why", async () => {
  const failure = await failing((_asked, response) =>
    json(response, 403, { errcode: "M_FORBIDDEN", error: "Not joined" }),
  );
  expect(failure).toMatchObject({ code: "HOMESERVER_REFUSED", status: 403, errcode: "M_FORBIDDEN", retryable: false });
  expect(failure.message).toBe("The homeserver refused a message (m.room.message): 403 M_FORBIDDEN Not joined.");
  expect(failure.wasUp).toBe(true);
});

test("An unknown token is told as such, an unknown user is not taken for it", async () => {
  const token = await failing((_asked, response) => json(response, 401, { errcode: "M_UNKNOWN_TOKEN", error: "?" }));
  expect(token).toMatchObject({ code: "TOKEN_UNKNOWN", retryable: false });
  const ghost = await failing((_asked, response) =>
    json(response, 401, {
      errcode: "M_UNKNOWN_TOKEN",
      error: "Application service has not registered this user (@a:b)",
    }),
  );
  expect(ghost.code).toBe("HOMESERVER_REFUSED");
});

test("A rate limit may be retried, after the time in the header or else in the body", async () => {
  const body = { errcode: "M_LIMIT_EXCEEDED", error: "slow", retry_after_ms: 1234 };
  const inBody = await failing((_asked, response) => json(response, 429, body));
  expect(inBody).toMatchObject({ retryable: true, retryAfterMs: 1234, outage: false });
  const inHeader = await failing((_asked, response) => json(response, 429, body, { "retry-after": "7" }));
  expect(inHeader.retryAfterMs).toBe(7000);
});

test("An error of the homeserver itself may be retried, and is no outage", async () => {
  const failure = await failing((_asked, response) =>
    json(response, 502, { errcode: "M_UNKNOWN", error: "no server" }),
  );
  expect(failure).toMatchObject({ code: "HOMESERVER_UNREACHABLE", status: 502, retryable: true, outage: false });
  expect(failure.wasUp).toBe(true);
});

test.each([
  ["a bad gateway in HTML", 502, "<html>"],
  ["a success that is no JSON", 200, "<html>"],
  ["a not-found page of a proxy", 404, "nothing here"],
])("What a proxy answers may be retried and is an outage: %s", async (_name, status, text) => {
  const failure = await failing((_asked, response) => response.writeHead(status).end(text));
  expect(failure).toMatchObject({
    code: "HOMESERVER_UNREACHABLE",
    status,
    retryable: true,
    outage: true,
    wasUp: false,
  });
});

test("What is too large for a proxy is not sent again", async () => {
  const failure = await failing((_asked, response) => response.writeHead(413).end("<html>"));
  expect(failure).toMatchObject({ code: "HOMESERVER_REFUSED", retryable: false });
});

test("A broken connection, a closed port and silence may be retried, and are outages", async () => {
  const facts = { code: "HOMESERVER_UNREACHABLE", status: undefined, retryable: true, outage: true };
  expect(await failing((_asked, response) => response.destroy())).toMatchObject(facts);
  const silent = await failing(() => undefined, 50);
  expect(silent).toMatchObject(facts);
  expect(silent.message).toContain("no answer within 50 ms");
  const closed = await answering(() => undefined);
  await closed[Symbol.asyncDispose]();
  await expect(client(closed.address).whoami()).rejects.toMatchObject(facts);
});

test("A join that takes too long is no outage: another homeserver may be the slow one", async () => {
  await using server = await answering(() => undefined);
  const outage = new Outage();
  const joining = client(server.address, { outage }).join(place, ada, [], { timeoutMs: 50 });
  await expect(joining).rejects.toMatchObject({ retryable: true, outage: false });
  expect(outage.up).toBe(true);
});

test("An aborted call rejects with the signal's reason and says nothing about the homeserver", async () => {
  const stop = new AbortController();
  const reason = new Error("the turn was stopped");
  await using server = await answering(() => stop.abort(reason));
  const outage = new Outage();
  const homeserver = client(server.address, { outage });
  await expect(homeserver.send(place, ada, "m.room.message", {}, "t", { signal: stop.signal })).rejects.toBe(reason);
  await expect(homeserver.whoami(ada, { signal: stop.signal })).rejects.toBe(reason);
  expect(outage.up).toBe(true);
  expect(server.asked).toHaveLength(1);
});

test("Neither the failure nor its cause holds the token", async () => {
  const failure = await failing((_asked, response) => response.destroy());
  expect(JSON.stringify([failure, failure.message, failure.stack, String(failure.cause)])).not.toContain("as-secret");
});

test("A user or alias that does not exist is no error", async () => {
  await using server = await answering((_asked, response) =>
    json(response, 404, { errcode: "M_NOT_FOUND", error: "" }),
  );
  expect(await client(server.address).resolveAlias(alias("#none:localhost"))).toBeUndefined();
  expect(await client(server.address).profile(ada)).toEqual({});
});

test("A user that exists already counts as registered", async () => {
  await using server = await answering((_asked, response) =>
    json(response, 400, { errcode: "M_USER_IN_USE", error: "" }),
  );
  await client(server.address).register(ada);
  expect(JSON.parse(server.asked[0]?.body ?? "")).toEqual({
    type: "m.login.application_service",
    username: "agent_ada",
    inhibit_login: true,
  });
});

test("A download stops at the limit, whether the size was announced or not", async () => {
  const mxc = asMxcUri("mxc://localhost/picture");
  if (mxc === undefined) throw new Error("no mxc");
  await using announced = await answering((_asked, response) => {
    response.writeHead(200, { "content-type": "Image/PNG; x=y", "content-length": "100" }).end(Buffer.alloc(100, 1));
  });
  const fits = await client(announced.address).download(mxc, 100);
  expect(fits).toMatchObject({ mimeType: "image/png" });
  expect(fits.bytes.byteLength).toBe(100);
  expect(announced.asked[0]?.path).toBe("/_matrix/client/v1/media/download/localhost/picture");
  await expect(client(announced.address).download(mxc, 99)).rejects.toMatchObject({ code: "MEDIA_TOO_LARGE" });

  // Never ends: only the limit can end this.
  await using endless = await answering((_asked, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
    };
    response.on("drain", more);
    more();
  });
  const failure: unknown = await client(endless.address)
    .download(mxc, 1_000_000)
    .catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(CrewError);
  expect(failure).toMatchObject({ code: "MEDIA_TOO_LARGE", details: { limit: 1_000_000 } });
});

test("A read of the SDK fails in the same words as our own requests", async () => {
  const outage = new Outage();
  await using server = await answering((_asked, response, nth) => {
    if (nth === 1) json(response, 403, { errcode: "M_FORBIDDEN", error: "Not in the room" });
    else if (nth === 2) response.writeHead(502).end("<html>");
    else if (nth === 3) response.destroy();
    else if (nth === 4) response.writeHead(200).end("no json");
  });
  const reads = createReads({ address: server.address, asToken: "as-secret", bot, timeoutMs: 200, outage });
  const read = () => reads.snapshot(place, ada);
  await expect(read()).rejects.toMatchObject({ code: "HOMESERVER_REFUSED", errcode: "M_FORBIDDEN", retryable: false });
  expect(outage.up).toBe(true);
  for (let nth = 2; nth <= 5; nth++) {
    await expect(read()).rejects.toMatchObject({ code: "HOMESERVER_UNREACHABLE", retryable: true, outage: true });
  }
  expect(outage.up).toBe(false);
});

test("A read for which nobody waits any longer ends at once", async () => {
  const stop = new AbortController();
  await using server = await answering(() => stop.abort(new Error("stopping")));
  const reads = createReads({ address: server.address, asToken: "as-secret", bot });
  await expect(reads.snapshot(place, ada, { signal: stop.signal })).rejects.toThrow("stopping");
});

test("What came after the invite is read page by page, and nothing before it", async () => {
  const events = Array.from({ length: 250 }, (_, n) => ({ event_id: `$${n}`, origin_server_ts: n }));
  const newestFirst = events.toReversed();
  await using server = await answering((asked, response) => {
    const single = /\/event\/\$(\d+)$/.exec(asked.path);
    if (single !== null) return json(response, 200, { event_id: `$${single[1]}`, origin_server_ts: Number(single[1]) });
    const from = Number(asked.query.get("from") ?? 0);
    const limit = Number(asked.query.get("limit"));
    const end = from + limit < newestFirst.length ? { end: String(from + limit) } : {};
    return json(response, 200, { chunk: newestFirst.slice(from, from + limit), ...end });
  });
  const reads = createReads({ address: server.address, asToken: "as-secret", bot });
  const since = (invite: string, limit?: number) => reads.messagesSince(place, ada, event(invite), limit);
  expect(await since("$246")).toEqual(events.slice(247));
  expect(await since("$10", 100)).toEqual(events.slice(150));
  expect(await since("$10", 300)).toEqual(events.slice(11));
  // The timeline does not show it: only its time can tell.
  newestFirst.splice(
    newestFirst.findIndex((one) => one.event_id === "$240"),
    1,
  );
  expect(await since("$240", 300)).toEqual(events.slice(241));
});
