import { symlink, readFile, readdir } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { openSandbox } from "../../../src/files/sandbox/sandbox.ts";
import { openFolders, optionsFor, processesWith, run, uniqueSleep, wallsWork } from "./helpers.ts";

const walls = await wallsWork();

describe.skipIf(!walls)("What a command behind walls can and cannot do", () => {
  test("its own worktree is there under its own path and can be written; nothing is left in it", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    const result = await run(sandbox, folders.root, "pwd && echo hello > made.txt && cat made.txt");
    expect(result).toMatchObject({ code: 0, output: `${folders.root}\nhello\n`, leftOut: 0 });
    expect(await readFile(join(folders.root, "made.txt"), "utf8")).toBe("hello\n");
    expect(await readdir(folders.root)).toEqual(["made.txt"]);
  });

  test("a read-only worktree can be read and not written", async () => {
    await using folders = await openFolders();
    await folders.file("data/worktree/a.txt", "content");
    const sandbox = await openSandbox(optionsFor());
    const result = await run(sandbox, folders.root, "cat a.txt; echo x >> a.txt; touch b; rm a.txt; ls", {
      writable: false,
    });
    expect(result.output).toContain("content");
    expect(result.output).toContain("Read-only file system");
    expect(await readdir(folders.root)).toEqual(["a.txt"]);
    expect(await readFile(join(folders.root, "a.txt"), "utf8")).toBe("content");
  });

  test("homes, other tasks' data and the machine's own files do not exist for it", async () => {
    await using folders = await openFolders();
    const other = await folders.file("data/other/secret.txt", "secret of another task");
    const sandbox = await openSandbox(optionsFor());
    for (const path of ["/root", homedir(), "/etc/shadow", "/etc/ssh", "/var", "/sys", "/boot", process.cwd(), other]) {
      const { code, output } = await run(sandbox, folders.root, `ls -a '${path}' && cat '${path}'`);
      expect({ path, code, output }).toMatchObject({
        path,
        code: 2,
        output: expect.stringContaining("No such file") as string,
      });
    }
    const accounts = await run(sandbox, folders.root, "cat /etc/passwd /etc/group /etc/hosts; ls -A / /home/crew /tmp");
    expect(accounts.output).not.toContain("root");
    expect(accounts.output).not.toContain("secret");
  });

  test("a hidden path stays hidden inside of a readable folder, and the worktree inside of a hidden one is there", async () => {
    await using folders = await openFolders();
    await folders.file("data/store.db", "store");
    await folders.file("config/crewroom.yaml", "token");
    await folders.file("shared/readme", "readable");
    await symlink(join(folders.top, "config"), join(folders.top, "shared/link"));
    const hidden = [join(folders.top, "data"), join(folders.top, "config/crewroom.yaml"), join(folders.top, "none")];
    const sandbox = await openSandbox(optionsFor({ hidden }));
    const command = `cd ${folders.top}; cat shared/readme; cat data/store.db config/crewroom.yaml shared/link/crewroom.yaml; ls data; echo x > data/x; echo y > ${folders.root}/y`;
    const { output } = await run(sandbox, folders.root, command, { readable: [folders.top] });
    expect(output).toMatch(/^readable/);
    expect(output).not.toMatch(/token|^store$/m);
    expect(output.match(/^worktree$/gm)).toHaveLength(1);
    expect(await readdir(join(folders.top, "data"))).toEqual(["store.db", "worktree"]);
    expect(await readdir(folders.root)).toEqual(["y"]);
  });

  test("it writes nowhere but in the worktree and in folders that are gone with it", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    const places = ["/", "/usr", "/usr/local/bin", "/etc", "/dev", "/opt/node/bin", "/home", "/proc", "/run", "/srv"];
    const command = places.map((place) => `touch ${place}/x 2>/dev/null && echo wrote ${place}`).join("; ");
    const result = await run(
      sandbox,
      folders.root,
      `${command}; touch /tmp/x ${folders.top}/x ~/x /dev/shm/x && echo private`,
    );
    expect(await readdir(folders.top)).toEqual(["data"]);
    expect(result.output).toBe("private\n");
    const again = await run(sandbox, folders.root, "ls -A /tmp/x ~/x /dev/shm/x");
    expect(again.code).not.toBe(0);
  });

  test("the folders in memory have an end", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    const { output } = await run(
      sandbox,
      folders.root,
      "for f in /tmp ~ /dev/shm; do head -c 300M /dev/zero > $f/x; done",
    );
    expect(output.match(/No space left on device/g)).toHaveLength(3);
  });

  test("a link in the worktree leads to the sandbox's own file, never to the machine's", async () => {
    await using folders = await openFolders();
    const secret = await folders.file("secret.txt", "secret");
    await symlink("/etc/passwd", join(folders.root, "users"));
    await symlink(secret, join(folders.root, "out"));
    const sandbox = await openSandbox(optionsFor());
    const { output } = await run(sandbox, folders.root, "cat users; cat out; cat /proc/1/root/etc/shadow");
    expect(output).toMatch(/^crew:x:1000/);
    expect(output).not.toContain("root:");
    expect(output).not.toContain("secret\n");
  });

  test("it sees and ends no other process", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    const { output } = await run(
      sandbox,
      folders.root,
      `cat /proc/[0-9]*/comm; kill -9 ${process.pid} || echo safe; tr '\\0' '\\n' </proc/1/cmdline | grep -c -e '^--[a-z-]*bind'`,
    );
    expect(output).toMatch(/^bwrap\nsh\n(?:cat\n|sh\n)*\/bin\/sh: .*No such process\s+safe\n0\n$/);
  });

  test("its environment is new: no variable of the bridge is in it, but for those that are allowed", async () => {
    await using folders = await openFolders();
    vi.stubEnv("CREWROOM_SECRET_TOKEN", "as_token_of_the_bridge");
    vi.stubEnv("CREWROOM_WANTED", "wanted");
    vi.stubEnv("NODE_OPTIONS", "--no-warnings");
    const sandbox = await openSandbox(optionsFor({ env: ["CREWROOM_WANTED"] }));
    const { output } = await run(sandbox, folders.root, "env; cat /proc/*/environ | tr '\\0' '\\n'");
    vi.unstubAllEnvs();
    expect(output).not.toMatch(/as_token|NODE_OPTIONS|npm_/);
    const names = new Set([...output.matchAll(/^(\w+)=/gm)].map((match) => match[1]));
    names.delete("OLDPWD");
    expect(names).toEqual(
      new Set(["CI", "CREWROOM_WANTED", "HOME", "LANG", "NO_COLOR", "PATH", "PWD", "TERM", "TMPDIR"]),
    );
  });

  test("it reaches no server on the machine's loopback and no socket in its files", async () => {
    await using folders = await openFolders();
    let connections = 0;
    const count = (): void => void (connections += 1);
    const server = createServer(count).listen(0, "127.0.0.1");
    const local = createServer(count).listen(join(folders.top, "socket"));
    const abstract = createServer(count).listen("\0crewroom-sandbox-test");
    await Promise.all([server, local, abstract].map((open) => once(open, "listening")));
    const { port } = server.address() as AddressInfo;
    const sandbox = await openSandbox(optionsFor());
    const script = `const net = require("net");
      for (const to of [{ port: ${port}, host: "127.0.0.1" }, { path: "${folders.top}/socket" }, { path: "\\0crewroom-sandbox-test" }, { port: 53, host: "1.1.1.1" }])
        net.connect(to).on("connect", () => console.log("reached", to)).on("error", (error) => console.log(error.code));`;
    await folders.file("data/worktree/try.cjs", script);
    const { output } = await run(sandbox, folders.root, "node try.cjs; cat /proc/net/dev | grep -c :");
    for (const open of [server, local, abstract]) open.close();
    expect(output.split("\n").sort()).toEqual(["", "1", "ECONNREFUSED", "ECONNREFUSED", "ENETUNREACH", "ENOENT"]);
    expect(connections).toBe(0);
  });

  test("it has no privilege and cannot make namespaces, in which it would have one", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    const { output } = await run(
      sandbox,
      folders.root,
      "id -u; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; unshare -U true || echo refused; mount -t tmpfs x /tmp || echo refused",
    );
    expect(output).toMatch(/^1000\nCapEff:\t0+\nCapBnd:\t0+\nNoNewPrivs:\t1\n/);
    expect(output.match(/^refused$/gm)).toHaveLength(2);
  });

  test("its standard input is empty, and both outputs come in order", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    const command = "cat; for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 7";
    expect(await run(sandbox, folders.root, command)).toMatchObject({
      code: 7,
      output: "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n",
    });
  });

  test("sh, git, python3, and this very Node work, and its test runner in a read-only worktree", async () => {
    await using folders = await openFolders();
    await folders.file(
      "data/worktree/sum.test.mjs",
      `import test from "node:test"; import assert from "node:assert"; test("sum", () => assert.equal(1 + 1, 2));`,
    );
    await folders.file(
      "data/worktree/bad.test.mjs",
      `import test from "node:test"; import assert from "node:assert"; test("bad", () => assert.equal(1, 2));`,
    );
    const sandbox = await openSandbox(optionsFor());
    const tools = await run(
      sandbox,
      folders.root,
      "node -v && python3 -c 'import ssl, json; print(6 * 7)' && git init -q repo && git -C repo status --short && echo clean",
    );
    expect(tools).toMatchObject({ code: 0, output: `${process.version}\n42\nclean\n` });
    const good = await run(sandbox, folders.root, "node --test sum.test.mjs", { writable: false });
    expect(good).toMatchObject({ code: 0, output: expect.stringContaining("pass 1") as string });
    const bad = await run(sandbox, folders.root, "node --test", { writable: false });
    expect(bad).toMatchObject({ code: 1, output: expect.stringContaining("fail 1") as string });
  });

  test("two commands side by side have their own policies", async () => {
    await using one = await openFolders();
    await using two = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    const word = uniqueSleep();
    const stop = new AbortController();
    const waiting = run(sandbox, one.root, `touch here; sleep ${word}`, { signal: stop.signal });
    await expect.poll(() => processesWith(word)).not.toEqual([]);
    const second = await run(sandbox, two.root, `touch mine; ls ${one.root}; cat /proc/[0-9]*/comm | grep -c sleep`, {
      writable: false,
    });
    expect(second.output).toMatch(/Read-only file system[^]*No such file[^]*\n0\n$/);
    stop.abort();
    expect((await waiting).endedBy).toBe("stopped");
    expect(await readdir(one.root)).toEqual(["here"]);
    expect(await readdir(two.root)).toEqual([]);
  });

  test("a command that cannot be started is refused with the reason", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor());
    await expect(run(sandbox, join(folders.top, "gone"), "true")).rejects.toMatchObject({ code: "SANDBOX_FAILED" });
    await expect(run(sandbox, folders.root, `: ${"x".repeat(200_000)}`)).rejects.toMatchObject({
      code: "SANDBOX_FAILED",
      message: expect.stringContaining("too long") as string,
    });
  });
});
