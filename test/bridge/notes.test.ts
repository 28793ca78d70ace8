import { expect, test } from "vitest";
import { createNotes } from "../../src/bridge/notes.ts";
import { createLogger } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { boss, room } from "../core/scene.ts";

test("what decisions note is counted by what it was", async () => {
  const metrics = createMetrics();
  const note = createNotes(metrics, createLogger({ level: "silent", format: "json" }));
  note(room, { kind: "moved", move: "submit" });
  note(room, { kind: "moved", move: "submit" });
  note(room, { kind: "patrolled", what: "lease_expired" });
  note(room, { kind: "asked", matter: "plan", outcome: "approve" });
  note(room, { kind: "breakerTripped", limit: "hops", reason: "Too many." });
  note(room, { kind: "refused", user: boss });
  const { body } = await metrics.exposition();
  const counted = body.split("\n").filter((line) => /^crewroom_\w+_total\{/.test(line));
  expect(counted).toEqual([
    'crewroom_breaker_trips_total{reason="hops"} 1',
    'crewroom_subtask_moves_total{move="submit"} 2',
    'crewroom_patrol_actions_total{kind="lease_expired"} 1',
    'crewroom_asks_total{matter="plan",outcome="approve"} 1',
  ]);
});
