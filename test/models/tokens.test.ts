import { expect, test } from "vitest";
import { roughTokens, TokenGauge } from "../../src/models/tokens.ts";

test("a text counts by its bytes, an image as one image however large it is", () => {
  expect(roughTokens("x".repeat(398))).toBe(100);
  const image = { type: "file", mediaType: "image/png", data: { type: "data", data: "A".repeat(1_000_000) } };
  expect(roughTokens([image])).toBeLessThan(1100);
});

test("the estimate follows what the model counts: up at once, down slowly", () => {
  const gauge = new TokenGauge();
  gauge.observe(1000, 2000);
  expect(gauge.scale(100)).toBe(200);
  gauge.observe(1000, 1000);
  expect(gauge.scale(100)).toBe(180);
});

test("short requests teach nothing, because a template's fixed cost would weigh too much", () => {
  const gauge = new TokenGauge();
  gauge.observe(20, 200);
  expect(gauge.scale(100)).toBe(100);
});
