/**
 * The least that talks on Matrix: an application service of node:http and fetch. It joins where it is invited and says
 * again what it hears, with one request. It keeps nothing, and what goes wrong is lost.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { argument, tellPort } from "./child.ts";

const { homeserver, port, token, user } = argument() as {
  readonly homeserver: string;
  readonly port: number;
  readonly token: string;
  readonly user: string;
};

interface Event {
  readonly type: string;
  readonly room_id: string;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>>;
}

const ask = async (method: string, path: string, body: object): Promise<void> => {
  const answer = await fetch(`${homeserver}/_matrix/client/v3${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await answer.text();
};

let said = 0;
async function hear(event: Event): Promise<void> {
  const room = encodeURIComponent(event.room_id);
  if (event.type === "m.room.member" && event.state_key === user && event.content["membership"] === "invite") {
    await ask("POST", `/join/${room}`, {});
  }
  if (event.type !== "m.room.message" || event.sender === user) return;
  const body = `echo heard: ${String(event.content["body"])}`;
  await ask("PUT", `/rooms/${room}/send/m.room.message/${++said}`, { msgtype: "m.text", body });
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end("{}");
    if (request.method !== "PUT") return;
    const { events } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly events: readonly Event[] };
    for (const event of events) void hear(event);
  });
});
server.listen(port, "127.0.0.1");
await once(server, "listening");
await ask("POST", "/register", { type: "m.login.application_service", username: user.slice(1).split(":")[0] });
tellPort(port);
