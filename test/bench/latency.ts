/** The bridge's own histogram of added latency, read back from two scrapes. */
import type { Metrics } from "../support/metrics.ts";
import { metricTable } from "../../src/observe/metric-table.ts";

const { name, buckets } = metricTable.addedLatency;

/** Messages that became part of a turn between the scrapes. */
export function samplesBetween(before: Metrics, after: Metrics): number {
  return after.value(`${name}_count`) - before.value(`${name}_count`);
}

/** The upper bound, in ms, of the bucket that this share of the samples lies in or below. */
export function boundOf(share: number, before: Metrics, after: Metrics): number {
  const wanted = share * samplesBetween(before, after);
  const bucket = buckets.find((le) => {
    const labels = { le: String(le) };
    return after.value(`${name}_bucket`, labels) - before.value(`${name}_bucket`, labels) >= wanted;
  });
  return bucket === undefined ? Infinity : bucket * 1_000;
}
