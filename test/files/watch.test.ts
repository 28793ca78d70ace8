import { execFile } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch as watchPath,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { watchTree, type WatchOptions } from "../../src/files/watch.ts";

let root = "";
let ending = new AsyncDisposableStack();
beforeEach(() => {
  ending = new AsyncDisposableStack();
  root = mkdtempSync(join(tmpdir(), "crewroom-watch-"));
  ending.defer(() => rmSync(root, { recursive: true, force: true }));
});
afterEach(() => ending.disposeAsync());

const at = (...names: string[]): string => join(root, ...names);
const write = (path: string, text = path): void => writeFileSync(path, text);
const folder = (path: string): void => void mkdirSync(path, { recursive: true });

interface Watched {
  calls: number;
  readonly errors: unknown[];
  /** Resolves with the next call. */
  quiet(): Promise<void>;
  /** Resolves with the next error. */
  error(): Promise<unknown>;
}

async function start(options: Partial<WatchOptions> = {}, path = root): Promise<Watched> {
  const events = new EventTarget();
  const watched: Watched = {
    calls: 0,
    errors: [],
    quiet: async () => void (await once(events, "quiet")),
    error: async () => {
      await once(events, "error");
      return watched.errors.at(-1);
    },
  };
  ending.use(
    await watchTree(path, {
      quietMs: 50,
      mostMs: 5_000,
      ignore: ["node_modules/"],
      onQuiet: () => {
        watched.calls += 1;
        events.dispatchEvent(new Event("quiet"));
      },
      onError: (error) => {
        watched.errors.push(error);
        events.dispatchEvent(new Event("error"));
      },
      ...options,
    }),
  );
  return watched;
}

/** Does something and waits until it is told of. */
async function told(watched: Watched, act: () => void): Promise<void> {
  const quiet = watched.quiet();
  act();
  await quiet;
}

/** A clock that stands still until it is told to go on. */
function handClock(): WatchOptions["clock"] & { waits: number[]; armed(): Promise<void>; pass(ms: number): void } {
  const events = new EventTarget();
  let now = 0;
  let waiting: (() => void) | undefined;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    after: (ms) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waits.push(ms);
      waiting = resolve;
      events.dispatchEvent(new Event("armed"));
      return promise;
    },
    armed: async () => void (await once(events, "armed")),
    pass: (ms) => {
      now += ms;
      waiting?.();
    },
  };
}

const onLinux = process.platform === "linux";
/** Watches that this process holds; 0 on other systems. */
const inotifyWatches = (): number =>
  (onLinux ? readdirSync("/proc/self/fdinfo") : [])
    .map((fd) => {
      try {
        return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8").match(/^inotify /gm)?.length ?? 0;
      } catch {
        return 0; // closed meanwhile
      }
    })
    .reduce((sum, count) => sum + count, 0);

describe("what is heard", () => {
  it("files that are made, edited, renamed, given another mode, and deleted", async () => {
    folder(at("src"));
    const watched = await start();
    await told(watched, () => write(at("src", "a")));
    await told(watched, () => write(at("src", "a"), "other"));
    await told(watched, () => chmodSync(at("src", "a"), 0o755));
    await told(watched, () => renameSync(at("src", "a"), at("b")));
    await told(watched, () => rmSync(at("b")));
    await told(watched, () => rmSync(at("src"), { recursive: true }));
    expect(watched.errors).toEqual([]);
  });

  it("files in nested folders that were made at once, then and later", async () => {
    const watched = await start();
    for (const name of ["one", "two", "three", "four", "five"]) {
      await told(watched, () => {
        folder(at(name, "b", "c"));
        write(at(name, "b", "c", "file"));
      });
      await told(watched, () => write(at(name, "b", "c", "file"), "other"));
    }
    expect(watched.errors).toEqual([]);
  });

  it("files in folders that were renamed, replaced, or moved in with all that is in them", async () => {
    folder(at("old", "deep"));
    folder(at("node_modules", "hidden", "deep"));
    const watched = await start();
    await told(watched, () => renameSync(at("old"), at("new")));
    await told(watched, () => write(at("new", "deep", "file")));
    await told(watched, () => {
      rmSync(at("new"), { recursive: true });
      folder(at("new", "deep"));
    });
    await told(watched, () => write(at("new", "deep", "file")));
    await told(watched, () => renameSync(at("node_modules", "hidden"), at("seen")));
    await told(watched, () => write(at("seen", "deep", "file")));
    expect(watched.errors).toEqual([]);
  });

  it.runIf(onLinux)("folders that came in a flood of which the system dropped a part", async () => {
    const watched = await start({ mostMs: 60_000 });
    await told(watched, () => {
      for (let count = 0; count < 17_000; count += 1) writeFileSync(at(`f${count}`), "");
      folder(at("late", "deep"));
    });
    await told(watched, () => write(at("late", "deep", "file")));
    expect(watched.errors).toEqual([]);
  });

  it("changes in the root that came in the place of another", async () => {
    const watched = await start();
    await told(watched, () => {
      rmSync(root, { recursive: true });
      folder(at("src"));
    });
    await told(watched, () => write(at("src", "file")));
    await told(watched, () => {
      renameSync(root, `${root}-old`);
      ending.defer(() => rmSync(`${root}-old`, { recursive: true }));
      folder(at("src"));
    });
    await told(watched, () => write(at("src", "file")));
    expect(watched.errors).toEqual([]);
  });

  it("changes in a whole tree that one watch sees", async () => {
    folder(at("src"));
    const watched = await start({ recursive: true });
    await told(watched, () => write(at("src", "file")));
    await told(watched, () => write(at("src", "file"), "other"));
    expect(watched.errors).toEqual([]);
  });
});

describe("what is not heard", () => {
  it("changes in .git, in ignored folders, and behind links out", async () => {
    const outside = mkdtempSync(join(tmpdir(), "crewroom-outside-"));
    ending.defer(() => rmSync(outside, { recursive: true }));
    const places = [at(".git", "refs"), at("node_modules", "a"), at("src", "node_modules", "b"), outside];
    places.forEach(folder);
    symlinkSync(outside, at("link"));
    const tested = await start();
    // Watches of these places themselves hear of it later than the tested one would have told of it.
    const others = await Promise.all(places.map((place) => start({ quietMs: 200 }, place)));
    const all = Promise.all(others.map((other) => other.quiet()));
    for (const place of places) write(join(place, "file"));
    await all;
    expect(tested.calls).toBe(0);
    await told(tested, () => write(at("src", "file")));
    expect(tested.calls).toBe(1);
  });

  it.runIf(onLinux)("costs one watch for each folder, and none for files and ignored folders", async () => {
    const before = inotifyWatches();
    for (const name of ["a", "b", "node_modules/c/d", ".git/objects"]) folder(at(name));
    for (const name of ["x", "a/x", "b/x", "node_modules/c/x"]) write(at(name));
    const watched = await start();
    expect(inotifyWatches() - before).toBe(3);
    await told(watched, () => rmSync(at("b"), { recursive: true }));
    expect(inotifyWatches() - before).toBe(2);
    await ending.disposeAsync();
    expect(inotifyWatches() - before).toBe(0);
  });
});

describe("when it is told", () => {
  it("once, when it has been quiet for a while", async () => {
    const clock = handClock();
    const watched = await start({ quietMs: 1_000, clock });
    const armed = clock.armed();
    write(at("a"));
    await armed;
    // Heard before the time has passed: then it waits for the rest.
    clock.pass(600);
    const { promise, resolve } = Promise.withResolvers<void>();
    const other = watchPath(root, () => resolve());
    ending.defer(() => other.close());
    write(at("b"));
    await promise;
    const again = clock.armed();
    clock.pass(400);
    await again;
    expect(watched.calls).toBe(0);
    expect(clock.waits.at(-1)).toBe(600);
    const quiet = watched.quiet();
    clock.pass(600);
    await quiet;
    expect(watched.calls).toBe(1);
  });

  it("after a while all the same when it never becomes quiet", async () => {
    const watched = await start({ quietMs: 60_000, mostMs: 100 });
    await told(watched, () => write(at("a")));
    expect(watched.calls).toBe(1);
  });
});

describe("what goes wrong", () => {
  it("refuses a root that is not there", async () => {
    await expect(start({}, at("nowhere"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("tells that the root is gone, and ends", async () => {
    const watched = await start();
    const error = watched.error();
    rmSync(root, { recursive: true });
    await expect(error).resolves.toMatchObject({ code: "ENOENT" });
    expect(watched.calls).toBe(0);
  });

  it.each([
    ["at the start", 1],
    ["later", 3],
  ])("looks again and again when the system gives no more watches %s", async (_, given) => {
    folder(at("src"));
    let left = given;
    const open: ReturnType<typeof watchPath>[] = [];
    const clock = {
      now: () => performance.now(),
      after: (ms: number, signal: AbortSignal) => delay(Math.min(ms, 25), undefined, { signal }),
    };
    const watched = await start({
      clock,
      watch: (path, options, heard) => {
        left -= 1;
        if (left < 0)
          throw Object.assign(new Error("System limit for number of file watchers reached"), { code: "ENOSPC" });
        const watcher = watchPath(path, options, heard);
        open.push(watcher);
        return watcher;
      },
    });
    // The root, `src`, and `one`.
    if (given === 3) {
      await told(watched, () => folder(at("one")));
      await told(watched, () => folder(at("two")));
    }
    expect(watched.errors).toMatchObject([{ code: "ENOSPC" }]);
    if (watched.calls === 0) await watched.quiet();
    await told(watched, () => folder(at("deep", "er")));
    await told(watched, () => write(at("deep", "er", "file")));
    await told(watched, () => write(at("deep", "er", "file"), "other, and longer"));
    await told(watched, () => chmodSync(at("deep", "er", "file"), 0o755));
    await told(watched, () => renameSync(at("deep"), at("deeper")));
    await told(watched, () => rmSync(at("deeper"), { recursive: true }));
    // What it had is given back: others need it more.
    expect(inotifyWatches()).toBe(0);
  });

  it("looks again and again in a tree with too many folders", async () => {
    for (let count = 0; count < 100; count += 1) {
      for (let other = 0; other < 100; other += 1) folder(at(`d${count}`, `e${other}`));
    }
    const watched = await start();
    expect(watched.errors).toMatchObject([{ message: expect.stringContaining("10000 folders") as unknown }]);
    expect(inotifyWatches()).toBe(0);
  });
});

it("keeps no process alive once it is closed", async () => {
  const module = new URL("../../src/files/watch.ts", import.meta.url).href;
  folder(at("a", "b"));
  const code = `
    import { watchTree } from ${JSON.stringify(module)};
    import { writeFileSync } from "node:fs";
    const { promise, resolve } = Promise.withResolvers();
    const watch = await watchTree(${JSON.stringify(root)}, {
      quietMs: 10, mostMs: 1000, ignore: [], onQuiet: resolve, onError: (error) => { throw error; },
    });
    writeFileSync(${JSON.stringify(at("a", "b", "file"))}, "x");
    await promise;
    writeFileSync(${JSON.stringify(at("a", "b", "file"))}, "y");
    await watch[Symbol.asyncDispose]();
    console.log("closed");`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], {
    timeout: 20_000,
  });
  expect(stdout).toBe("closed\n");
});
