/** From a change on disk to its commit as a person's client sees it in the room, beside a message sent to the same Synapse. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openFilesStage } from "./files-stage.ts";
import type { Measure } from "./row.ts";
import { median, quantile } from "./stats.ts";

const changes = 40;
const warmUp = 3;
/** Between two, so that what one leaves to do does not fall into the time of the next. */
const restMs = 500;
/** `files.quiet_ms` of the config's defaults. */
const quietMs = 1_000;
const limitMs = 2_500;

export const files: Measure = async (progress) => {
  await using stage = await openFilesStage({ parts: [{ id: "work" }] });
  const took: number[] = [];
  const raw: number[] = [];
  for (let n = 0; n < warmUp + changes; n++) {
    const changed = `note-${n % 10}.md`;
    const { began, heard } = await stage.change(changed, () =>
      writeFile(path.join(stage.worktree, changed), `${n}: what an agent writes in one go\n`.repeat(20)),
    );
    await delay(restMs);
    const straight = await stage.anna.talk(stage.aside, stage.anna.user, `message ${n} of ${changes}`);
    await delay(restMs);
    if (n < warmUp) continue;
    took.push(heard - began);
    raw.push(straight);
    if (took.length % 10 === 0)
      progress(`files: ${took.length} of ${changes} changes, median ${median(took).toFixed(0)} ms`);
  }
  const ms = (samples: readonly number[]): string =>
    `p50 ${median(samples).toFixed(0)} ms, p95 ${quantile(samples, 0.95).toFixed(0)} ms`;
  const p95 = quantile(took, 0.95);
  const beyond = (median(took) - quietMs) / median(raw);
  return [
    {
      what: "Change on disk → its commit in a person's client",
      figure: `${ms(took)}; ${beyond.toFixed(1)} × a message beyond the quiet second`,
      limit: `p95 < ${limitMs} ms`,
      comparedWith: `one message of their own, sent and back in their client: ${ms(raw)}`,
      ok: p95 < limitMs,
      runs: took,
    },
  ];
};
