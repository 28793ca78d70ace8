import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import type { MayReach } from "../../../src/files/port.ts";
import { hostOf } from "../../../src/files/sandbox/names.ts";
import { openSandbox } from "../../../src/files/sandbox/sandbox.ts";
import { openFolders, optionsFor, run, wallsWork } from "./helpers.ts";

const walls = await wallsWork();

describe("A host that a command wants to reach", () => {
  test.each([
    ["registry.example.org", 443, "registry.example.org:443"],
    ["REGISTRY.example.org.", 80, "registry.example.org:80"],
    ["_dmarc.xn--bcher-kva.example", 443, "_dmarc.xn--bcher-kva.example:443"],
    ["192.0.2.7", 8080, "192.0.2.7:8080"],
    ["2001:DB8:0::1", 443, "[2001:db8::1]:443"],
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
