/**
 * From when the homeserver has a person's act (stop, kick, mute) to when no process of the agent's command is left: the
 * event's way to the bridge is in it, so the bridge's own part is less. The command runs in the sandbox, with a child of its
 * own. BENCH_STOPS sets how many there are of each act; default 20.
 */
import process from "node:process";
import { poll } from "../../src/demo/poll.ts";
import { patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";
import { run } from "../support/files.ts";
import { waitForProcess } from "../support/processes.ts";
import { openStage } from "../support/stage.ts";
import type { Measure, Row } from "./row.ts";
import { median, quantile } from "./stats.ts";

const rounds = Number(process.env["BENCH_STOPS"] ?? 20);
const limitMs = 1_000;
/** Nothing else on the machine has it in its command line. */
const marker = "sleep 86399";
const [name, args] = run(`${marker} & wait`);

export const stopChild: Measure = async (progress) => {
  await using stage = await openStage({
    agents: taskCrew,
    permissions: (home) => ({ [home]: "task" }),
    config: { tasks: { plan_approval: "never", max_tries: 10_000, lease_seconds: 86_400 } },
    script: [
      planRule([{ id: "nap" }]),
      // However often it is asked, and whatever its last command answered.
      { when: { role: "executor", step: 1 }, answer: { tools: [{ name, arguments: args }] } },
      { when: { role: ["planner", "executor", "reviewer"] }, answer: { text: "That is all." } },
    ],
  });
  const anna = await stage.person("anna");
  const task = await TaskRoom.openByBot(anna, stage.crew, "Nap — for ever");
  const { room } = task;
  const holder = async (not = ""): Promise<string> => {
    // By the homeserver: after some hundred rounds a client's own view of the state may be a moment old.
    const asked = async (): Promise<string | undefined> => {
      const held: { readonly holder?: string; readonly lease?: object } = await anna.client.getStateEvent(
        room,
        "dev.crewroom.subtask",
        "nap",
      );
      return held.lease === undefined || held.holder === not ? undefined : held.holder;
    };
    return poll(asked, { everyMs: 20, signal: AbortSignal.timeout(patient.timeoutMs) });
  };
  const gone = (): Promise<number> => waitForProcess(marker, { gone: true });

  const acts: Readonly<Record<string, () => Promise<number>>> = {
    stop: async () => {
      await anna.say(room, "!crew stop");
      const took = await gone();
      // What a person stopped rests until a person lets it go on.
      await task.waitForSubtask("nap", "blocked");
      await task.command("unblock nap");
      return took;
    },
    mute: async () => {
      const agent = await holder();
      await anna.setPowerLevel(room, agent, -1);
      const took = await gone();
      await anna.setPowerLevel(room, agent, 0);
      return took;
    },
    kick: async () => {
      const agent = await holder();
      await anna.kick(room, agent);
      const took = await gone();
      // The other one has it from here on.
      await holder(agent);
      await anna.invite(room, agent);
      await anna.waitForMember(room, agent, "join");
      return took;
    },
  };

  const rows: Row[] = [];
  for (const [act, once] of Object.entries(acts)) {
    const took: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await waitForProcess(marker);
      took.push(await once());
    }
    progress(`stop: ${act}, ${took.map((ms) => ms.toFixed(0)).join(" ")} ms`);
    const p99 = quantile(took, 0.99);
    rows.push({
      what: `${act} → the agent's command is gone, p99 of ${rounds}`,
      figure: `${p99.toFixed(0)} ms`,
      limit: `< ${limitMs} ms`,
      comparedWith: `median ${median(took).toFixed(0)} ms, with the homeserver's push`,
      ok: p99 < limitMs,
      runs: took,
    });
  }
  return rows;
};
