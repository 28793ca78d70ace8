/** Events as inputs: what breaks the spec is left out, logged by its id and counted; the rest goes on. */
import { decodeEvent, tellEvent } from "../matrix/decode.ts";
import type { OwnUsers } from "../matrix/own-users.ts";
import type { Logger } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Decoded } from "../rooms/intake.ts";

export function createDecoder(
  users: OwnUsers,
  metrics: Pick<Metrics, "eventsMalformed">,
  log: Logger,
): (events: readonly unknown[]) => Decoded {
  const own = { isOwn: users.has.bind(users) };
  return (events) =>
    events.flatMap((raw) => {
      const event = decodeEvent(raw, own);
      if (event === "malformed") {
        metrics.eventsMalformed.inc();
        log.warn(tellEvent(raw), "an event that breaks the spec was left out");
      }
      return typeof event === "string" ? [] : [event];
    });
}
