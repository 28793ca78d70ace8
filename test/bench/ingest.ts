/**
 * How many events a second the bridge takes in transactions of 100, over real HTTP, with its inbox on disk. The clock
 * stops when the bridge has handled them all, not at the last 200. Beside it, in the same run: a server that only parses,
 * and matrix-bot-sdk. Neither keeps anything.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../src/demo/ports.ts";
import { readRegistration } from "../../src/matrix/registration-file.ts";
import { writeCrew } from "../support/crew.ts";
import { startChild } from "./child.ts";
import { startFakeHomeserver } from "./fake-homeserver.ts";
import type { Measure, Row } from "./row.ts";
import { startBenchBridge } from "./bench-bridge.ts";
import { grouped, median } from "./stats.ts";
import { eventsPerTransaction, Transactions } from "./transactions.ts";

const domain = "bench.example";
const agents = ["ada", "bo", "cleo"] as const;
const roomsOfOurs = Array.from({ length: 10 }, (_, n) => `!ours${n}xyzXYZ:${domain}`);
const transactionsPerRun = 400;
const runs = 5;
const limit = 40_000;

interface Subject {
  readonly name: string;
  readonly url: string;
  /** Resolves when all that it was sent is done with. */
  readonly settled: () => Promise<void>;
}

export const ingest: Measure = async (progress) => {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-bench-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));

  const port = await freePort();
  const homeserver = { url: `http://127.0.0.1:${port}`, serverName: domain };
  const crew = await writeCrew({
    directory,
    homeserver,
    modelUrl: "http://127.0.0.1:9/v1",
    agents,
    // What a run is like in production: one line per transaction would be measured too.
    config: { logging: { level: "warn" } },
  });
  const joined = new Map(agents.map((agent) => [crew.agent(agent), roomsOfOurs]));
  opened.use(await startFakeHomeserver({ port, domain, joined }));
  const bridge = opened.use(await startBenchBridge(crew));
  const { hs_token: hsToken } = await readRegistration(crew.registrationFile);
  const bare = opened.use(await startChild("bare-ingest.ts", {}));
  const sdk = opened.use(await startChild("sdk-ingest.ts", { hsToken, domain, homeserver: homeserver.url }));

  let sent = 0;
  const subjects: readonly Subject[] = [
    {
      name: "bridge",
      url: crew.address,
      settled: async () => {
        sent += transactionsPerRun * eventsPerTransaction;
        while ((await bridge.metrics()).value("crewroom_events_handled_total") < sent);
      },
    },
    { name: "bare", url: `http://127.0.0.1:${bare.port}`, settled: async () => undefined },
    { name: "sdk", url: `http://127.0.0.1:${sdk.port}`, settled: async () => undefined },
  ];

  const transactions = new Transactions({ domain, ours: roomsOfOurs });
  const rates = new Map<string, number[]>();
  for (let run = 0; run <= runs; run++) {
    for (const inFlight of [1, 4]) {
      for (const { name, url, settled } of subjects) {
        const bodies = transactions.next(transactionsPerRun);
        const began = performance.now();
        await send(url, hsToken, bodies, inFlight, run);
        await settled();
        const rate = (bodies.length * eventsPerTransaction * 1_000) / (performance.now() - began);
        progress(`ingest, ${inFlight} in flight, ${name}: ${grouped(rate)} events/s${run === 0 ? " (warm-up)" : ""}`);
        const key = `${name} ${inFlight}`;
        if (run > 0) rates.set(key, [...(rates.get(key) ?? []), rate]);
      }
    }
  }
  const bytes = transactions.next(1)[0]?.length ?? 0;
  return [1, 4].map((inFlight) => rowOf(inFlight, bytes, rates));
};

function rowOf(inFlight: number, bytes: number, rates: ReadonlyMap<string, readonly number[]>): Row {
  const of = (name: string): readonly number[] => rates.get(`${name} ${inFlight}`) ?? [];
  const figure = median(of("bridge"));
  const share = (name: string): string => `${grouped(median(of(name)))} (${(figure / median(of(name))).toFixed(2)} ×)`;
  return {
    what: `Ingest, durable, ${inFlight} in flight, ${grouped(bytes / eventsPerTransaction)} B an event`,
    figure: `${grouped(figure)} events/s; best ${grouped(Math.max(...of("bridge")))}`,
    limit: `≥ ${grouped(limit)} events/s`,
    comparedWith: `node:http and JSON.parse ${share("bare")}, matrix-bot-sdk ${share("sdk")}`,
    ok: figure >= limit,
    runs: of("bridge"),
  };
}

/** Sends them in order, `inFlight` at a time: Synapse sends an application service one at a time. */
async function send(
  url: string,
  token: string,
  bodies: readonly Buffer[],
  inFlight: number,
  run: number,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  let next = 0;
  const sender = async (): Promise<void> => {
    for (let at = next++; at < bodies.length; at = next++) {
      const body = bodies[at] ?? Buffer.alloc(0);
      const address = `${url}/_matrix/app/v1/transactions/${inFlight}-${run}-${at}`;
      await put(address, { ...headers, "content-length": String(body.length) }, body, agent);
    }
  };
  try {
    await Promise.all(Array.from({ length: inFlight }, sender));
  } finally {
    agent.destroy();
  }
}

function put(url: string, headers: Readonly<Record<string, string>>, body: Buffer, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: "PUT", headers, agent }, (answer) => {
      answer.resume();
      answer.once("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))));
    });
    asked.once("error", reject);
    asked.end(body);
  });
}
