/** The bridge inside the demo's process, with its log in a file: the terminal belongs to the conversation. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { Config } from "../config/schema.ts";
import type { Registration } from "../matrix/registration.ts";
import { createLogger } from "../observe/log.ts";

export async function openDemoBridge(
  config: Config,
  registration: Registration,
  logFile: string,
): Promise<AsyncDisposable> {
  await using parts = new AsyncDisposableStack();
  const destination = createWriteStream(logFile, { flags: "a" });
  parts.defer(async () => void (await once(destination.end(), "close")));
  const log = createLogger({ level: "info", format: "pretty", destination });
  const { startBridge } = await import("../bridge.ts");
  const bridge = await startBridge({ config, registration, log });
  parts.defer(() => bridge.stop());
  return parts.move();
}
