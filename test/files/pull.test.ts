import { copyFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { type Bundle, type Commit, mainBranch } from "../../src/core/files.ts";
import type { CommitHash, MxcUri } from "../../src/core/ids.ts";
import { makeBundle } from "../../src/files/bundle.ts";
import { factsOf } from "../../src/files/changes.ts";
import { mergeInto } from "../../src/files/merge.ts";
import type { CommitEvent } from "../../src/files/port.ts";
import { pullInto } from "../../src/files/pull.ts";
import { failure, Story } from "./story.ts";

/** A host, and what it told its room. The media store is a folder. */
class Teller {
  readonly story: Story;
  readonly events: CommitEvent[] = [];
  fetched = 0;

  constructor(story: Story) {
    this.story = story;
  }

  async tell(commit: Commit, full = false): Promise<void> {
    const { git, repository } = this.story;
    const needs = full ? [] : commit.parents.filter((parent) => parent !== repository.root);
    const id = `m${this.events.length}`;
    const made = await makeBundle(git, repository, commit.hash, needs, this.story.path(id));
    const { changes } = await factsOf(git, repository, commit, 0);
    const part = { mxc: `mxc://example.org/${id}` as MxcUri, sha256: made.sha256, size: made.size };
    const bundle: Bundle = { parts: [part], sha256: made.sha256, size: made.size, needs: made.needs };
    this.events.push({ event: `$${id}`, ts: this.events.length, commit, changes, bundle });
  }

  readonly fetch = async ({ parts }: Bundle, into: string): Promise<void> => {
    this.fetched += 1;
    for (const { mxc } of parts) await copyFile(this.story.path(mxc.slice("mxc://example.org/".length)), into);
  };

  async pull(into: Story, events: readonly CommitEvent[], main?: CommitHash) {
    const heads = main === undefined ? {} : { main };
    return pullInto(into.git, into.folder, 7, events, heads, this.fetch, () => undefined);
  }
}

async function told(story: Story): Promise<Teller> {
  const teller = new Teller(story);
  const { git, repository } = story;
  await teller.tell(await story.commit({ "a.txt": "a\n", "b.bin": new Uint8Array([0, 255]) }));
  await teller.tell(await story.commit({ "s.txt": "s\n" }, { subtask: "parser", by: "Bo" }));
  const last = await story.commit({ "s.txt": undefined, "t.txt": "s\n" }, { subtask: "parser", by: "Bo" });
  await teller.tell(last);
  const merged = await mergeInto(git, repository, { into: mainBranch, commit: last.hash, words: story.words() });
  if (merged.kind !== "merged") throw new Error("expected it to go together");
  await teller.tell(await repository.read(merged.commit, mainBranch));
  await teller.tell(await story.commit({ "a.txt": { mode: "100755", content: "a\nb\n" } }));
  return teller;
}

describe("a second host", () => {
  test("has every branch just as the first, from messages in any order and twice", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const teller = await told(here);
    const heads = await here.repository.heads();
    const events = [...teller.events.toReversed(), ...teller.events];
    const { branches, repository } = await teller.pull(there, events, heads[mainBranch]);
    expect(branches).toEqual(heads);
    expect(await repository.heads()).toEqual(heads);
    const place = { gitDir: repository.path };
    await there.git.run(place, ["fsck", "--strict", "--full"]);
    expect(await there.show(mainBranch, "a.txt")).toBe("a\nb\n");
    expect(teller.fetched).toBe(5);

    // Again: nothing is fetched twice, and what came since is taken.
    await teller.tell(await here.commit({ "late.txt": "late\n" }));
    await teller.pull(there, teller.events);
    expect(teller.fetched).toBe(6);
    expect(await there.repository.heads()).toEqual(await here.repository.heads());
  });

  test("takes what it can when a message is missing, names it, and goes on when it is there", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const teller = await told(here);
    const [first, second, lost, ...later] = teller.events;
    if (first === undefined || second === undefined || lost === undefined) throw new Error("expected three messages");
    const { code, message } = await failure(() => teller.pull(there, [first, second, ...later]));
    expect(code).toBe("FILES_INCOMPLETE");
    expect(message).toContain(`commit ${lost.commit.hash}: no message tells of it`);
    expect(await there.repository.has(second.commit.hash)).toBe(true);
    await teller.pull(there, teller.events);
    expect(await there.repository.heads()).toEqual(await here.repository.heads());
  });

  test("names media that cannot be fetched", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const teller = await told(here);
    const gone = teller.events[3];
    const fetch = async (bundle: Bundle, into: string): Promise<void> => {
      if (bundle === gone?.bundle) throw new Error("404 M_NOT_FOUND");
      await teller.fetch(bundle, into);
    };
    const { code, message } = await failure(() =>
      pullInto(there.git, there.folder, 7, teller.events, {}, fetch, () => undefined),
    );
    expect(code).toBe("FILES_INCOMPLETE");
    expect(message).toContain(`commit ${gone?.commit.hash} of main (message $m3): 404 M_NOT_FOUND`);
    expect(await there.repository.head("subtask/parser")).toBe(await here.repository.head("subtask/parser"));
  });

  test("refuses a bundle that was replaced, and a message that lies about files, modes or parents", async () => {
    await using here = await Story.begin();
    const teller = await told(here);
    const [first, ...others] = teller.events;
    if (first === undefined) throw new Error("expected a message");
    const [change] = first.changes;
    if (change === undefined) throw new Error("expected a change");
    const with0 = (lie: Partial<CommitEvent>): readonly CommitEvent[] => [{ ...first, ...lie }, ...others];
    const lies: readonly (readonly CommitEvent[])[] = [
      with0({ changes: [{ ...change, sha256: "0".repeat(64) }] }),
      with0({ changes: [{ ...change, mode: "100755" }] }),
      with0({ changes: [{ path: change.path, kind: "deleted" }] }),
      with0({ changes: [{ ...change, path: "never there" }] }),
      with0({ commit: { ...first.commit, parents: [] } }),
    ];
    for (const events of lies) {
      await using there = await Story.begin();
      const { code, message } = await failure(() => teller.pull(there, events));
      expect(code).toBe("FILES_DAMAGED");
      expect(message).toContain(first.event);
      expect(await there.repository.head(mainBranch)).toBe(there.repository.root);
    }
    await using there = await Story.begin();
    await writeFile(here.path("m0"), "not what it was");
    const { code, message } = await failure(() => teller.pull(there, teller.events));
    expect(code).toBe("FILES_DAMAGED");
    expect(message).toContain(first.event);
  });

  test("of a rewritten history has the new one only", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const teller = await told(here);
    const base = await here.repository.head(mainBranch);
    const anew = await here.commit({ "only.txt": "x\n" }, { onto: here.repository.root });
    await teller.tell(anew, true);
    await teller.pull(there, teller.events, anew.hash);
    expect(await there.repository.head(mainBranch)).toBe(anew.hash);
    expect(await there.repository.has(base ?? "")).toBe(false);
  });

  test("keeps few packs, however many commits come", async () => {
    await using here = await Story.begin();
    await using there = await Story.begin();
    const teller = new Teller(here);
    for (let count = 0; count < 70; count++) await teller.tell(await here.commit({ "a.txt": `${count}\n` }));
    await teller.pull(there, teller.events);
    expect(await there.repository.heads()).toEqual(await here.repository.heads());
    const counted = await there.git.text({ gitDir: there.repository.path }, ["count-objects", "-v"]);
    expect(Number(/^packs: (\d+)$/m.exec(counted)?.[1])).toBeLessThan(10);
  });
});
