/** Memory of a bridge whose 100 agents sit in 10 rooms on a real Synapse and have nothing to do. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../src/demo/ports.ts";
import { writeCrew } from "../support/crew.ts";
import { freshSynapse } from "../support/fresh-synapse.ts";
import { startBenchBridge } from "./bench-bridge.ts";
import { startChild } from "./child.ts";
import type { Measure } from "./row.ts";
import { rssOf } from "./rss.ts";
import { Talker } from "./talker.ts";

const serverName = "localhost";
const agents = Array.from({ length: 100 }, (_, n) => `a${String(n).padStart(2, "0")}`);
const rooms = 10;
const settleMs = 5_000;
const limitMb = 160;

export const memory: Measure = async (progress) => {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-bench-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const port = await freePort();
  const crew = await writeCrew({
    directory,
    homeserver: { url: `http://127.0.0.1:${port}`, serverName },
    modelUrl: "http://127.0.0.1:9/v1",
    agents,
  });
  const synapse = opened.use(await freshSynapse({ serverName, port, registrations: [crew.registrationFile] }));
  const bridge = opened.use(await startBenchBridge(crew));
  const idle = opened.use(await startChild("idle.ts", {}));
  const pid = (): number => bridge.pid ?? 0;
  const settled = async (what: string): Promise<number> => {
    await delay(settleMs);
    const rss = await rssOf(pid());
    progress(`memory, ${what}: ${rss.toFixed(0)} MB`);
    return rss;
  };

  await settled("100 agents made, in no room");
  const anna = opened.use(new Talker(synapse.url, await synapse.registerUser("anna", "a password of anna")));
  const perRoom = agents.length / rooms;
  for (let room = 0; room < rooms; room++) {
    await anna.room(agents.slice(room * perRoom, (room + 1) * perRoom).map((id) => crew.agent(id)));
    progress(`memory: ${room + 1} of ${rooms} rooms`);
  }
  const joined = await settled("all joined");
  await bridge.restart();
  const restarted = await settled("started again");
  const bare = await rssOf(idle.pid);
  return [
    {
      what: "Memory, 100 idle agents in 10 rooms",
      figure: `${joined.toFixed(0)} MB; ${restarted.toFixed(0)} MB after a restart`,
      limit: `≤ ${limitMb} MB`,
      comparedWith: `a Node that only listens: ${bare.toFixed(0)} MB`,
      ok: Math.max(joined, restarted) <= limitMb,
      runs: [joined, restarted],
    },
  ];
};
