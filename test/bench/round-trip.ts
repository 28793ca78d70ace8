/**
 * Person → agent → person on a real Synapse, with a model that answers at once; and the same with a bare echo on the same
 * Synapse, in turns, so that whatever else the machine does meets both. Added latency comes from the bridge's own
 * histogram of the same rounds.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../src/demo/ports.ts";
import { receiptDelayMs } from "../../src/matrix/receipts.ts";
import { startRehearsal } from "../../src/models/rehearsal/server.ts";
import { writeCrew } from "../support/crew.ts";
import { freshSynapse } from "../support/fresh-synapse.ts";
import { repeat } from "../support/stage.ts";
import { startBenchBridge } from "./bench-bridge.ts";
import { startChild } from "./child.ts";
import { boundOf, samplesBetween } from "./latency.ts";
import type { Measure } from "./row.ts";
import { median, quantile } from "./stats.ts";
import { Talker } from "./talker.ts";

const serverName = "localhost";
const rounds = 100;
const warmUp = 20;
/** Between rounds, so that what one leaves to do (the agent's read receipt) does not fall into the time of the next. */
const restMs = 2 * receiptDelayMs;
const ratioLimit = 1.25;
const latencyLimitMs = 10;

export const roundTrip: Measure = async (progress) => {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-bench-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));

  const rehearsal = opened.use(await startRehearsal({ scripts: [{ rules: [repeat] }] }));
  const port = await freePort();
  const crew = await writeCrew({
    directory: path.join(directory, "bridge"),
    homeserver: { url: `http://127.0.0.1:${port}`, serverName },
    modelUrl: rehearsal.url,
    agents: ["ada"],
  });
  const echo = await echoRegistration(directory);
  const registrations = [crew.registrationFile, echo.file];
  const synapse = opened.use(await freshSynapse({ serverName, port, registrations }));
  opened.use(
    await startChild("echo.ts", { homeserver: synapse.url, port: echo.port, token: echo.token, user: echo.user }),
  );
  const bridge = opened.use(await startBenchBridge(crew));

  const account = await synapse.registerUser("anna", "a password of anna");
  const anna = opened.use(new Talker(synapse.url, account));
  const ada = { user: crew.agent("ada"), room: await anna.room([crew.agent("ada")]), took: [] as number[] };
  const bare = { user: echo.user, room: await anna.room([echo.user]), took: [] as number[] };
  await anna.listen();

  let before = await bridge.metrics();
  for (let round = 0; round < warmUp + rounds; round++) {
    if (round === warmUp) before = await bridge.metrics();
    for (const other of round % 2 === 0 ? [ada, bare] : [bare, ada]) {
      const took = await anna.talk(other.room, other.user, `round ${round} of ${rounds}`);
      if (round >= warmUp) other.took.push(took);
      await delay(restMs);
    }
    if (round % 20 === 19) progress(`round trips: ${round + 1} of ${warmUp + rounds}`);
  }
  const after = await bridge.metrics();

  const ratio = median(ada.took) / median(bare.took);
  const p50 = boundOf(0.5, before, after);
  const p99 = boundOf(0.99, before, after);
  const ms = (samples: readonly number[]): string =>
    `p50 ${median(samples).toFixed(1)} ms, p99 ${quantile(samples, 0.99).toFixed(1)} ms`;
  return [
    {
      what: "Added latency, arrival of the PUT to the turn's dispatch",
      figure: `p50 ≤ ${p50} ms, p99 ≤ ${p99} ms`,
      limit: `p99 < ${latencyLimitMs} ms`,
      comparedWith: `${samplesBetween(before, after)} turns; bounds of the histogram's buckets`,
      ok: p99 < latencyLimitMs,
      runs: [p50, p99],
    },
    {
      what: "Person → agent → person",
      figure: `${ratio.toFixed(2)} × the echo; ${ms(ada.took)}`,
      limit: `≤ ${ratioLimit} ×`,
      comparedWith: `bare echo: ${ms(bare.took)}`,
      ok: ratio <= ratioLimit,
      runs: ada.took.map((took, round) => took / (bare.took[round] ?? Number.NaN)),
    },
  ];
};

async function echoRegistration(directory: string) {
  const port = await freePort();
  const token = randomBytes(32).toString("hex");
  const user = `@echo:${serverName}`;
  const file = path.join(directory, "echo.yaml");
  // YAML takes JSON as it is.
  const registration = {
    id: "echo",
    url: `http://127.0.0.1:${port}`,
    as_token: token,
    hs_token: randomBytes(32).toString("hex"),
    sender_localpart: "echo",
    rate_limited: false,
    namespaces: { users: [{ exclusive: true, regex: user }], aliases: [], rooms: [] },
  };
  await writeFile(file, JSON.stringify(registration));
  return { file, port, token, user };
}
