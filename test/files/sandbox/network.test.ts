import { once } from "node:events";
import { createServer, get, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import type { MayReach } from "../../../src/files/port.ts";
import { hostOf } from "../../../src/files/sandbox/names.ts";
import { openProxy } from "../../../src/files/sandbox/proxy.ts";
import { openSandbox } from "../../../src/files/sandbox/sandbox.ts";
import { openFolders, optionsFor, quiet, run, wallsWork } from "./helpers.ts";

const walls = await wallsWork();

describe("A host that a command wants to reach", () => {
  test.each([
    ["registry.example.org", 443, "registry.example.org:443"],
    ["REGISTRY.example.org.", 80, "registry.example.org:80"],
    ["_dmarc.xn--bcher-kva.example", 443, "_dmarc.xn--bcher-kva.example:443"],
    ["192.0.2.7", 8080, "192.0.2.7:8080"],
    ["2001:DB8:0::1", 443, "[2001:db8::1]:443"],
    ["::ffff:192.0.2.7", 443, "192.0.2.7:443"],
    ["0:0::FFFF:c000:0207", 443, "192.0.2.7:443"],
    ["3221225991", 443, undefined],
    ["0xC0000207", 443, undefined],
    ["127.1", 443, undefined],
    ["0x7f.1.", 443, undefined],
    ["a.0x", 443, undefined],
    ["3com.example", 443, "3com.example:443"],
    ["bücher.example", 443, undefined],
    ["evil.test#.example.org", 443, undefined],
    ["evil.test\u202e.example.org", 443, undefined],
    ["fe80::1%eth0", 443, undefined],
    ["a".repeat(254), 443, undefined],
    ["example.org", 0, undefined],
    ["example.org", 70_000, undefined],
    ["", 80, undefined],
  ])("%s, %d → %s", (name, port, expected) => {
    expect(hostOf(name, port)).toBe(expected);
  });
});

/** Lets these be reached, and keeps what was asked for. */
function only(...hosts: readonly string[]): MayReach & { readonly asked: string[] } {
  const asked: string[] = [];
  const may: MayReach = async (host) => {
    asked.push(host);
    return hosts.includes(host) ? undefined : `${host} is refused`;
  };
  return Object.assign(may, { asked });
}

describe("The proxy", () => {
  const everything: MayReach = async () => undefined;

  /** What a request through the proxy is answered. */
  async function ask(port: number | undefined, path: string): Promise<string> {
    const [answer] = (await once(get({ host: "127.0.0.1", port, path, agent: false }), "response")) as [
      IncomingMessage,
    ];
    return `${answer.statusCode} ${(await answer.toArray()).join("").trim()}`;
  }

  test.each(["http://[::ffff:127.0.0.1]:9/", "http://2130706433:9/", "http://[::127.0.0.1]:9/", "http://169.254.1.1/"])(
    "never leads to this machine, whatever lets %s in",
    async (address) => {
      await using proxy = await openProxy({ log: quiet }, everything);
      expect(await ask(proxy.port, address)).toMatch(/^403 .* is not outside of this machine$/);
    },
  );

  const own = Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4");
  test.skipIf(own === undefined)("leads to none of the machine's own addresses", async () => {
    await using proxy = await openProxy({ log: quiet }, everything);
    expect(await ask(proxy.port, `http://${own?.address}:9/`)).toMatch(/^403 .* is not outside of this machine$/);
  });

  test.each(["CONNECT", "GET"])("connects to nothing once its command is over: %s", async (method) => {
    let connections = 0;
    const target = createTcpServer((socket) => {
      connections += 1;
      socket.end("seen");
    }).listen(0, "127.0.0.1");
    await once(target, "listening");
    const { port } = target.address() as AddressInfo;
    const asked = Promise.withResolvers<void>();
    const decision = Promise.withResolvers<undefined>();
    const resolved = Promise.withResolvers<void>();
    const proxy = await openProxy(
      {
        log: quiet,
        resolve: async () => {
          resolved.resolve();
          return ["127.0.0.1"];
        },
      },
      () => {
        asked.resolve();
        return decision.promise;
      },
    );
    const path = method === "CONNECT" ? `a.example:${port}` : `http://a.example:${port}/`;
    const sent = request({ host: "127.0.0.1", port: proxy.port, method, path });
    sent.on("error", () => undefined);
    sent.end();
    await asked.promise;
    await proxy[Symbol.asyncDispose]();
    decision.resolve(undefined);
    await resolved.promise;
    // Whatever the proxy would have connected by now comes before this.
    const later = connect(port, "127.0.0.1").resume();
    await once(later, "close");
    target.close();
    expect(connections).toBe(1);
  });
});

describe.skipIf(!walls)("The network of a command with allowed names", () => {
  test("it reaches these names, over plain HTTP and through a tunnel, and nothing else", async () => {
    await using folders = await openFolders();
    const seen: string[] = [];
    const resolved: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.method ?? ""} ${request.headers.host ?? ""}${request.url ?? ""}`);
      request.pipe(response);
      if (request.method === "GET") response.end("from the server");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const sandbox = await openSandbox(
      optionsFor({
        network: true,
        resolve: async (name) => {
          resolved.push(name);
          return ["127.0.0.1"];
        },
      }),
    );
    const mayReach = only(`allowed.example:${port}`);
    expect(sandbox.kind).toBe("bubblewrap");
    await folders.file(
      "data/worktree/tunnel.cjs",
      `const http = require("http"), net = require("net");
      const proxy = new URL(process.env.HTTPS_PROXY);
      for (const target of process.argv.slice(2))
        http.request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: target })
          .on("connect", (answer, socket) => {
            if (answer.statusCode !== 200) return socket.destroy(), console.log(target, answer.statusCode);
            socket.end("GET /tunnel HTTP/1.1\\r\\nHost: allowed.example\\r\\nConnection: close\\r\\n\\r\\n");
            socket.on("data", (data) => console.log(target, String(data).split("\\r\\n").at(-1) || String(data)));
          }).end();
      net.connect(${port}, "127.0.0.1").on("connect", () => console.log("direct")).on("error", (error) => console.log(error.code));`,
    );
    await folders.file(
      "data/worktree/plain.py",
      `import sys, urllib.request, urllib.error
for target in sys.argv[1:]:
    try: print(target, urllib.request.urlopen(target, timeout=5).read().decode())
    except urllib.error.HTTPError as error: print(target, error.code)
print(urllib.request.urlopen(sys.argv[1], data=b"body", timeout=5).read().decode())`,
    );
    const plain = await run(
      sandbox,
      folders.root,
      `python3 plain.py http://allowed.example:${port}/plain http://other.example:${port}/ http://allowed.example/ http://[2001:db8::1]:${port}/`,
      { mayReach },
    );
    expect(plain.output.split("\n")).toEqual([
      `http://allowed.example:${port}/plain from the server`,
      `http://other.example:${port}/ 403`,
      "http://allowed.example/ 403",
      `http://[2001:db8::1]:${port}/ 403`,
      "body",
      "",
    ]);
    const fetched = await run(
      sandbox,
      folders.root,
      `node -e "fetch('http://allowed.example:${port}/fetched').then((answer) => answer.text()).then(console.log)"`,
      { mayReach },
    );
    expect(fetched.output).toBe("from the server\n");
    const tunnels = await run(
      sandbox,
      folders.root,
      `node tunnel.cjs allowed.example:${port} other.example:${port} 127.0.0.1:${port} allowed.example:22`,
      { mayReach },
    );
    expect(tunnels.output).toContain(`allowed.example:${port}`);
    expect(tunnels.output).toContain("from the server");
    expect(tunnels.output).toContain(`other.example:${port} 403`);
    expect(tunnels.output).toContain(`127.0.0.1:${port} 403`);
    expect(tunnels.output).toContain("allowed.example:22 403");
    expect(tunnels.output).toContain("ECONNREFUSED");
    expect(tunnels.output).not.toContain("direct");
    server.close();
    expect(seen).toEqual([
      `GET allowed.example:${port}/plain`,
      `POST allowed.example:${port}/plain`,
      `GET allowed.example:${port}/fetched`,
      "GET allowed.example/tunnel",
    ]);
    // A name can carry a secret out by being looked up alone.
    expect(new Set(resolved)).toEqual(new Set(["allowed.example"]));
    // Nobody is asked about this machine itself.
    expect(new Set(mayReach.asked)).toEqual(
      new Set([
        `allowed.example:${port}`,
        `other.example:${port}`,
        "allowed.example:80",
        `[2001:db8::1]:${port}`,
        "allowed.example:22",
      ]),
    );
  });

  test("a name that leads back to this machine is refused", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ network: true }));
    const { output } = await run(
      sandbox,
      folders.root,
      `node -e "require('http').get({ host: '127.0.0.1', port: 3128, path: 'http://localhost:9/' }, async (answer) => console.log(answer.statusCode, (await answer.toArray()).join('')))"`,
      { mayReach: only("localhost:9") },
    );
    expect(output).toBe("403 localhost has no address outside of this machine\n\n");
  });

  test("a command that nobody decides for reaches nothing", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ network: true }));
    const { output } = await run(
      sandbox,
      folders.root,
      `node -e "require('http').get({ host: '127.0.0.1', port: 3128, path: 'http://example.org/' }, async (answer) => console.log((await answer.toArray()).join('')))"`,
    );
    expect(output).toBe("example.org:80 is not among the hosts that commands may reach\n\n");
  });

  test("the program that carries the network to it is gone with it and not waited for", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ network: true }));
    const result = await run(sandbox, folders.root, "wait; echo done");
    expect(result).toMatchObject({ code: 0, output: "done\n" });
  });
});
