import { expect, test } from "vitest";
import type { ModelUsage } from "../../src/core/spent.ts";
import { Meter, tellMs } from "../../src/crew/meter.ts";
import { FakeClock } from "./support.ts";

const use = (inputTokens: number, more: Partial<ModelUsage> = {}): ModelUsage => ({
  model: "default",
  inputTokens,
  outputTokens: 1,
  ...more,
});

function setUp() {
  const clock = new FakeClock();
  const told: (readonly ModelUsage[])[] = [];
  const lost: unknown[] = [];
  let fails = 0;
  const meter = new Meter({
    after: (ms, signal) => clock.after(ms, signal),
    tell: async (usage) => {
      if (fails-- > 0) throw new Error("no room");
      told.push(usage);
    },
    onLost: (reason) => void lost.push(reason),
  });
  return { meter, clock, told, lost, fail: () => void (fails = 1) };
}

test("what a short turn used is told with its end, once, summed up by model, estimates apart", async () => {
  const { meter, clock, told } = setUp();
  meter.add(use(10));
  meter.add(use(20, { cachedTokens: 5 }));
  meter.add(use(7, { estimated: true }));
  meter.add(use(3, { model: "other" }));
  expect(meter.end()).toEqual([
    { model: "default", inputTokens: 30, outputTokens: 2, cachedTokens: 5 },
    { model: "default", inputTokens: 7, outputTokens: 1, estimated: true },
    { model: "other", inputTokens: 3, outputTokens: 1 },
  ]);
  await clock.advance(tellMs * 2);
  expect(told).toEqual([]);
  expect(meter.end()).toEqual([]);
});

test("a long turn tells what it used while it goes on", async () => {
  const { meter, clock, told } = setUp();
  meter.add(use(10));
  meter.add(use(20));
  await clock.advance(tellMs);
  meter.add(use(30));
  await clock.advance(tellMs - 1);
  expect(told).toEqual([[use(30, { outputTokens: 2 })]]);
  await clock.advance(1);
  expect(told).toEqual([[use(30, { outputTokens: 2 })], [use(30)]]);
  expect(meter.end()).toEqual([]);
});

test("what could not be told is told later", async () => {
  const { meter, clock, told, lost, fail } = setUp();
  fail();
  meter.add(use(10));
  await clock.advance(tellMs);
  expect(lost).toHaveLength(1);
  meter.add(use(5));
  await clock.advance(tellMs);
  expect(told).toEqual([[use(15, { outputTokens: 2 })]]);
});
