/** In which worktree each running turn works. While it does, what it changes there is recorded after a quiet moment. */
import { asCrewError } from "../core/errors.ts";
import type { TurnId } from "../core/ids.ts";
import type { OpenTree, TaskFilesParts, TaskRepository } from "./task-files.ts";
import { watchTree } from "./watch.ts";
import { recordTree } from "./workspaces.ts";

interface Running {
  readonly task: TaskRepository;
  readonly open: OpenTree;
  readonly watch?: AsyncDisposable;
}

export class TurnTrees implements AsyncDisposable {
  readonly #parts: Pick<TaskFilesParts, "bridge" | "settings">;
  readonly #turns = new Map<TurnId, Running>();

  constructor(parts: Pick<TaskFilesParts, "bridge" | "settings">) {
    this.#parts = parts;
  }

  /** A turn works in this worktree from now on. */
  async begin(task: TaskRepository, open: OpenTree, turn: TurnId): Promise<void> {
    const before = this.#turns.get(turn);
    if (before?.open === open) return;
    await before?.watch?.[Symbol.asyncDispose]();
    before?.open.turns.delete(turn);
    open.turns.add(turn);
    this.#turns.set(turn, { task, open });
    if (!open.tree.writable) return;
    const watch = await this.#watch(task, open, turn);
    const now = this.#turns.get(turn);
    if (now?.open === open && now.watch === undefined) this.#turns.set(turn, { task, open, watch });
    else await watch[Symbol.asyncDispose]();
  }

  /** The turn is over. Gives where it worked. */
  async end(turn: TurnId): Promise<Pick<Running, "task" | "open"> | undefined> {
    const running = this.#turns.get(turn);
    this.#turns.delete(turn);
    running?.open.turns.delete(turn);
    await running?.watch?.[Symbol.asyncDispose]();
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { watch } of this.#turns.values()) await watch?.[Symbol.asyncDispose]();
  }

  #watch(task: TaskRepository, open: OpenTree, turn: TurnId): Promise<AsyncDisposable> {
    const { bridge, settings } = this.#parts;
    return watchTree(open.tree.root, {
      quietMs: settings.quietMs,
      mostMs: settings.quietMostMs,
      ignore: settings.ignore,
      onQuiet: () => void this.#changed(task, open, turn),
      onError: (error) =>
        bridge.log.warn({ room: task.room, err: asCrewError(error) }, "a worktree is watched less closely"),
    });
  }

  async #changed(task: TaskRepository, open: OpenTree, turn: TurnId): Promise<void> {
    try {
      await task.exclusive(async () => {
        const isHere = this.#turns.get(turn)?.open === open && task.trees.get(open.id) === open;
        // What is held back is told at the end of the turn: until then its agent may still tidy up.
        if (isHere) await recordTree(task, open, "change", turn);
      });
    } catch (thrown) {
      // The end of the turn tries again, and tells.
      this.#parts.bridge.log.warn({ room: task.room, err: asCrewError(thrown) }, "a change was not recorded");
    }
  }
}
