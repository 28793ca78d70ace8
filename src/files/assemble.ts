/**
 * Decides from a room's messages about commits which bundles make up its task's files, and in which order. Pure: messages
 * may come in any order and several times.
 *
 *   newest commit of each branch ──its bundle needs──▶ commit ──its bundle needs──▶ … ──▶ a bundle that stands alone
 *
 * What nothing leads to from there, such as commits from before history was rewritten, is not needed.
 */
import { type Branch, mainBranch } from "../core/files.ts";
import type { CommitHash } from "../core/ids.ts";
import type { CommitEvent } from "./port.ts";

export interface Assembly {
  /** Messages whose bundles are to be taken, each after those that it builds on. */
  readonly order: readonly CommitEvent[];
  /** Sentences, each about one commit whose bundle is missing. Empty: everything is there. */
  readonly missing: readonly string[];
  /** The newest commit of each branch. */
  readonly branches: Record<Branch, CommitHash>;
}

export interface KnownHeads {
  /** `main` as the room's state names it. */
  readonly main?: CommitHash;
  /** The first commit, which every repository of the task has. */
  readonly root?: CommitHash;
}

export function assemble(events: readonly CommitEvent[], heads: KnownHeads): Assembly {
  const graph = new Graph(events);
  const branches = newestOf(events, graph);
  const newest = branches[mainBranch];
  const wanted = heads.main;
  // The state may be older than a message that has just come, but then it is in that commit's history.
  const follows = wanted === undefined || (newest !== undefined && graph.history([newest]).has(wanted));
  if (!follows && graph.told.has(wanted)) branches[mainBranch] = wanted;
  const walk = new Walk(graph, heads.root);
  if (!follows) walk.need(wanted, "the room names it as the head of main");
  for (const branch of Object.keys(branches).toSorted()) {
    const head = branches[branch];
    if (head !== undefined) walk.need(head, `it is the head of ${branch}`);
  }
  return { order: walk.order, missing: walk.missing, branches };
}

/** What the messages say of commits and their parents. */
class Graph {
  /** The most useful message about each commit. */
  readonly told = new Map<CommitHash, CommitEvent>();

  constructor(events: readonly CommitEvent[]) {
    for (const event of events) {
      const known = this.told.get(event.commit.hash);
      if (known === undefined || preferred(event, known) < 0) this.told.set(event.commit.hash, event);
    }
  }

  /** Commits with all that they come from, as far as messages tell. */
  history(from: readonly CommitHash[], without: ReadonlySet<CommitHash> = new Set()): Set<CommitHash> {
    const found = new Set<CommitHash>();
    const next = [...from];
    for (let hash = next.pop(); hash !== undefined; hash = next.pop()) {
      if (found.has(hash) || without.has(hash)) continue;
      found.add(hash);
      next.push(...(this.told.get(hash)?.commit.parents ?? []));
    }
    return found;
  }

  /** Another commit's message whose bundle has this commit in it, because it carries more than its own. */
  containing(hash: CommitHash): CommitEvent | undefined {
    return [...this.told.values()]
      .filter((event) => event.bundle !== undefined && event.commit.hash !== hash)
      .toSorted(preferred)
      .find(({ commit, bundle }) => this.history([commit.hash], this.history(bundle?.needs ?? [])).has(hash));
  }
}

/** Order of usefulness: with a bundle, needing less, newer. */
function preferred(a: CommitEvent, b: CommitEvent): number {
  const needs = (event: CommitEvent): number => event.bundle?.needs.length ?? Number.POSITIVE_INFINITY;
  // Two infinities have no difference.
  if (needs(a) !== needs(b)) return needs(a) < needs(b) ? -1 : 1;
  return b.ts - a.ts || (a.event < b.event ? -1 : Number(a.event > b.event));
}

/**
 * The head of a branch is the commit that no other of it builds on. Several: history was rewritten, and the line with the
 * newest commit counts; rewritten commits keep their dates, so then the one that was told last.
 */
function newestOf(events: readonly CommitEvent[], graph: Graph): Record<Branch, CommitHash> {
  const byBranch = Map.groupBy(events, (event) => event.commit.branch);
  return Object.fromEntries(
    [...byBranch].flatMap(([branch, told]) => {
      const older = graph.history(told.flatMap(({ commit }) => commit.parents));
      const [head] = told
        .filter(({ commit }) => !older.has(commit.hash))
        .toSorted((a, b) => b.commit.ts - a.commit.ts || b.ts - a.ts || (a.commit.hash < b.commit.hash ? -1 : 1));
      return head === undefined ? [] : [[branch, head.commit.hash]];
    }),
  );
}

class Walk {
  readonly order: CommitEvent[] = [];
  readonly missing: string[] = [];
  readonly #graph: Graph;
  /** Commits that have been asked for, and bundles that are in the order or on the way into it. */
  readonly #asked = new Set<CommitHash>();
  readonly #taken = new Set<CommitEvent>();

  constructor(graph: Graph, root: CommitHash | undefined) {
    this.#graph = graph;
    if (root !== undefined) this.#asked.add(root);
  }

  /** @param why Ends a sentence about a commit of which no message tells. */
  need(hash: CommitHash, why: string): void {
    // Without recursion: histories are longer than stacks are deep.
    const steps: (CommitEvent | { readonly hash: CommitHash; readonly why: string })[] = [{ hash, why }];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      if ("event" in step) {
        this.order.push(step);
        continue;
      }
      if (this.#asked.has(step.hash)) continue;
      this.#asked.add(step.hash);
      const told = this.#graph.told.get(step.hash);
      const source = told?.bundle === undefined ? this.#graph.containing(step.hash) : told;
      if (source === undefined) {
        this.missing.push(told === undefined ? untold(step.hash, step.why) : unbundled(told));
        // What it builds on can be taken all the same.
        const parents = (told?.commit.parents ?? []).filter((parent) => this.#graph.told.has(parent));
        steps.push(...parents.map((parent) => ({ hash: parent, why: "" })));
      } else if (!this.#taken.has(source)) {
        this.#taken.add(source);
        const { commit, event, bundle } = source;
        const needed = `the bundle of ${commit.hash} on ${commit.branch} (message ${event}) builds on it`;
        steps.push(source, ...(bundle?.needs ?? []).map((need) => ({ hash: need, why: needed })));
      }
    }
  }
}

function untold(hash: CommitHash, why: string): string {
  return `commit ${hash}: no message tells of it, but ${why}`;
}

function unbundled({ commit, event }: CommitEvent): string {
  return `commit ${commit.hash} of ${commit.branch} (${commit.subject}): its message ${event} has no bundle`;
}
