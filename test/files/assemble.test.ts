import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Branch, Bundle } from "../../src/core/files.ts";
import type { AgentId, CommitHash, MxcUri } from "../../src/core/ids.ts";
import { assemble } from "../../src/files/assemble.ts";
import type { CommitEvent } from "../../src/files/port.ts";

function hash(name: string): CommitHash {
  return Buffer.from(name).toString("hex").padEnd(40, "0") as CommitHash;
}

const root = hash("root");

interface Sketch {
  readonly parents?: readonly string[];
  readonly branch?: Branch;
  /** Default: its parents, without the root. `null`: no bundle. */
  readonly needs?: readonly string[] | null;
  /** Of the commit, and of its message when there is no `told`. */
  readonly ts?: number;
  readonly told?: number;
}

function event(name: string, { parents = ["root"], branch = "main", needs, ts = 0, told = ts }: Sketch): CommitEvent {
  const bundle: Bundle = {
    parts: [{ mxc: "mxc://example.org/a" as MxcUri, sha256: "", size: 1 }],
    sha256: "",
    size: 1,
    needs: (needs ?? parents.filter((parent) => parent !== "root")).map(hash),
  };
  const by = "ada" as AgentId;
  return {
    event: `$${name}.${told}`,
    ts: told,
    commit: { hash: hash(name), parents: parents.map(hash), branch, by, why: "change", subject: name, ts },
    changes: [],
    ...(needs === null ? {} : { bundle }),
  };
}

function subjects(order: readonly CommitEvent[]): readonly string[] {
  return order.map(({ commit }) => commit.subject);
}

/** Main with a merged subtask, and a subtask that is still open. */
const story: readonly CommitEvent[] = [
  event("1", { ts: 1 }),
  event("a", { parents: ["1"], branch: "subtask/a", ts: 2 }),
  event("b", { parents: ["a"], branch: "subtask/a", ts: 3 }),
  event("m", { parents: ["1", "b"], ts: 4 }),
  event("c", { parents: ["m"], branch: "subtask/c", ts: 5 }),
];
const branches = { main: hash("m"), "subtask/a": hash("b"), "subtask/c": hash("c") };

describe("putting together what a room tells", () => {
  test("takes each bundle after those that it builds on", () => {
    expect(assemble(story, { main: hash("m"), root })).toEqual({
      order: [story[0], story[1], story[2], story[3], story[4]],
      missing: [],
      branches,
    });
  });

  test("begins at bundles that stand alone, and leaves out what is before them", () => {
    const full = event("m", { parents: ["1", "b"], needs: [], ts: 4, told: 9 });
    const { order, missing } = assemble([...story, full], { root });
    // The subtask's own bundles are still wanted: nothing says that its branch could be found in another.
    expect(subjects(order)).toEqual(["m", "1", "a", "b", "c"]);
    expect(order[0]).toBe(full);
    expect(missing).toEqual([]);
  });

  test("leaves out commits from before history was rewritten", () => {
    const rewritten = [
      event("m'", { parents: ["1'", "b'"], needs: [], ts: 4, told: 9 }),
      event("b'", { parents: ["a'"], branch: "subtask/a", needs: [], ts: 3, told: 8 }),
      event("c'", { parents: ["m'"], branch: "subtask/c", needs: [], ts: 5, told: 10 }),
    ];
    const later = event("d", { parents: ["m'"], ts: 11 });
    const result = assemble([...story, ...rewritten, later], { main: hash("d"), root });
    expect(new Set(subjects(result.order))).toEqual(new Set(["m'", "b'", "c'", "d"]));
    expect(result.branches).toEqual({ main: hash("d"), "subtask/a": hash("b'"), "subtask/c": hash("c'") });
    expect(result.missing).toEqual([]);
  });

  test("believes the room's state about main, unless a message is ahead of it", () => {
    expect(assemble(story, { main: hash("1"), root }).branches["main"]).toBe(hash("m"));
    const others = [...story, event("x", { ts: 99 })];
    expect(assemble(others, { main: hash("m"), root }).branches["main"]).toBe(hash("m"));
  });

  test("names a head of main of which no message tells", () => {
    const { missing, order } = assemble(story, { main: hash("unknown"), root });
    expect(missing).toEqual([
      `commit ${hash("unknown")}: no message tells of it, but the room names it as the head of main`,
    ]);
    expect(order).toHaveLength(story.length);
  });

  test("names a message without a bundle, and takes what it builds on all the same", () => {
    const events = [event("1", { ts: 1 }), event("2", { parents: ["1"], needs: null, ts: 2 })];
    const { missing, order } = assemble(events, { root });
    expect(missing).toEqual([`commit ${hash("2")} of main (2): its message $2.2 has no bundle`]);
    expect(subjects(order)).toEqual(["1"]);
  });

  test("does without a bundle whose commit is in another", () => {
    const events = [
      event("1", { ts: 1 }),
      event("2", { parents: ["1"], needs: null, ts: 2 }),
      event("3", { parents: ["2"], needs: [], ts: 3 }),
      event("s", { parents: ["2"], branch: "subtask/s", ts: 4 }),
    ];
    const { missing, order } = assemble(events, { root });
    expect(missing).toEqual([]);
    expect(subjects(order)).toEqual(["3", "s"]);
  });

  test("of nothing is nothing", () => {
    expect(assemble([], {})).toEqual({ order: [], missing: [], branches: {} });
  });

  test("is not stopped by messages that build on each other in a circle", () => {
    const circle = [event("1", { parents: ["2"], needs: ["2"] }), event("2", { parents: ["1"], needs: ["1"] })];
    expect(() => assemble(circle, { main: hash("2"), root })).not.toThrow();
  });

  test("goes through histories longer than a stack is deep", () => {
    const long = Array.from({ length: 20_000 }, (_, at) =>
      event(`n${at}`, at === 0 ? {} : { parents: [`n${at - 1}`], ts: at }),
    );
    const { order } = assemble(long.toReversed(), { root });
    expect(order).toHaveLength(20_000);
    expect(order[0]).toBe(long[0]);
  });
});

/** Any history in which each commit builds on one or two earlier ones, on some branches. */
const histories = fc
  .array(fc.record({ branch: fc.nat(3), second: fc.nat(), merge: fc.boolean() }), { minLength: 1, maxLength: 14 })
  .map((drawn) => {
    const heads = new Map<string, string>();
    return drawn.map(({ branch, second, merge }, at) => {
      const name = branch === 0 ? "main" : `subtask/s${branch}`;
      const first = heads.get(name) ?? heads.get("main") ?? "root";
      const other = `n${at === 0 ? 0 : second % at}`;
      heads.set(name, `n${at}`);
      const parents = merge && at > 0 && other !== first ? [first, other] : [first];
      return event(`n${at}`, { parents, branch: name, ts: at + 1 });
    });
  });

describe("whatever the order in which messages come", () => {
  test("the result is the same, also when they come several times", () => {
    fc.assert(
      fc.property(
        histories.chain((events) =>
          fc.tuple(fc.constant(events), fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 })),
        ),
        ([events, shuffled]) => {
          const [plain, other] = [assemble(events, { root }), assemble(shuffled, { root })];
          expect(other).toEqual(plain);
          expect(plain.missing).toEqual([]);
          const taken = new Set<string>();
          for (const { commit, bundle } of plain.order) {
            for (const need of bundle?.needs ?? []) expect(taken).toContain(need);
            taken.add(commit.hash);
          }
          for (const head of Object.values(plain.branches)) expect(taken).toContain(head);
        },
      ),
    );
  });

  test("a bundle that is needed and not there is always named", () => {
    fc.assert(
      fc.property(
        histories.chain((events) =>
          fc.tuple(
            fc.constant(events),
            fc.nat(events.length - 1),
            fc.boolean(),
            fc.shuffledSubarray(events, { minLength: events.length }),
          ),
        ),
        ([events, at, whole, shuffled]) => {
          const all = assemble(events, { root });
          const lost = events[at];
          if (lost === undefined) return;
          const { bundle: _, ...bare } = lost;
          const kept = shuffled.flatMap((one) => (one === lost ? (whole ? [] : [bare]) : [one]));
          const { missing, order, branches } = assemble(kept, { root });
          const builtOn = order.some(({ bundle }) => bundle?.needs.includes(lost.commit.hash));
          const isHead = branches[lost.commit.branch] === lost.commit.hash;
          const needed = all.order.includes(lost) && (builtOn || isHead);
          expect(missing.map((sentence) => sentence.includes(lost.commit.hash))).toEqual(needed ? [true] : []);
        },
      ),
    );
  });
});
