/** The least that takes a transaction: read it, parse it, say 200. Nothing is kept. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tellPort } from "./child.ts";

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { events } = JSON.parse(Buffer.concat(chunks).toString()) as { events: unknown[] };
    response.writeHead(Array.isArray(events) ? 200 : 400, { "content-type": "application/json" });
    response.end("{}");
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
tellPort((server.address() as AddressInfo).port);
