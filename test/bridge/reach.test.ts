import { expect, test } from "vitest";
import { Reach } from "../../src/bridge/reach.ts";
import { permitted } from "../../src/core/permits.ts";

test("each host is decided once for a command, also when it is tried many times at once", async () => {
  const asked: string[] = [];
  const reach = new Reach(async (host) => {
    asked.push(host);
    return host.startsWith("good") ? permitted : "Not done yet: a person is asked.";
  });
  const tries = ["good.example:443", "bad.example:80", "good.example:443", "bad.example:80"].map(reach.may);
  expect(await Promise.all(tries)).toEqual([
    undefined,
    "bad.example:80: Not done yet: a person is asked.",
    undefined,
    "bad.example:80: Not done yet: a person is asked.",
  ]);
  expect(asked).toEqual(["good.example:443", "bad.example:80"]);
  expect(await reach.told()).toEqual(["Not reached: bad.example:80. Not done yet: a person is asked."]);
});

test("a command that tries many hosts is refused without a question, and so is its agent told", async () => {
  let asked = 0;
  const reach = new Reach(async () => {
    asked++;
    return permitted;
  });
  for (let count = 0; count < 20; count++) expect(await reach.may(`${count}.example:443`)).toBeUndefined();
  expect(await reach.may("20.example:443")).toBe("20.example:443: Not done: one command reaches at most 20 hosts.");
  expect(await reach.may("3.example:443")).toBeUndefined();
  expect(asked).toBe(20);
  expect(await reach.told()).toEqual(["Not reached: further hosts. Not done: one command reaches at most 20 hosts."]);
});

test("a decision that fails keeps nobody from the command's result", async () => {
  const reach = new Reach(async () => {
    throw new Error("the bridge ends");
  });
  await expect(reach.may("a.example:443")).rejects.toThrow("the bridge ends");
  expect(await reach.told()).toEqual([]);
});
