import { expect, test } from "vitest";
import { StoreWatch } from "../../src/bridge/store-watch.ts";
import { createLogger } from "../../src/observe/log.ts";

test("a store that failed is looked at until it can be written, and then its return is told once", async () => {
  const recovered = Promise.withResolvers<void>();
  let probes = 0;
  let told = 0;
  const watch = new StoreWatch({
    probe: async () => {
      probes++;
      if (probes < 2) throw new Error("disk full");
    },
    onRecovered: () => {
      told++;
      recovered.resolve();
    },
    signal: new AbortController().signal,
    log: createLogger({ level: "silent", format: "json" }),
  });
  watch.failed();
  watch.failed();
  await recovered.promise;
  expect({ probes, told }).toEqual({ probes: 2, told: 1 });
});
