/**
 * What rooms know of each other: who works where, who has earned which scores, and which tasks there are. It follows
 * the lanes' decisions at once, before they are written, so that two rooms never both count on the same free agent.
 *
 *   a room decides ──▶ update ──▶ an agent has less to do ──▶ onFreed ──▶ rooms that wait look again (sweep.ts)
 */
import type { DayScope } from "../core/budget.ts";
import type { Extra, Spent } from "../core/spent.ts";
import type { AgentId, RoomId } from "../core/ids.ts";
import type { RoomState } from "../core/room.ts";
import { isClosed } from "../core/tasks/derive.ts";
import type { Task, TaskState } from "../core/tasks/task.ts";
import type { Roster, TaskSummary } from "../core/world.ts";
import { Spending } from "./spending.ts";
import { summaryOf, type RoomSummary, type Tally } from "./room-summary.ts";

interface Entry {
  /** What the summary was made of, while the task is open: of one that has ended only the scores still count. */
  readonly open: Task | undefined;
  readonly summary: RoomSummary;
}

export class RoomRoster implements Roster {
  readonly #onFreed: () => void;
  readonly #entries = new Map<RoomId, Entry>();
  readonly #loads = new Map<AgentId, number>();
  readonly #scores = new Map<AgentId, Map<string, Tally>>();

  readonly #spending = new Spending();

  /**
   * `onFreed` is called when an agent has less to do than before, or a person let a limit go on, while some room waits for
   * that. It returns at once.
   */
  constructor(onFreed: () => void) {
    this.#onFreed = onFreed;
  }

  /** Takes over what a room has decided. Costs next to nothing when its task is the same object as before. */
  update(room: RoomId, state: RoomState): void {
    const raised = this.#spending.update(room, state.spending);
    const freed = this.#updateTask(room, state);
    if ((raised || freed) && this.waiting().length > 0) this.#onFreed();
  }

  /** Returns whether an agent has less to do than before. */
  #updateTask(room: RoomId, state: RoomState): boolean {
    const { asks = [] } = state;
    // A task goes on in the room that replaces its own, and must not count twice.
    const task = state.replacedBy === undefined ? state.task : undefined;
    const known = this.#entries.get(room);
    if (task === undefined && known === undefined) return false;
    const waitsForPerson = asks.length > 0;
    if (task !== undefined && known?.open === task && known.summary.task.waitsForPerson === waitsForPerson)
      return false;
    const summary = task === undefined ? undefined : summaryOf(room, task, waitsForPerson);
    if (task === undefined || summary === undefined) this.#entries.delete(room);
    else this.#entries.set(room, { open: isClosed(task) ? undefined : task, summary });
    this.#countScores(known?.summary, -1);
    this.#countScores(summary, 1);
    return this.#countLoads(known?.summary.loads, summary?.loads);
  }

  loadElsewhere(agent: AgentId, room: RoomId): number {
    const here = this.#entries.get(room)?.summary.loads.get(agent) ?? 0;
    return (this.#loads.get(agent) ?? 0) - here;
  }

  scoreOf(agent: AgentId): Tally {
    let points = 0;
    let entries = 0;
    for (const tally of this.#scores.get(agent)?.values() ?? []) {
      points += tally.points;
      entries += tally.entries;
    }
    return { points, entries };
  }

  /** Number of entries by reason. */
  scoresByReason(agent: AgentId): Readonly<Record<string, number>> {
    const tallies = [...(this.#scores.get(agent) ?? [])];
    return Object.fromEntries(tallies.map(([reason, { entries }]) => [reason, entries]));
  }

  /** Those that have not ended, by number. */
  tasks(): readonly TaskSummary[] {
    return [...this.#entries.values()]
      .filter(({ open }) => open !== undefined)
      .map(({ summary }) => summary.task)
      .sort((one, other) => one.number - other.number);
  }

  /** How many tasks are in each state, ended ones included. */
  states(): Readonly<Record<TaskState, number>> {
    const states = { planning: 0, active: 0, approval: 0, paused: 0, done: 0, cancelled: 0 };
    for (const { summary } of this.#entries.values()) states[summary.state]++;
    return states;
  }

  spentElsewhere(room: RoomId, day: number, scope: DayScope): Spent {
    return this.#spending.spentElsewhere(room, day, scope);
  }

  raisedElsewhere(room: RoomId, day: number, scope: DayScope): Extra {
    return this.#spending.raisedElsewhere(room, day, scope);
  }

  /** Rooms where something waits for an agent, in the order in which they began to wait, and where a limit holds turns. */
  waiting(): readonly RoomId[] {
    const rooms: (readonly [RoomId, number])[] = [];
    for (const [room, { summary }] of this.#entries) {
      if (summary.waitingSince !== undefined) rooms.push([room, summary.waitingSince]);
    }
    const waiting = rooms.sort(([, one], [, other]) => one - other).map(([room]) => room);
    return [...new Set([...waiting, ...this.#spending.held()])];
  }

  #countScores(summary: RoomSummary | undefined, sign: 1 | -1): void {
    for (const [agent, byReason] of summary?.scores ?? []) {
      const sums = this.#scores.get(agent) ?? new Map<string, Tally>();
      this.#scores.set(agent, sums);
      for (const [reason, { points, entries }] of byReason) {
        const sum = sums.get(reason) ?? { points: 0, entries: 0 };
        const left = sum.entries + sign * entries;
        if (left === 0) sums.delete(reason);
        else sums.set(reason, { points: sum.points + sign * points, entries: left });
      }
    }
  }

  /** Whether an agent has less to do than before. */
  #countLoads(before: RoomSummary["loads"] = new Map(), after: RoomSummary["loads"] = new Map()): boolean {
    let freed = false;
    for (const agent of new Set([...before.keys(), ...after.keys()])) {
      const change = (after.get(agent) ?? 0) - (before.get(agent) ?? 0);
      if (change < 0) freed = true;
      if (change !== 0) this.#loads.set(agent, (this.#loads.get(agent) ?? 0) + change);
    }
    return freed;
  }
}
