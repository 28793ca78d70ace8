import { once } from "node:events";
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import { expect, test } from "vitest";
import { CrewError } from "../../src/core/errors.ts";
import { type Arrival, createIngress, type IngressOptions } from "../../src/matrix/ingress.ts";
import { createLogger } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { Metrics } from "../support/metrics.ts";

const silent = createLogger({ level: "silent", format: "json" });

interface Opened extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly arrivals: Arrival[];
  close(): Promise<void>;
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  ask(method: string, path: string, init?: { body?: string; token?: string | undefined }): Promise<Asked>;
}

interface Asked {
  readonly status: number;
  readonly body: unknown;
}

async function open(options: Partial<IngressOptions> = {}): Promise<Opened> {
  const arrivals: Arrival[] = [];
  const metrics = createMetrics();
  const ingress = createIngress({
    hsToken: "hs-secret",
    maxBodyBytes: 10_000,
    accept: (arrival) => Promise.resolve(void arrivals.push(arrival)),
    userExists: (user) => Promise.resolve(user === "@agent_ada:localhost"),
    roomAliasExists: (alias) => Promise.resolve(alias === "#crewroom:localhost"),
    health: (path) =>
      Promise.resolve(path === "/live" ? { status: 200, contentType: "text/plain", body: "alive" } : undefined),
    log: silent,
    metrics,
    ...options,
  });
  const port = await ingress.listen("127.0.0.1", 0);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    arrivals,
    close: () => ingress.close(),
    metric: async (name, labels) => new Metrics((await metrics.exposition()).body).value(name, labels),
    async ask(method, path, { body, token = "hs-secret" } = {}) {
      const headers: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${token}` };
      const answer = await fetch(url + path, { method, headers, ...(body !== undefined && { body }) });
      const text = await answer.text();
      const isJson = answer.headers.get("content-type") === "application/json";
      return { status: answer.status, body: isJson ? (JSON.parse(text) as unknown) : text };
    },
    [Symbol.asyncDispose]: () => ingress[Symbol.asyncDispose](),
  };
}

const transactions = "/_matrix/app/v1/transactions";

test("A transaction is handed on as it came and parsed, and is answered only when it is kept", async () => {
  const kept = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<Arrival>();
  await using ingress = await open({
    accept: (arrival) => {
      arrived.resolve(arrival);
      return kept.promise;
    },
  });
  const raw = '{ "events": [{"type":"m.room.message","text":"é\\u0000"}, {"type":"m.room.member","state_key":""}, 7] }';
  let isAnswered = false;
  const before = performance.now();
  const asked = ingress.ask("PUT", `${transactions}/a%2F1`, { body: raw }).finally(() => (isAnswered = true));
  const arrival = await arrived.promise;
  expect(arrival).toMatchObject({ txnId: "a/1", raw, transaction: { ephemeral: [] } });
  expect(arrival.transaction.events).toHaveLength(3);
  expect(arrival.arrivedAt).toBeGreaterThan(before);
  // Another request goes all the way there and back meanwhile.
  await ingress.ask("GET", "/live");
  expect(isAnswered).toBe(false);
  expect(await ingress.metric("crewroom_transactions_received_total")).toBe(0);
  kept.resolve();
  expect(await asked).toEqual({ status: 200, body: {} });
  expect(await ingress.metric("crewroom_transactions_received_total")).toBe(1);
  for (const kind of ["message", "state", "other"]) {
    expect(await ingress.metric("crewroom_events_received_total", { kind })).toBe(1);
  }
});

test("What could not be kept is to be repeated", async () => {
  await using ingress = await open({ accept: () => Promise.reject(new Error("the disk is full of secrets")) });
  const answer = await ingress.ask("PUT", `${transactions}/1`, { body: '{"events":[]}' });
  expect(answer).toMatchObject({ status: 500, body: { errcode: "M_UNKNOWN" } });
  expect(JSON.stringify(answer.body)).not.toContain("disk");
});

test("Ephemeral events are read under both keys, once", async () => {
  await using ingress = await open();
  const typing = { type: "m.typing" };
  for (const body of [
    { events: [], ephemeral: [typing] },
    { events: [], "de.sorunome.msc2409.ephemeral": [typing] },
    { events: [], ephemeral: [typing], "de.sorunome.msc2409.ephemeral": [typing] },
  ]) {
    await ingress.ask("PUT", `${transactions}/1`, { body: JSON.stringify(body) });
  }
  expect(ingress.arrivals.map(({ transaction }) => transaction.ephemeral)).toEqual([[typing], [typing], [typing]]);
});

test("Only the homeserver may call, with the header or the older query", async () => {
  await using ingress = await open();
  const put = (token: string, query = "") =>
    ingress.ask("PUT", `${transactions}/1${query}`, { body: '{"events":[]}', token });
  expect(await put("")).toMatchObject({ status: 401, body: { errcode: "M_MISSING_TOKEN" } });
  for (const token of ["wrong", "hs-secret2", "hs-secre"]) {
    expect(await put(token)).toMatchObject({ status: 403, body: { errcode: "M_FORBIDDEN" } });
  }
  expect(await put("wrong", "?access_token=hs-secret")).toMatchObject({ status: 403 });
  expect(await put("", "?access_token=wrong")).toMatchObject({ status: 403 });
  expect(ingress.arrivals).toHaveLength(0);
  expect(await put("", "?access_token=hs-secret")).toMatchObject({ status: 200 });
  expect(ingress.arrivals).toHaveLength(1);
});

test("Unknown addresses and wrong methods are told apart", async () => {
  await using ingress = await open();
  for (const path of [
    "/",
    "/ping",
    "/_matrix/app/v1/nothing/1",
    "/_matrix/app/v1/users/a/b",
    "/_matrix/app/v1/users/%",
  ]) {
    expect(await ingress.ask("GET", path)).toMatchObject({ status: 404, body: { errcode: "M_UNRECOGNIZED" } });
  }
  for (const [method, path] of [
    ["POST", `${transactions}/1`],
    ["GET", "/_matrix/app/v1/ping"],
    ["PUT", "/_matrix/app/v1/users/@a:b"],
  ] as const) {
    expect(await ingress.ask(method, path)).toMatchObject({ status: 405, body: { errcode: "M_UNRECOGNIZED" } });
  }
});

test("Users and rooms are looked up, also at the older addresses", async () => {
  await using ingress = await open();
  for (const prefix of ["/_matrix/app/v1", ""]) {
    const get = (path: string) => ingress.ask("GET", `${prefix}${path}`);
    expect(await get("/users/%40agent_ada%3Alocalhost")).toEqual({ status: 200, body: {} });
    expect(await get("/users/@agent_eve:localhost")).toMatchObject({ status: 404, body: { errcode: "M_NOT_FOUND" } });
    expect(await get("/rooms/%23crewroom%3Alocalhost")).toEqual({ status: 200, body: {} });
    expect(await get("/rooms/no-alias")).toMatchObject({ status: 404, body: { errcode: "M_NOT_FOUND" } });
  }
  expect(await ingress.ask("GET", "/_matrix/app/v1/thirdparty/protocol/irc")).toMatchObject({
    status: 404,
    body: { errcode: "M_NOT_FOUND" },
  });
  await ingress.ask("PUT", "/transactions/1", { body: '{"events":[]}' });
  expect(ingress.arrivals).toHaveLength(1);
});

test("A ping is heard, with its transaction id when it has one", async () => {
  const pings: (string | undefined)[] = [];
  await using ingress = await open({ onPing: (txnId) => pings.push(txnId) });
  const ping = (body?: string) => ingress.ask("POST", "/_matrix/app/v1/ping", body === undefined ? {} : { body });
  expect(await ping('{"transaction_id":"p1"}')).toEqual({ status: 200, body: {} });
  expect(await ping()).toEqual({ status: 200, body: {} });
  expect(await ping("{")).toMatchObject({ status: 400, body: { errcode: "M_NOT_JSON" } });
  expect(pings).toEqual(["p1", undefined]);
});

test("Health needs no token", async () => {
  await using ingress = await open();
  expect(await ingress.ask("GET", "/live", { token: "" })).toEqual({ status: 200, body: "alive" });
});

test("A body that cannot be read is refused and counted, one with odd events is kept", async () => {
  await using ingress = await open();
  const put = (body: string) => ingress.ask("PUT", `${transactions}/1`, { body });
  expect(await put('{"events":[')).toMatchObject({ status: 400, body: { errcode: "M_NOT_JSON" } });
  expect(await put("")).toMatchObject({ status: 400, body: { errcode: "M_NOT_JSON" } });
  expect(await put('{"events":{}}')).toMatchObject({ status: 400, body: { errcode: "M_BAD_JSON" } });
  expect(await put("[]")).toMatchObject({ status: 400, body: { errcode: "M_BAD_JSON" } });
  expect(await ingress.metric("crewroom_events_malformed_total")).toBe(4);
  expect(await put('{"events":[null,1,"x",[],{}]}')).toEqual({ status: 200, body: {} });
  expect(ingress.arrivals).toHaveLength(1);
});

test("A body above the limit is refused, whether its size is announced or not, and the connection stays in step", async () => {
  await using ingress = await open();
  const large = "x".repeat(10_000_000);
  const announced = await ingress.ask("PUT", `${transactions}/1`, { body: large });
  expect(announced).toMatchObject({ status: 413, body: { errcode: "M_TOO_LARGE" } });
  const chunked = await fetch(`${ingress.url}${transactions}/1`, {
    method: "PUT",
    headers: { authorization: "Bearer hs-secret" },
    body: new Blob([large]).stream(),
    duplex: "half",
  });
  expect(chunked.status).toBe(413);
  expect(await ingress.ask("PUT", `${transactions}/2`, { body: '{"events":[]}' })).toMatchObject({ status: 200 });
  expect(ingress.arrivals).toHaveLength(1);
});

test("A request that breaks off is forgotten", async () => {
  await using ingress = await open();
  const socket = connect(ingress.port, "127.0.0.1");
  socket.write(
    `PUT ${transactions}/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hs-secret\r\nContent-Length: 100\r\n\r\n{"events"`,
  );
  await once(socket, "connect");
  socket.destroy();
  expect(await ingress.ask("PUT", `${transactions}/2`, { body: '{"events":[]}' })).toMatchObject({ status: 200 });
  expect(ingress.arrivals.map(({ txnId }) => txnId)).toEqual(["2"]);
});

test("Closing waits for what is under way, and then nobody can connect", async () => {
  const kept = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const ingress = await open({
    accept: () => {
      arrived.resolve();
      return kept.promise;
    },
  });
  const asked = ingress.ask("PUT", `${transactions}/1`, { body: '{"events":[]}' });
  await arrived.promise;
  const closed = ingress.close();
  kept.resolve();
  expect(await asked).toMatchObject({ status: 200 });
  await closed;
  await expect(ingress.ask("GET", "/live")).rejects.toThrow("fetch failed");
  await ingress.close();
});

test("A port that is taken is told", async () => {
  await using first = await open();
  const second = createIngress({
    hsToken: "x",
    maxBodyBytes: 1,
    accept: () => Promise.resolve(),
    userExists: () => Promise.resolve(false),
    roomAliasExists: () => Promise.resolve(false),
    health: () => Promise.resolve(undefined),
    log: silent,
    metrics: createMetrics(),
  });
  const failure: unknown = await second.listen("127.0.0.1", first.port).catch((thrown: unknown) => thrown);
  expect(failure).toBeInstanceOf(CrewError);
  expect(failure).toMatchObject({ code: "PORT_TAKEN", details: { port: first.port } });
});
