/** What the turns of all rooms used on each day, summed up from the rooms' records as they decide. */
import { everybody, type DayScope, type RoomSpending } from "../core/budget.ts";
import { type Extra, minus, noExtra, nothing, plus, type Spent, sumOf } from "../core/spent.ts";
import type { RoomId } from "../core/ids.ts";

type Figures = ReadonlyMap<string, { readonly spent: Spent; readonly raised: Extra }>;

export class Spending {
  readonly #rooms = new Map<RoomId, RoomSpending>();
  /** By day and scope. Days without a room that still tells of them are not there. */
  readonly #sums = new Map<string, { spent: Spent; raised: Extra; rooms: number }>();

  /** Takes over what a room says. Returns whether a person let a limit go on by it. */
  update(room: RoomId, spending: RoomSpending | undefined): boolean {
    const known = this.#rooms.get(room);
    if (known === spending) return false;
    if (spending === undefined) this.#rooms.delete(room);
    else this.#rooms.set(room, spending);
    const [before, after] = [figuresOf(known), figuresOf(spending)];
    for (const [key, figures] of after) this.#count(key, figures, 1);
    for (const [key, figures] of before) this.#count(key, figures, -1);
    return [...after].some(([key, { raised }]) => {
      const { tokens, microusd } = before.get(key)?.raised ?? noExtra;
      return raised.tokens > tokens || raised.microusd > microusd;
    });
  }

  spentElsewhere(room: RoomId, day: number, scope: DayScope): Spent {
    const here = this.#rooms.get(room);
    const all = this.#sums.get(keyOf(day, scope))?.spent ?? nothing;
    return here?.day === day ? minus(all, spentIn(here, scope)) : all;
  }

  raisedElsewhere(room: RoomId, day: number, scope: DayScope): Extra {
    const here = this.#rooms.get(room);
    const all = this.#sums.get(keyOf(day, scope))?.raised ?? noExtra;
    return here?.day === day ? sumExtra(all, here.raised[scope] ?? noExtra, -1) : all;
  }

  /** Rooms where turns are held back until another day. */
  held(): readonly RoomId[] {
    return [...this.#rooms].flatMap(([room, { heldUntil }]) => (heldUntil === undefined ? [] : [room]));
  }

  #count(key: string, { spent, raised }: { spent: Spent; raised: Extra }, sign: 1 | -1): void {
    const sum = this.#sums.get(key) ?? { spent: nothing, raised: noExtra, rooms: 0 };
    const next = {
      spent: sign === 1 ? plus(sum.spent, spent) : minus(sum.spent, spent),
      raised: sumExtra(sum.raised, raised, sign),
      rooms: sum.rooms + sign,
    };
    if (next.rooms === 0) this.#sums.delete(key);
    else this.#sums.set(key, next);
  }
}

function sumExtra(one: Extra, other: Extra, sign: 1 | -1): Extra {
  return { tokens: one.tokens + sign * other.tokens, microusd: one.microusd + sign * other.microusd };
}

function keyOf(day: number, scope: DayScope): string {
  return `${day} ${scope}`;
}

function spentIn({ agents }: RoomSpending, scope: DayScope): Spent {
  return scope === everybody ? sumOf(agents) : (agents[scope] ?? nothing);
}

function figuresOf(spending: RoomSpending | undefined): Figures {
  if (spending === undefined) return new Map();
  const { day, agents, raised } = spending;
  const scopes = new Set([...Object.keys(agents), ...Object.keys(raised), everybody]) as Set<DayScope>;
  return new Map(
    [...scopes].map((scope) => [
      keyOf(day, scope),
      { spent: spentIn(spending, scope), raised: raised[scope] ?? noExtra },
    ]),
  );
}
