/** Both ways: we ask the homeserver to ping us (Matrix spec, application service API, "Pinging"). */
import { randomUUID } from "node:crypto";
import type { Registration } from "../matrix/registration.ts";
import { failure, ok, warn, type Finding } from "./finding.ts";
import { statusText, type Answer, type HomeserverProbe } from "./homeserver-probe.ts";
import { PingListener } from "./ping-listener.ts";

export interface PingTarget {
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
}

/** When a bridge runs already, it answers; otherwise we listen in its place for that moment. */
export async function checkPing(
  homeserver: HomeserverProbe,
  registration: Registration,
  target: PingTarget,
): Promise<Finding> {
  try {
    await using listener = await PingListener.open(target, registration.hs_token);
    const path = `/_matrix/client/v1/appservice/${encodeURIComponent(registration.id)}/ping`;
    const answer = await homeserver.askAsBridge("POST", path, { transaction_id: randomUUID() });
    return pingFinding(answer, listener, target);
  } catch (thrown) {
    return failure("ping", thrown);
  }
}

function pingFinding(answer: Answer, listener: PingListener | undefined, target: PingTarget): Finding {
  if (answer.status === 200) {
    const who = listener === undefined ? "the running bridge" : "this command, in the bridge's place";
    return ok("ping", `the homeserver reached ${who} at ${target.address} in ${String(answer.body["duration_ms"])} ms`);
  }
  if (listener?.wrongToken === true) {
    return wrong(
      "the homeserver came with another hs_token",
      "Install this registration in the homeserver and restart it.",
    );
  }
  switch (answer.body["errcode"]) {
    case "M_URL_NOT_SET":
      return wrong(
        "the homeserver's registration has no url",
        "Install this registration in the homeserver and restart it.",
      );
    case "M_CONNECTION_FAILED":
    case "M_CONNECTION_TIMED_OUT":
      return wrong(
        `the homeserver cannot reach the url of its registration (${statusText(answer)})`,
        `Check appservice.address (${target.address}), appservice.hostname and what lies between; then install the registration again.`,
      );
    case "M_BAD_STATUS":
      return wrong(
        `what answers at the registration's url is not this bridge (status ${String(answer.body["status"])})`,
        "Check that appservice.address and appservice.port belong together, and end whatever else listens there.",
      );
    case "M_UNRECOGNIZED":
      return warn("ping", "the homeserver is too old for pings; after an outage it may be slow to come back");
    default:
      return wrong(
        `the homeserver refused to ping (${statusText(answer)})`,
        "Read the reason; usually the registration is another's.",
      );
  }
}

function wrong(what: string, todo: string): Finding {
  return { level: "error", topic: "ping", sentence: `${what} → ${todo}` };
}
