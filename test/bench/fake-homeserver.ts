/**
 * A homeserver that agrees to everything, so that a bridge can start on it and the machine's time goes to the bridge. Our
 * agents are in the rooms that it is given, with some people.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";

export interface FakeHomeserverOptions {
  readonly port: number;
  readonly domain: string;
  /** For each user the rooms that it is in. */
  readonly joined: ReadonlyMap<string, readonly string[]>;
}

type Json = Readonly<Record<string, unknown>> | readonly unknown[];

export async function startFakeHomeserver(options: FakeHomeserverOptions): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    request.resume();
    const { status, body } = answerTo(request, options);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening");
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answerTo(request: IncomingMessage, options: FakeHomeserverOptions): { status: number; body: Json } {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://fake");
  const [kind, ...rest] = pathname
    .replace(/^\/_matrix\/client\/(?:v\d\/)?/, "")
    .split("/")
    .map(decodeURIComponent);
  const ok = (body: Json): { status: number; body: Json } => ({ status: 200, body });
  const { domain } = options;
  switch (kind) {
    case "versions":
      return ok({ versions: ["v1.12"] });
    case "register":
      return ok({ user_id: `@made:${domain}` });
    case "createRoom":
    case "join":
      return ok({ room_id: `!made:${domain}` });
    case "directory":
      return ok({ room_id: `!${rest.at(-1)?.slice(1).split(":")[0]}:${domain}`, servers: [domain] });
    case "joined_rooms":
      return ok({ joined_rooms: options.joined.get(searchParams.get("user_id") ?? "") ?? [] });
    case "rooms":
      return request.method === "GET" && rest[1] === "state" && rest.length === 2
        ? ok(stateOf(rest[0] ?? "", options))
        : ok({ event_id: "$made", membership: "join" });
    case "appservice":
      return ok({ duration_ms: 1 });
    default:
      return ok({});
  }
}

function stateOf(room: string, { domain, joined }: FakeHomeserverOptions): Json {
  const agents = [...joined].filter(([, rooms]) => rooms.includes(room)).map(([user]) => user);
  const people = ["anna", "ben", "cora"].map((name) => `@${name}:${domain}`);
  const state = (type: string, key: string, content: object): object => ({
    type,
    state_key: key,
    content,
    sender: people[0],
    room_id: room,
    event_id: `$${type}${key}`,
    origin_server_ts: 1,
  });
  return [
    state("m.room.create", "", { room_version: "10" }),
    state("m.room.power_levels", "", { users: { [people[0] ?? ""]: 100 } }),
    ...[...agents, ...people].map((user) => state("m.room.member", user, { membership: "join" })),
  ];
}
