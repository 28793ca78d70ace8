/** What decisions note, counted; what an operator should see of it is logged. */
import type { Note } from "../core/draft.ts";
import type { RoomId } from "../core/ids.ts";
import type { Logger } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

export function createNotes(
  metrics: Pick<Metrics, "breakerTrips" | "subtaskMoves" | "patrolActions" | "asks">,
  log: Pick<Logger, "info" | "warn">,
): (room: RoomId, note: Note) => void {
  return (room, note) => {
    switch (note.kind) {
      case "breakerTripped":
        metrics.breakerTrips.inc({ reason: note.limit });
        log.warn({ room, reason: note.reason }, "the breaker tripped");
        break;
      case "moved":
        metrics.subtaskMoves.inc({ move: note.move });
        break;
      case "patrolled":
        metrics.patrolActions.inc({ kind: note.what });
        log.info({ room, what: note.what }, "the patrol acted");
        break;
      case "asked":
        metrics.asks.inc({ matter: note.matter, outcome: note.outcome });
        break;
      case "duplicate":
      case "refused":
    }
  };
}
