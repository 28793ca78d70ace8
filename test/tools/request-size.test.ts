import { expect, test } from "vitest";
import { measuredRoles, requestLimitBytes, requestSizes } from "../bench/request-size.ts";

test("what a one-line turn sends to the model, prompt and all tools of the role, has at most 12 KB", async () => {
  const sizes = await requestSizes();
  expect(sizes.map(({ role }) => role)).toEqual(measuredRoles);
  for (const { role, tools, bytes } of sizes) {
    // The tools are in it: thirteen for everyone, and those of the role.
    expect([role, tools >= 14]).toEqual([role, true]);
    expect([role, bytes > 2_000, bytes <= requestLimitBytes]).toEqual([role, true, true]);
  }
});
