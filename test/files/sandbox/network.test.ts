import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { allowList } from "../../../src/files/sandbox/names.ts";
import { openSandbox } from "../../../src/files/sandbox/sandbox.ts";
import { openFolders, optionsFor, run, wallsWork } from "./helpers.ts";

const walls = await wallsWork();

describe("The names that commands may reach", () => {
  const allows = allowList(["registry.example.org", "*.cdn.example", "local.example:8080", "192.0.2.7", "2001:db8::1"]);

  test.each([
    ["registry.example.org", 443, true],
    ["registry.example.org", 80, true],
    ["REGISTRY.example.org.", 443, true],
    ["registry.example.org", 22, false],
    ["evil-registry.example.org", 443, false],
    ["registry.example.org.evil.test", 443, false],
    ["a.cdn.example", 443, true],
    ["b.a.cdn.example", 443, true],
    ["cdn.example", 443, false],
    ["evilcdn.example", 443, false],
    ["local.example", 8080, true],
    ["local.example", 443, false],
    ["192.0.2.7", 443, true],
    ["192.0.2.8", 443, false],
    ["2001:db8::1", 443, true],
    ["127.0.0.1", 80, false],
    ["", 80, false],
  ])("%s:%d → %s", (name, port, expected) => {
    expect(allows(name, port)).toBe(expected);
  });
});

describe.skipIf(!walls)("The network of a command with allowed names", () => {
  test("it reaches these names, over plain HTTP and through a tunnel, and nothing else", async () => {
    await using folders = await openFolders();
    const seen: string[] = [];
    const server = createServer((request, response) => {
      seen.push(`${request.method ?? ""} ${request.headers.host ?? ""}${request.url ?? ""}`);
      request.pipe(response);
      if (request.method === "GET") response.end("from the server");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const sandbox = await openSandbox(
      optionsFor({ network: [`allowed.example:${port}`], resolve: async () => ["127.0.0.1"] }),
    );
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
      `python3 plain.py http://allowed.example:${port}/plain http://other.example:${port}/ http://allowed.example/ http://[::2]:${port}/`,
    );
    expect(plain.output.split("\n")).toEqual([
      `http://allowed.example:${port}/plain from the server`,
      `http://other.example:${port}/ 403`,
      "http://allowed.example/ 403",
      `http://[::2]:${port}/ 403`,
      "body",
      "",
    ]);
    const fetched = await run(
      sandbox,
      folders.root,
      `node -e "fetch('http://allowed.example:${port}/fetched').then((answer) => answer.text()).then(console.log)"`,
    );
    expect(fetched.output).toBe("from the server\n");
    const tunnels = await run(
      sandbox,
      folders.root,
      `node tunnel.cjs allowed.example:${port} other.example:${port} 127.0.0.1:${port} allowed.example:22`,
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
  });

  test("a name that leads back to this machine is refused", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ network: ["localhost", "localhost:9"] }));
    const { output } = await run(
      sandbox,
      folders.root,
      `node -e "require('http').get({ host: '127.0.0.1', port: 3128, path: 'http://localhost:9/' }, async (answer) => console.log(answer.statusCode, (await answer.toArray()).join('')))"`,
    );
    expect(output).toBe("403 localhost has no address outside of this machine\n\n");
  });

  test("the program that carries the network to it is gone with it and not waited for", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ network: ["example.org"] }));
    const result = await run(sandbox, folders.root, "wait; echo done");
    expect(result).toMatchObject({ code: 0, output: "done\n" });
  });
});
