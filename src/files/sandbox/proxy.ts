/**
 * The way out for commands: an HTTP proxy that knows `CONNECT` and plain requests. Behind bubblewrap a command has no other
 * network than the pipe to it. Whether a name may be reached is decided before it is resolved: a name alone can carry a
 * secret out. It is resolved here, once, and that address is used: a command's own idea of where a name leads does not count.
 */
import { lookup } from "node:dns/promises";
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { BlockList, connect, isIP } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { reasonOf } from "../../core/errors.ts";
import type { MayReach } from "../port.ts";
import { hostOf } from "./names.ts";
import type { SandboxOptions } from "./options.ts";

/** Where a name of the outside must not lead: this machine, and what a cloud tells about it. */
const inner = new BlockList();
inner.addSubnet("127.0.0.0", 8);
inner.addSubnet("0.0.0.0", 8);
inner.addSubnet("169.254.0.0", 16);
inner.addSubnet("224.0.0.0", 3);
inner.addSubnet("::", 96, "ipv6");
inner.addSubnet("fe80::", 10, "ipv6");
inner.addSubnet("fd00:ec2::", 32, "ipv6");
inner.addSubnet("ff00::", 8, "ipv6");
// Azure, Alibaba, Oracle; the others are link-local.
for (const address of ["168.63.129.16", "100.100.100.200", "192.0.0.192"]) inner.addAddress(address);

/** The machine's own addresses in its networks, as they are now: what listens on all of them is reached there, too. */
function ownAddresses(): BlockList {
  const own = new BlockList();
  for (const { address, family } of Object.values(networkInterfaces()).flatMap((found) => found ?? []))
    own.addAddress(address, family === "IPv6" ? "ipv6" : "ipv4");
  return own;
}

function isInner(address: string): boolean {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  return inner.check(address, family) || ownAddresses().check(address, family);
}

/** Addresses of a name, by the machine's resolver, without those that lead back to the machine. */
async function resolveOutside(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address).filter((address) => !isInner(address));
}

/** Headers that belong to one connection and not to the request. RFC 9110, section 7.6.1. */
const hopByHop = new Set(
  "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split(
    " ",
  ),
);

function endToEnd(headers: IncomingMessage["headers"]): Record<string, string | string[]> {
  const named = new Set((headers.connection ?? "").toLowerCase().split(/\s*,\s*/));
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !hopByHop.has(name) && !named.has(name)) kept[name] = value;
  return kept;
}

const connectSeconds = 30;

export interface Proxy extends AsyncDisposable {
  /** Its port, when it listens on loopback. */
  readonly port: number | undefined;
}

/** @param socket Path of a Unix socket to listen on. Without: a free port of 127.0.0.1. */
export async function openProxy(
  { log, resolve = resolveOutside }: Pick<SandboxOptions, "resolve" | "log">,
  mayReach: MayReach = async (host) => `${host} is not among the hosts that commands may reach`,
  socket?: string,
): Promise<Proxy> {
  const sockets = new Set<{ destroy(): unknown }>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };

  /** The address to connect to, or why not. */
  async function addressOf(name: string, port: number): Promise<{ address: string } | { refused: string }> {
    const host = hostOf(name, port);
    if (host === undefined) return { refused: "this is no name of a host" };
    if (isIP(name) !== 0 && isInner(name)) return { refused: `${host} is not outside of this machine` };
    const refused = await mayReach(host);
    if (refused !== undefined) {
      log.debug({ host }, "a command asked for a host that it may not reach");
      return { refused };
    }
    if (isIP(name) !== 0) return { address: name };
    const [address] = await resolve(name);
    return address === undefined ? { refused: `${name} has no address outside of this machine` } : { address };
  }

  async function tunnel(request: IncomingMessage, client: Socket, head: Buffer): Promise<void> {
    const [, name = "", port = ""] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(request.url ?? "") ?? [];
    const refuse = (status: string, why: string): void => {
      client.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${why}\n`);
    };
    const target = await addressOf(name, Number(port));
    // The command ended while it was decided: nothing of it goes out any more.
    if (client.destroyed) return;
    if ("refused" in target) return refuse("403 Forbidden", target.refused);
    const server = connect({ host: target.address, port: Number(port), timeout: connectSeconds * 1000 });
    track(server);
    server.once("timeout", () => server.destroy());
    server.once("connect", () => {
      server.setTimeout(0);
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      server.write(head);
      server.pipe(client);
      client.pipe(server);
    });
    server.once("error", (thrown) => refuse("502 Bad Gateway", reasonOf(thrown)));
    server.once("close", () => client.destroySoon());
    client.once("close", () => server.destroy());
  }

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, why: string): void => {
      if (response.headersSent) response.destroy();
      else response.writeHead(status, { "content-type": "text/plain", connection: "close" }).end(`${why}\n`);
    };
    const url = URL.canParse(request.url ?? "") ? new URL(request.url ?? "") : undefined;
    if (url?.protocol !== "http:") return refuse(400, "this is a proxy: it takes CONNECT and http:// addresses");
    const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const port = url.port === "" ? 80 : Number(url.port);
    const target = await addressOf(name, port);
    if (request.socket.destroyed) return;
    if ("refused" in target) return refuse(403, target.refused);
    const onward = httpRequest({
      host: target.address,
      port,
      method: request.method ?? "GET",
      path: `${url.pathname}${url.search}`,
      // The name that was checked, whatever the request says beside it.
      headers: { ...endToEnd(request.headers), host: url.host },
      agent: false,
    });
    onward.once("socket", track);
    onward.once("error", (thrown) => refuse(502, reasonOf(thrown)));
    onward.once("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      answer.pipe(response);
      answer.once("error", () => response.destroy());
    });
    response.once("close", () => onward.destroy());
    request.pipe(onward);
  }

  const server = createServer((request, response) => {
    forward(request, response).catch((thrown: unknown) => response.writeHead(502).end(`${reasonOf(thrown)}\n`));
  });
  server.on("connection", track);
  server.on("connect", (request: IncomingMessage, client: Socket, head: Buffer) => {
    tunnel(request, client, head).catch((thrown: unknown) => {
      client.end(`HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n${reasonOf(thrown)}\n`);
    });
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.once("listening", listening.resolve);
  if (socket === undefined) server.listen(0, "127.0.0.1");
  else server.listen(socket);
  await listening.promise;
  return {
    port: socket === undefined ? (server.address() as AddressInfo).port : undefined,
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      for (const socket of sockets) socket.destroy();
      await closed.promise;
    },
  };
}
