/** The people and homeservers of the sample. A bridge that started with them would obey strangers or nobody. */
import { CrewError } from "../core/errors.ts";
import { serverOf, asUserId } from "../core/ids.ts";
import type { Config } from "./schema.ts";

const sampleDomain = "example.org";

/** The entries of `permissions` that are still the sample's. */
export function samplePermissions(config: Pick<Config, "permissions">): readonly string[] {
  return Object.keys(config.permissions).filter((actor) => {
    const user = asUserId(actor);
    const server = user === undefined ? actor.replace(/^\*\./, "") : serverOf(user);
    return server.replace(/:\d+$/, "") === sampleDomain;
  });
}

export function permissionsAreSample(config: Pick<Config, "permissions">): boolean {
  return samplePermissions(config).length > 0;
}

/** Throws `PERMISSIONS_SAMPLE` for a config with the sample's permissions. The bridge calls it before it starts. */
export function refuseSamplePermissions(config: Pick<Config, "permissions">): void {
  const names = samplePermissions(config);
  if (names.length > 0) throw new CrewError("PERMISSIONS_SAMPLE", { names: names.join(", ") });
}
