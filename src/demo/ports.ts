/** Free ports on loopback, for programs that must be told their port before they start. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { once } from "node:events";
import { CrewError } from "../core/errors.ts";

// Below the range that Linux (32768) and macOS (49152) take for outgoing connections, so that no connection of another
// program occupies the port between this choice and its use, or while a server on it is being restarted.
const lowest = 20_000;
const highest = 32_000;
const attempts = 100;

/** Whether one can listen on this port of 127.0.0.1 now. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host: "127.0.0.1", port, exclusive: true });
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** A port of 127.0.0.1 that was free a moment ago: `wanted` when it is, else a random one. */
export async function freePort(wanted?: number): Promise<number> {
  if (wanted !== undefined && (await isPortFree(wanted))) return wanted;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = randomInt(lowest, highest);
    if (await isPortFree(port)) return port;
  }
  throw new CrewError("PORT_TAKEN", {
    hostname: "127.0.0.1",
    port: `${lowest}-${highest}`,
    reason: "no free port found",
  });
}
