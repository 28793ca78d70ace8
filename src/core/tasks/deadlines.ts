/** When a room wants a `tick`. Nothing runs in between: an idle crew costs nothing. */
import type { RoomState } from "../room.ts";
import type { World } from "../world.ts";
import { isClosed, subtasksOf } from "./derive.ts";
import { checkpointsOf, waitMark, waitOf } from "./patrol.ts";

/** Milliseconds since the epoch; `undefined` when nothing is waited for. It may lie in the past. */
export function nextDeadline(state: RoomState, world: World): number | undefined {
  if (state.lock !== undefined) return undefined;
  const { task, asks = [] } = state;
  const times = asks.map(({ deadline }) => deadline);
  if (state.spending?.heldUntil !== undefined) times.push(state.spending.heldUntil);
  if (task !== undefined && !isClosed(task) && task.paused === undefined) {
    for (const subtask of subtasksOf(task)) {
      for (const lease of [subtask.lease, subtask.reviewLease]) {
        if (lease === undefined) continue;
        times.push(lease.until);
        if (lease.retryAt !== undefined) times.push(lease.retryAt);
      }
      const wait = waitOf({ world }, subtask);
      if (wait !== undefined && !subtask.checked.includes(waitMark(wait, subtask)))
        times.push(subtask.since + wait.minutes * 60_000);
      for (const [, at] of checkpointsOf({ world }, subtask)) times.push(at);
    }
    if (asks.length === 0 && task.silent !== true) times.push(task.lastAct + world.patrol.silence_minutes * 60_000);
  }
  return times.length === 0 ? undefined : Math.min(...times);
}
