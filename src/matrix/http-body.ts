/** The body of a request, up to a limit. */
import type { IncomingMessage } from "node:http";
import { CrewError } from "../core/errors.ts";

/**
 * The whole body as text. What is above the limit is read and thrown away, so that the sender gets to see the answer; the
 * server's time-out for requests bounds that.
 *
 * @throws CrewError `BODY_TOO_LARGE` as soon as that is known, `BODY_INVALID` when the sender goes away.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  // What is announced counts at once, so that the answer need not wait for all of it.
  let size = 0;
  let isTooLarge = Number(request.headers["content-length"] ?? 0) > maxBytes;
  const refuse = (): void => reject(new CrewError("BODY_TOO_LARGE", { limit: maxBytes }));
  if (isTooLarge) refuse();
  request.on("data", (chunk: Buffer) => {
    size += chunk.length;
    isTooLarge ||= size > maxBytes;
    if (!isTooLarge) {
      chunks.push(chunk);
      return;
    }
    chunks.length = 0;
    refuse();
  });
  request.once("end", () => resolve((chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))?.toString("utf8") ?? ""));
  const broken = (): void => reject(new CrewError("BODY_INVALID", { reason: "it ended too early" }));
  request.once("error", broken);
  request.once("close", broken);
  return promise;
}
