import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { findGroupParents } from "../../../src/files/sandbox/group-parents.ts";
import { openSandbox } from "../../../src/files/sandbox/sandbox.ts";
import {
  groupsOf,
  megabyte,
  mostTasks,
  openFolders,
  optionsFor,
  processesWith,
  run,
  uniqueSleep,
  wallsWork,
} from "./helpers.ts";

const walls = await wallsWork();
const groups = (await findGroupParents()) !== undefined;
const kinds = walls ? (["required", "none"] as const) : (["none"] as const);

describe.each(kinds)("Limits of a command with walls %s", (mode) => {
  test("a command that takes too long is ended, with everything it started", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, seconds: 0.5 }));
    const word = uniqueSleep();
    const result = await run(sandbox, folders.root, `echo begun; trap '' TERM INT HUP; sleep ${word} & sleep ${word}`);
    expect(result).toMatchObject({ endedBy: "time", output: "begun\n" });
    expect(result.code).toBeUndefined();
    expect(result.tookMs).toBeLessThan(1500);
    expect(await processesWith(word)).toEqual([]);
  });

  test("a stopped command is gone within a second", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode }));
    const word = uniqueSleep();
    const stop = new AbortController();
    const running = run(sandbox, folders.root, `setsid sleep ${word} & trap '' TERM; sleep ${word}`, {
      signal: stop.signal,
    });
    await expect.poll(() => processesWith(word)).toHaveLength(2);
    const began = performance.now();
    stop.abort();
    expect((await running).endedBy).toBe("stopped");
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await processesWith(word)).toEqual([]);
  });

  test("one that is stopped before it starts never runs; one at its first moment is gone", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode }));
    const stopped = await run(sandbox, folders.root, "touch ran", { signal: AbortSignal.abort() });
    expect(stopped.endedBy).toBe("stopped");
    expect(await readdir(folders.root)).toEqual([]);
    const word = uniqueSleep();
    const stop = new AbortController();
    const running = run(sandbox, folders.root, `sleep ${word}`, { signal: stop.signal });
    stop.abort();
    expect((await running).endedBy).toBe("stopped");
    expect(await processesWith(word)).toEqual([]);
  });

  test("what is left in the background at its end is ended, however it was detached", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode }));
    const word = uniqueSleep();
    const command = `sleep ${word} & nohup sleep ${word} >/dev/null 2>&1 & setsid sleep ${word} >/dev/null 2>&1 </dev/null &
      (setsid sh -c 'sleep ${word} & sleep ${word} &' &) ; python3 -c "
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '${word}'])
    os._exit(0)
os.wait()"
      echo left`;
    const result = await run(sandbox, folders.root, command);
    expect(result).toMatchObject({ code: 0, output: "left\n" });
    expect(result.tookMs).toBeLessThan(5000);
    expect(await processesWith(word)).toEqual([]);
  });

  test("too many processes are ended", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, processes: 20 }));
    const word = uniqueSleep();
    const result = await run(sandbox, folders.root, `for i in $(seq 60); do sleep ${word} & done; wait`);
    expect(result.endedBy).toBe("processes");
    expect(await processesWith(word)).toEqual([]);
  });

  test("a process that takes memory without end is ended, and so are many small ones together", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, memoryBytes: 300 * megabyte }));
    const one = await run(
      sandbox,
      folders.root,
      `python3 -c "
kept = []
while True: kept.append(bytearray(1000000))"`,
    );
    expect(one.endedBy === "memory" || one.output.includes("MemoryError")).toBe(true);
    const hog = `python3 -c "import time; kept = bytearray(b'x') * 100000000; time.sleep(60)"`;
    const many = await run(sandbox, folders.root, `for i in 1 2 3 4; do ${hog} & done; wait`);
    expect(many.endedBy).toBe("memory");
  });

  test("one process alone cannot ask for much more than its share, and Node starts under a small limit", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, memoryBytes: 128 * megabyte }));
    const greedy = await run(sandbox, folders.root, `python3 -c "bytearray(3000000000)"`);
    expect(greedy).toMatchObject({ code: 1, output: expect.stringContaining("MemoryError") as string });
    expect(await run(sandbox, folders.root, `node -e "console.log('up')"`)).toMatchObject({ code: 0, output: "up\n" });
  });

  test("output without end keeps its head and its tail, in little memory", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, seconds: 1, outputBytes: 10_000 }));
    const before = process.memoryUsage().rss;
    const result = await run(sandbox, folders.root, "echo first; yes");
    expect(result.endedBy).toBe("time");
    expect(result.output).toMatch(/^first\ny\ny\n/);
    expect(result.output).toContain(`[… ${result.leftOut} bytes left out …]`);
    expect(result.output.length).toBeLessThan(10_100);
    expect(result.leftOut).toBeGreaterThan(megabyte);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * megabyte);
  });

  test("the end of a long output is kept", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, outputBytes: 1000 }));
    const result = await run(sandbox, folders.root, "seq 100000; echo the end");
    expect(result).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^1\n2\n[^]*99999\n100000\nthe end\n$/) as string,
    });
  });

  test("a command that ends by a signal says so", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode }));
    expect(await run(sandbox, folders.root, "kill -9 $$")).toMatchObject({ endedBy: "signal" });
  });
});

// Only where the kernel keeps the limit: a bomb that is only watched takes the whole machine with it.
describe.each(kinds.filter((mode) => groups || (mode === "required" && process.getuid?.() !== 0)))(
  "A fork bomb with walls %s",
  (mode) => {
    test("is ended at once, and the machine never sees more of it than the limit", async () => {
      await using folders = await openFolders();
      const sandbox = await openSandbox(optionsFor({ mode, processes: 100, seconds: 60 }));
      const others = await mostTasks(run(sandbox, folders.root, "sleep 0.1"));
      const running = run(sandbox, folders.root, "bomb() { bomb | bomb & }; bomb; sleep 20");
      const most = await mostTasks(running);
      const result = await running;
      expect(result.endedBy).toBe("processes");
      expect(result.tookMs).toBeLessThan(5000);
      // Eight threads a process on average are allowed; the others on this machine come and go.
      expect(most - others).toBeLessThan(100 * 8 + 200);
      expect(await groupsOf(process.pid)).toEqual([]);
    });
  },
);

describe.skipIf(!groups)("In a control group", () => {
  test.each(kinds)("more children than the kernel's limit are never all there (walls %s)", async (mode) => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, processes: 30 }));
    const word = uniqueSleep();
    const result = await run(sandbox, folders.root, `for i in $(seq 300); do sleep ${word} & done; echo all; wait`);
    expect(result.endedBy).toBe("processes");
    // At most that none could be started any more.
    expect(result.output.replaceAll(/.*Cannot fork\n/g, "")).toBe("");
    expect(await processesWith(word)).toEqual([]);
    expect(await groupsOf(process.pid)).toEqual([]);
  });

  test.each(kinds)("threads are limited as well, at eight times the processes (walls %s)", async (mode) => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, processes: 10 }));
    const script = `import threading, time
started = 0
try:
  for _ in range(300): threading.Thread(target=time.sleep, args=(20,), daemon=True).start(); started += 1
finally: print(started, flush=True); time.sleep(20)`;
    await folders.file("data/worktree/threads.py", script);
    const result = await run(sandbox, folders.root, "python3 threads.py");
    expect(result.endedBy).toBe("processes");
    expect(Number(result.output.split("\n").find((line) => /^\d+$/.test(line)) ?? 0)).toBeLessThan(84);
  });

  test.each(kinds)("memory that no process has mapped counts (walls %s)", async (mode) => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode, memoryBytes: 200 * megabyte }));
    const script = `import os
for _ in range(6): os.write(os.memfd_create("x"), bytes(50_000_000))
print("kept")`;
    await folders.file("data/worktree/hog.py", script);
    const result = await run(sandbox, folders.root, "python3 hog.py");
    expect(result.endedBy).toBe("memory");
    expect(result.output).not.toContain("kept");
  });

  test("a command that leaves its group's parents, its session and its environment is ended all the same", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode: "none" }));
    const word = uniqueSleep();
    const command = `setsid env -i sh -c 'sleep ${word} >/dev/null 2>&1 &' </dev/null >/dev/null 2>&1; echo left`;
    expect(await run(sandbox, folders.root, command)).toMatchObject({ code: 0, output: "left\n" });
    expect(await processesWith(word)).toEqual([]);
  });
});

describe("Without walls", () => {
  test("the environment is as clean, and its home is gone afterwards", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ mode: "none" }));
    expect(sandbox.kind).toBe("none");
    const { output } = await run(
      sandbox,
      folders.root,
      "env | cut -d= -f1 | sort | tr '\\n' ' '; echo; pwd; cd ~; pwd",
    );
    const [names, where, home = ""] = output.split("\n");
    expect(names?.trim().split(" ")).toEqual([
      "CI",
      "CREWROOM_COMMAND",
      "HOME",
      "LANG",
      "NO_COLOR",
      "PATH",
      "PWD",
      "TERM",
      "TMPDIR",
    ]);
    expect(where).toBe(folders.root);
    expect(home).toContain(tmpdir());
    expect(await readdir(tmpdir())).not.toContain(home.split("/").at(-1));
  });
});

describe.skipIf(!walls)("Behind walls", () => {
  test("only its own processes count, from its first moment on", async () => {
    await using folders = await openFolders();
    const sandbox = await openSandbox(optionsFor({ processes: 3 }));
    const commands = Array.from({ length: 30 }, (_, index) => run(sandbox, folders.root, `sleep 0.05; echo ${index}`));
    const results = await Promise.all(commands);
    expect(results.map(({ output, endedBy }) => ({ output, endedBy }))).toEqual(
      commands.map((_, index) => ({ output: `${index}\n`, endedBy: undefined })),
    );
  });

  test("a command dies with the bridge, also when that is killed", async () => {
    await using folders = await openFolders();
    const word = uniqueSleep();
    const script = await folders.file(
      "bridge.ts",
      `import { openSandbox } from ${JSON.stringify(new URL("../../../src/files/sandbox/sandbox.ts", import.meta.url).href)};
      const log = { debug() {}, warn() {} };
      const sandbox = await openSandbox({ mode: "required", network: [], seconds: 60, memoryBytes: 1e9, processes: 50, outputBytes: 1000, hidden: [], log });
      await sandbox.run({ command: "setsid sleep ${word} & sleep ${word}", root: ${JSON.stringify(folders.root)}, writable: true, readable: [], signal: new AbortController().signal });`,
    );
    const bridge = spawn(process.execPath, [script], { stdio: "ignore" });
    await expect.poll(() => processesWith(word), { timeout: 10_000 }).toHaveLength(2);
    bridge.kill("SIGKILL");
    await once(bridge, "exit");
    await expect.poll(() => processesWith(word)).toEqual([]);
    // The next bridge clears up.
    await openSandbox(optionsFor());
    expect(await groupsOf(bridge.pid ?? 0)).toEqual([]);
  });
});
