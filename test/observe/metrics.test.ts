import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { metricTable, processTable } from "../../src/observe/metric-table.ts";
import { createMetrics, metricsReference } from "../../src/observe/metrics.ts";

const definitions = [...Object.values(metricTable), ...Object.values(processTable)];

describe("the metrics", () => {
  it("are exposed under the names, types and help of the table, all of them", async () => {
    const { body, contentType } = await createMetrics().exposition();
    expect(contentType).toContain("text/plain");
    for (const { name, type, help } of definitions) {
      expect(body).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
    }
    expect(body.match(/^# TYPE /gm)).toHaveLength(definitions.length);
  });

  it("follow the naming rules: seconds, totals, one prefix", () => {
    for (const { name, type } of Object.values(metricTable)) {
      expect(name).toMatch(/^crewroom_[a-z_]+$/);
      expect(name.endsWith("_total")).toBe(type === "counter");
      expect(name.endsWith("_seconds")).toBe(type === "histogram");
    }
  });

  it("count by label, and are not shared between two bridges in one process", async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.sends.inc({ kind: "message" });
    one.tokens.inc({ agent: "ada", model: "default", direction: "input" }, 12);
    one.laneDepth.set(4);
    one.addedLatency.observe(0.004);
    const { body } = await one.exposition();
    expect(body).toContain('crewroom_sends_total{kind="message"} 1\n');
    expect(body).toContain('crewroom_tokens_total{agent="ada",model="default",direction="input"} 12\n');
    expect(body).toContain("crewroom_lane_depth 4\n");
    expect(body).toContain('crewroom_added_latency_seconds_bucket{le="0.0025"} 0\n');
    expect(body).toContain('crewroom_added_latency_seconds_bucket{le="0.005"} 1\n');
    expect((await other.exposition()).body).not.toContain('kind="message"');
  });

  it("read the process anew at every scrape", async () => {
    const metrics = createMetrics();
    const cpu = async () => Number(/^process_cpu_seconds_total (\S+)$/m.exec((await metrics.exposition()).body)?.[1]);
    const before = await cpu();
    expect(before).toBeGreaterThan(0);
    const spent = process.cpuUsage();
    while (process.cpuUsage(spent).user < 20_000) JSON.stringify(definitions);
    expect(await cpu()).toBeGreaterThanOrEqual(before + 0.02);
  });
});

describe("docs/metrics.md", () => {
  it("is what the table says", async () => {
    expect(await readFile(new URL("../../docs/metrics.md", import.meta.url), "utf8")).toBe(metricsReference());
  });

  it("has a row for every metric, with its labels", () => {
    const reference = metricsReference();
    for (const { name } of definitions) expect(reference).toContain(`| \`${name}\` |`);
    expect(reference).toContain("| counter | `agent`, `model`, `direction` |");
  });
});
