/** Prometheus metrics in a registry of their own, and the page that explains them. */
import { performance } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { metricTable, processTable, type MetricDefinition } from "./metric-table.ts";

type Table = typeof metricTable;

type Instrument<D extends MetricDefinition> = D["type"] extends "counter"
  ? Counter<D["labels"][number]>
  : D["type"] extends "gauge"
    ? Gauge<D["labels"][number]>
    : Histogram<D["labels"][number]>;

/** One instrument per row of the table, e.g. `metrics.sends.inc({ kind: "message" })`. */
export type Metrics = { readonly [K in keyof Table]: Instrument<Table[K]> } & {
  /** The text that Prometheus scrapes, with its content type. */
  exposition(): Promise<{ readonly contentType: string; readonly body: string }>;
};

/** New instruments, all at zero. Nothing is shared with other calls, and nothing runs between scrapes. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const counter = <L extends string>(d: { name: string; help: string; labels: readonly L[] }): Counter<L> =>
    new Counter({ name: d.name, help: d.help, labelNames: d.labels, registers: [registry] });
  const gauge = <L extends string>(d: { name: string; help: string; labels: readonly L[] }): Gauge<L> =>
    new Gauge({ name: d.name, help: d.help, labelNames: d.labels, registers: [registry] });
  const histogram = <L extends string>(d: {
    name: string;
    help: string;
    labels: readonly L[];
    buckets: readonly number[];
  }): Histogram<L> =>
    new Histogram({
      name: d.name,
      help: d.help,
      labelNames: d.labels,
      buckets: [...d.buckets],
      registers: [registry],
    });
  const t = metricTable;
  registerProcessMetrics(registry);
  return {
    transactions: counter(t.transactions),
    events: counter(t.events),
    eventsHandled: counter(t.eventsHandled),
    eventsMalformed: counter(t.eventsMalformed),
    joins: counter(t.joins),
    lanes: gauge(t.lanes),
    laneDepth: gauge(t.laneDepth),
    addedLatency: histogram(t.addedLatency),
    outboxDepth: gauge(t.outboxDepth),
    sends: counter(t.sends),
    sendLatency: histogram(t.sendLatency),
    sendRetries: counter(t.sendRetries),
    deadLetters: counter(t.deadLetters),
    homeserverUp: gauge(t.homeserverUp),
    pings: counter(t.pings),
    turns: counter(t.turns),
    turnsRunning: gauge(t.turnsRunning),
    tokens: counter(t.tokens),
    cost: counter(t.cost),
    breakerTrips: counter(t.breakerTrips),
    tasks: gauge(t.tasks),
    subtaskMoves: counter(t.subtaskMoves),
    patrolActions: counter(t.patrolActions),
    asks: counter(t.asks),
    auditEntries: counter(t.auditEntries),
    auditRetries: counter(t.auditRetries),
    exposition: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}

/**
 * prom-client's own default metrics start observers that nothing stops; these five are read when they are asked for.
 */
function registerProcessMetrics(registry: Registry): void {
  const p = processTable;
  const registers = [registry];
  const cpu: Counter = new Counter({
    ...named(p.cpu),
    collect() {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
    },
    registers: [],
  });
  registry.registerMetric(cpu);
  const read = (d: MetricDefinition, value: () => number) =>
    new Gauge({
      ...named(d),
      registers,
      collect() {
        this.set(value());
      },
    });
  read(p.memory, () => process.memoryUsage.rss());
  read(p.heap, () => process.memoryUsage().heapUsed);
  read(p.started, () => Math.round(performance.timeOrigin / 1000));
  let last = performance.eventLoopUtilization();
  read(p.eventLoop, () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  });
}

function named({ name, help }: MetricDefinition): { name: string; help: string } {
  return { name, help };
}

/** `docs/metrics.md`, made from the same table. */
export function metricsReference(): string {
  return [
    "<!-- Generated from src/observe/metric-table.ts by `npm run generate`. Do not edit. -->",
    "",
    "# Metrics",
    "",
    "`GET /metrics` on the bridge's own address answers in the Prometheus text format.",
    "",
    ...table(Object.values(metricTable)),
    "",
    "## The process",
    "",
    ...table(Object.values(processTable)),
    "",
    "## Buckets",
    "",
    ...Object.values<MetricDefinition>(metricTable)
      .filter((d) => d.buckets !== undefined)
      .map((d) => `- \`${d.name}\`: ${d.buckets?.join(", ")}`),
    "",
  ].join("\n");
}

function table(definitions: readonly MetricDefinition[]): readonly string[] {
  return [
    "| name | type | labels | meaning |",
    "|---|---|---|---|",
    ...definitions.map((d) => {
      const labels = d.labels.map((label) => `\`${label}\``).join(", ");
      return `| \`${d.name}\` | ${d.type} | ${labels} | ${d.help} |`;
    }),
  ];
}
