/** Is there a homeserver, which one, and does it know us? */
import { botUserId } from "../core/ids.ts";
import { CrewError } from "../core/errors.ts";
import { failure, ok, warn, type Finding } from "./finding.ts";
import { statusText, type HomeserverProbe } from "./homeserver-probe.ts";

/** The first version of the Matrix spec with all that Crewroom uses: authenticated media (pings came in v1.7). */
const needed = "v1.11";

export async function checkHomeserver(homeserver: HomeserverProbe, domain: string): Promise<readonly Finding[]> {
  try {
    const versions = await versionsFinding(homeserver);
    if (versions.level === "error" || !homeserver.hasToken) return [versions];
    return [versions, await tokenFinding(homeserver, domain)];
  } catch (thrown) {
    return [failure("homeserver", thrown)];
  }
}

async function versionsFinding(homeserver: HomeserverProbe): Promise<Finding> {
  const answer = await homeserver.ask("/_matrix/client/versions");
  const versions = Array.isArray(answer.body["versions"])
    ? answer.body["versions"].filter((version): version is string => typeof version === "string")
    : undefined;
  if (answer.status !== 200 || versions === undefined) {
    const reason = `it is no Matrix homeserver (${statusText(answer)} to /_matrix/client/versions)`;
    return failure("homeserver", new CrewError("HOMESERVER_UNREACHABLE", { address: homeserver.address, reason }));
  }
  const latest = versions.sort((a, b) => minorOf(a) - minorOf(b)).at(-1) ?? "none";
  const synapse = /^Synapse\/(\S+)/.exec(answer.server)?.[1];
  const server = synapse === undefined ? await serverVersion(homeserver) : `Synapse ${synapse}`;
  const sentence = `${server} at ${homeserver.address} speaks Matrix up to ${latest}`;
  return minorOf(latest) >= minorOf(needed)
    ? ok("homeserver", sentence)
    : warn("homeserver", `${sentence}; Crewroom needs ${needed}, so update the homeserver`);
}

/** `v1.12` → 12; older schemes (`r0.6.1`) count as 0. */
function minorOf(version: string): number {
  return Number(/^v1\.(\d+)$/.exec(version)?.[1] ?? 0);
}

/** `Conduit 0.10`. Only told on the federation API, which need not be served at this address. */
async function serverVersion(homeserver: HomeserverProbe): Promise<string> {
  const unknown = "A homeserver that does not tell its version";
  try {
    const { body } = await homeserver.ask("/_matrix/federation/v1/version");
    const server: unknown = body["server"];
    if (typeof server !== "object" || server === null || !("name" in server) || !("version" in server)) return unknown;
    return `${String(server.name)} ${String(server.version)}`;
  } catch {
    return unknown;
  }
}

async function tokenFinding(homeserver: HomeserverProbe, domain: string): Promise<Finding> {
  const answer = await homeserver.askAsBridge("GET", "/_matrix/client/v3/account/whoami");
  const bot = botUserId(domain);
  if (answer.status === 401) return failure("token", new CrewError("TOKEN_UNKNOWN"));
  // Before the first start the homeserver may know the token but not yet the bot's account.
  if (answer.status === 403) return ok("token", `known; ${bot} is made at the first start`);
  if (answer.status !== 200) {
    const what = { what: "/account/whoami", status: answer.status, errcode: "", reason: statusText(answer) };
    return failure("token", new CrewError("HOMESERVER_REFUSED", what));
  }
  const user = answer.body["user_id"];
  if (user === bot) return ok("token", `known; Crewroom is ${bot}`);
  return {
    level: "error",
    topic: "token",
    sentence: `the homeserver says that we are ${String(user)}, not ${bot} → Correct homeserver.domain, then make a new registration.`,
  };
}
