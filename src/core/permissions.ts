/**
 * Who may do what. The config grants a level to a person (`@you:example.org`), to a homeserver (`example.org`, with its
 * port if it has one), to all homeservers below a domain (`*.example.org`, whatever their port), or to everybody (`*`).
 */
import { serverOf, type UserId } from "./ids.ts";

/**
 * Every level includes those before it:
 * `observe` reads along, `talk` speaks with agents, `task` asks for tasks, `supervise` steers agents, `admin` runs the crew.
 */
export const levels = ["observe", "talk", "task", "supervise", "admin"] as const;
export type Level = (typeof levels)[number];

/** Actor to level, as the config has it. */
export type Permissions = Readonly<Record<string, Level>>;

/** Whether `level` includes what `wanted` allows. Nobody without a level may do anything. */
export function atLeast(level: Level | undefined, wanted: Level): boolean {
  return level !== undefined && levels.indexOf(level) >= levels.indexOf(wanted);
}

/**
 * The level of a person; `undefined` when no actor fits. The most specific actor decides, also when it grants less:
 * the person, then the homeserver, then the longest domain above it, then `*`.
 */
export function levelOf(permissions: Permissions, user: UserId): Level | undefined {
  return actorsOf(user)
    .map((actor) => (Object.hasOwn(permissions, actor) ? permissions[actor] : undefined))
    .find((level) => level !== undefined);
}

/** All actors that fit a person, the most specific first. */
function actorsOf(user: UserId): string[] {
  const server = serverOf(user);
  const host = server.replace(/:\d+$/, "");
  const port = server.slice(host.length);
  const labels = host.split(".");
  const above = labels.slice(1).flatMap((_, index) => {
    const domain = `*.${labels.slice(index + 1).join(".")}`;
    // Else a homeserver would only have to name a port to be none of its domain's.
    return port === "" ? [domain] : [`${domain}${port}`, domain];
  });
  return [user, server, ...above, "*"];
}
