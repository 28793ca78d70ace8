/** What models cost, in tokens and in money, and the words for it. Money is in whole millionths of a US dollar. */

/** What one turn used of one model, by the model's own figures. */
export interface ModelUsage {
  /** Key of `models` in the config. */
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the input, what the provider had in its cache. */
  readonly cachedTokens?: number;
  /** The model gave no figures; these were made from the texts' lengths. */
  readonly estimated?: boolean;
}

/** A sum. Whole numbers, so that it never drifts. */
export interface Spent {
  /** Question and answer together. */
  readonly tokens: number;
  /** Millionths of a US dollar. */
  readonly microusd: number;
  /** Of the tokens, those of models without a price. */
  readonly unpriced: number;
  /** Of the tokens, those that were estimated. */
  readonly estimated: number;
}

export const nothing: Spent = { tokens: 0, microusd: 0, unpriced: 0, estimated: 0 };

export function plus(one: Spent, other: Spent): Spent {
  return {
    tokens: one.tokens + other.tokens,
    microusd: one.microusd + other.microusd,
    unpriced: one.unpriced + other.unpriced,
    estimated: one.estimated + other.estimated,
  };
}

export function minus(one: Spent, other: Spent): Spent {
  return {
    tokens: one.tokens - other.tokens,
    microusd: one.microusd - other.microusd,
    unpriced: one.unpriced - other.unpriced,
    estimated: one.estimated - other.estimated,
  };
}

/** Millionths of a US dollar for a million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
  /** Without it, cached input costs what other input does. */
  readonly cached?: number;
}

/** Either may be missing: then it is not limited. */
export interface Limits {
  readonly tokens?: number;
  readonly microusd?: number;
}

/** `budgets` and the prices of `models` in the config. */
export interface BudgetPolicy {
  readonly task: Limits;
  readonly agent_day: Limits;
  readonly day: Limits;
  /** More than that in an hour, measured over the breaker's window, and a room's breaker opens. */
  readonly rate_microusd_per_hour?: number;
  /** By key of `models`. */
  readonly prices: Readonly<Record<string, Price>>;
}

const million = 1_000_000;

/** In millionths of a dollar, rounded up: what is small is not free. `undefined` for a model without a price. */
export function costOf(prices: BudgetPolicy["prices"], use: ModelUsage): number | undefined {
  const price = Object.hasOwn(prices, use.model) ? prices[use.model] : undefined;
  if (price === undefined) return undefined;
  const cached = Math.min(use.cachedTokens ?? 0, use.inputTokens);
  const input = (use.inputTokens - cached) * price.input + cached * (price.cached ?? price.input);
  return Math.ceil((input + use.outputTokens * price.output) / million);
}

export function spentOn(prices: BudgetPolicy["prices"], usage: readonly ModelUsage[]): Spent {
  return usage.reduce((sum, use) => {
    const tokens = use.inputTokens + use.outputTokens;
    const microusd = costOf(prices, use);
    const unpriced = microusd === undefined ? tokens : 0;
    return plus(sum, { tokens, microusd: microusd ?? 0, unpriced, estimated: use.estimated === true ? tokens : 0 });
  }, nothing);
}

/** The larger share of the two limits, in whole percent, rounded down. 0 where nothing is limited. */
export function shareOf({ tokens, microusd }: Spent, limits: Limits): number {
  const share = (used: number, limit: number | undefined): number =>
    limit === undefined ? 0 : Math.floor((used * 100) / limit);
  return Math.max(share(tokens, limits.tokens), share(microusd, limits.microusd));
}

export function sumOf(agents: Readonly<Record<string, Spent>>): Spent {
  return Object.values(agents).reduce(plus, nothing);
}

/** What people added to a limit. */
export interface Extra {
  readonly tokens: number;
  readonly microusd: number;
}

export const noExtra: Extra = { tokens: 0, microusd: 0 };

/** Limits with more of what they limit. */
export function raisedBy({ tokens, microusd }: Limits, extra: Extra): Limits {
  return {
    ...(tokens === undefined ? {} : { tokens: tokens + extra.tokens }),
    ...(microusd === undefined ? {} : { microusd: microusd + extra.microusd }),
  };
}

/**
 * What is added when a person lets it go on: `each` once more, and at least so often that something of it is left, since
 * a single turn can use more than the whole of a small limit.
 */
export function nextExtra(spent: Spent, each: Limits, now: Limits): Extra {
  const more = (used: number, one: number | undefined, limit = 0): number =>
    one === undefined ? 0 : Math.max(one, (Math.floor(used / one) + 1) * one - limit);
  return {
    tokens: more(spent.tokens, each.tokens, now.tokens),
    microusd: more(spent.microusd, each.microusd, now.microusd),
  };
}

/** `$1.25`; smaller amounts with as many digits as they need. */
export function usd(microusd: number): string {
  const whole = Math.floor(microusd / million);
  const rest = String(microusd % million).padStart(6, "0");
  return `$${grouped(whole)}.${rest.slice(0, 2)}${rest.slice(2).replace(/0+$/, "")}`;
}

/** `12 345 tokens`. */
export function tokensText(tokens: number): string {
  return `${grouped(tokens)} tokens`;
}

function grouped(number: number): string {
  return String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, " ");
}

/** `1 000 tokens or $5.00`; `no limit`. */
export function amounts({ tokens, microusd }: Limits): string {
  const parts = [
    ...(tokens === undefined ? [] : [tokensText(tokens)]),
    ...(microusd === undefined ? [] : [usd(microusd)]),
  ];
  return parts.length === 0 ? "no limit" : parts.join(" or ");
}

/** `850 tokens, $0.02`, and what those figures leave out. */
export function spentText({ tokens, microusd, unpriced, estimated }: Spent): string {
  const money = unpriced === tokens && tokens > 0 ? "cost unknown, no price set" : usd(microusd);
  const without =
    unpriced > 0 && unpriced < tokens ? `, without ${tokensText(unpriced)} of models that have no price` : "";
  const guessed = estimated > 0 ? `, ${grouped(estimated)} of the tokens estimated` : "";
  return `${tokensText(tokens)}, ${money}${without}${guessed}`;
}

/** `850 of 1 000 tokens and $0.02 of $5.00`. */
export function usedText(spent: Spent, { tokens, microusd }: Limits): string {
  const { unpriced } = spent;
  const without = unpriced === 0 ? "" : ` (without ${tokensText(unpriced)} of models that have no price)`;
  const parts = [
    ...(tokens === undefined ? [] : [`${grouped(spent.tokens)} of ${tokensText(tokens)}`]),
    ...(microusd === undefined ? [] : [`${usd(spent.microusd)} of ${usd(microusd)}${without}`]),
  ];
  return parts.length === 0 ? spentText(spent) : parts.join(" and ");
}
