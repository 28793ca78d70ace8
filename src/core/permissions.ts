/**
 * Who may do what. The config grants a level to a person (`@you:example.org`), to people whose ids are alike
 * (`@telegram_*:example.org`: mostly none, for another bridge's ghosts), to a homeserver (`example.org`, with its port if it
 * has one), to all homeservers below a domain (`*.example.org`, whatever their port), or to everybody (`*`).
 */
import { globFits } from "./glob.ts";
import { serverOf, type UserId } from "./ids.ts";

/**
 * Every level includes those before it:
 * `observe` reads along, `talk` speaks with agents, `task` asks for tasks, `supervise` steers agents, `admin` runs the crew.
 */
export const levels = ["observe", "talk", "task", "supervise", "admin"] as const;
export type Level = (typeof levels)[number];

/** Takes away what a less specific entry grants. */
export const noLevel = "none";

/** Actor to level, as the config has it. */
export type Permissions = Readonly<Record<string, Level | typeof noLevel>>;

/** Whether `level` includes what `wanted` allows. Nobody without a level may do anything. */
export function atLeast(level: Level | typeof noLevel | undefined, wanted: Level): boolean {
  return level !== undefined && level !== noLevel && levels.indexOf(level) >= levels.indexOf(wanted);
}

/**
 * The level of a person; `undefined` when no actor fits. The most specific actor decides, also when it grants less:
 * the person, then the longest pattern of people's ids, then the homeserver, then the longest domain above it, then `*`.
 */
export function levelOf(permissions: Permissions, user: UserId): Level | undefined {
  const level = [user, ...patternsOf(permissions, user), ...serversOf(user), "*"]
    .map((actor) => (Object.hasOwn(permissions, actor) ? permissions[actor] : undefined))
    .find((one) => one !== undefined);
  return level === noLevel ? undefined : level;
}

/** Whether an entry speaks of several people by their ids. */
export function isPattern(actor: string): boolean {
  return actor.startsWith("@") && actor.includes("*");
}

function patternsOf(permissions: Permissions, user: UserId): readonly string[] {
  const fitting = Object.keys(permissions).filter((actor) => isPattern(actor) && globFits(actor, user));
  return fitting.toSorted((one, other) => other.length - one.length);
}

/** The homeserver of a person, and the domains above it, the most specific first. */
function serversOf(user: UserId): readonly string[] {
  const server = serverOf(user);
  const host = server.replace(/:\d+$/, "");
  const port = server.slice(host.length);
  const labels = host.split(".");
  const above = labels.slice(1).flatMap((_, index) => {
    const domain = `*.${labels.slice(index + 1).join(".")}`;
    // Else a homeserver would only have to name a port to be none of its domain's.
    return port === "" ? [domain] : [`${domain}${port}`, domain];
  });
  return [server, ...above];
}
