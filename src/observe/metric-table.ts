/** Every metric of the bridge, in one table: it makes the instruments and `docs/metrics.md`. */

export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, in the unit that ends the name. Histograms only. */
  readonly buckets?: readonly number[];
}

const latencyBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] as const;
const sendBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

export const metricTable = {
  // From the homeserver
  transactions: {
    type: "counter",
    name: "crewroom_transactions_received_total",
    help: "Transactions from the homeserver that were taken, those with nothing to act on included.",
    labels: [],
  },
  events: {
    type: "counter",
    name: "crewroom_events_received_total",
    help: "Events in those transactions; kind is message, state, reaction, redaction, ephemeral or other.",
    labels: ["kind"],
  },
  eventsHandled: {
    type: "counter",
    name: "crewroom_events_handled_total",
    help: "Events after their room's lane took them; outcome is acted, ignored or duplicate.",
    labels: ["outcome"],
  },
  eventsMalformed: {
    type: "counter",
    name: "crewroom_events_malformed_total",
    help: "Events left aside because their form breaks the Matrix spec.",
    labels: [],
  },
  joins: {
    type: "counter",
    name: "crewroom_joins_total",
    help: "Attempts to join a room; outcome is joined, retried or failed.",
    labels: ["outcome"],
  },
  // Lanes
  lanes: {
    type: "gauge",
    name: "crewroom_lanes",
    help: "Rooms whose lane is in memory.",
    labels: [],
  },
  laneDepth: {
    type: "gauge",
    name: "crewroom_lane_depth",
    help: "Inputs that wait in all lanes. A number that keeps growing means that the bridge is too slow.",
    labels: [],
  },
  addedLatency: {
    type: "histogram",
    name: "crewroom_added_latency_seconds",
    help: "From the arrival of the homeserver's request to the dispatch of the turn that it causes.",
    labels: [],
    buckets: latencyBuckets,
  },
  // To the homeserver
  outboxDepth: {
    type: "gauge",
    name: "crewroom_outbox_depth",
    help: "Effects recorded but not yet done.",
    labels: [],
  },
  sends: {
    type: "counter",
    name: "crewroom_sends_total",
    help: "Effects done on the homeserver; kind is message, edit, reaction, state, redaction, receipt, typing or media.",
    labels: ["kind"],
  },
  sendLatency: {
    type: "histogram",
    name: "crewroom_send_latency_seconds",
    help: "From the first attempt of an effect to its success, retries included.",
    labels: [],
    buckets: sendBuckets,
  },
  sendRetries: {
    type: "counter",
    name: "crewroom_send_retries_total",
    help: "Attempts repeated; reason is limited (429), server (5xx) or network.",
    labels: ["reason"],
  },
  deadLetters: {
    type: "counter",
    name: "crewroom_dead_letters_total",
    help: "Effects that failed for good; code as in errors.md. Each one was told in its room or to the operator.",
    labels: ["code"],
  },
  homeserverUp: {
    type: "gauge",
    name: "crewroom_homeserver_up",
    help: "1 when the homeserver's last answer was no outage, else 0.",
    labels: [],
  },
  pings: {
    type: "counter",
    name: "crewroom_pings_total",
    help: "Pings through the homeserver and back; outcome is ok or failed.",
    labels: ["outcome"],
  },
  // Agents
  turns: {
    type: "counter",
    name: "crewroom_turns_total",
    help: "Turns that ended; outcome is the runtime's stop reason, or failed.",
    labels: ["agent", "outcome"],
  },
  turnsRunning: {
    type: "gauge",
    name: "crewroom_turns_running",
    help: "Turns that run now.",
    labels: [],
  },
  tokens: {
    type: "counter",
    name: "crewroom_tokens_total",
    help: "Tokens that the models counted; direction is input or output.",
    labels: ["agent", "model", "direction"],
  },
  cost: {
    type: "counter",
    name: "crewroom_cost_usd_total",
    help: "What those tokens cost in US dollars, at the prices of the config; models without a price count nothing.",
    labels: ["agent", "model"],
  },
  breakerTrips: {
    type: "counter",
    name: "crewroom_breaker_trips_total",
    help: "Times the loop breaker stopped agents; reason is pair, room, hops, identical or cost.",
    labels: ["reason"],
  },
  // Tasks
  tasks: {
    type: "gauge",
    name: "crewroom_tasks",
    help: "Tasks that the bridge knows; state is planning, active, approval, paused, done or cancelled.",
    labels: ["state"],
  },
  subtaskMoves: {
    type: "counter",
    name: "crewroom_subtask_moves_total",
    help: "Moves of subtasks; move is one of the table in tasks.md.",
    labels: ["move"],
  },
  patrolActions: {
    type: "counter",
    name: "crewroom_patrol_actions_total",
    help: "What the patrol did; kind is what it had noticed.",
    labels: ["kind"],
  },
  asks: {
    type: "counter",
    name: "crewroom_asks_total",
    help: "Questions to people; matter is plan, final, planner, subtask, budget or question, outcome is asked or what became of it.",
    labels: ["matter", "outcome"],
  },
  auditEntries: {
    type: "counter",
    name: "crewroom_audit_entries_total",
    help: "Entries appended to the audit log; kind is one of the table in audit.md.",
    labels: ["kind"],
  },
  auditRetries: {
    type: "counter",
    name: "crewroom_audit_retries_total",
    help: "Attempts to append to the audit log that failed. Nothing is lost: the entries wait in their room's record.",
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;

/** Read from the process at every scrape; the names are those of the Prometheus client libraries. */
export const processTable = {
  cpu: {
    type: "counter",
    name: "process_cpu_seconds_total",
    help: "User and system CPU time.",
    labels: [],
  },
  memory: {
    type: "gauge",
    name: "process_resident_memory_bytes",
    help: "Resident memory.",
    labels: [],
  },
  heap: {
    type: "gauge",
    name: "nodejs_heap_size_used_bytes",
    help: "JavaScript heap in use.",
    labels: [],
  },
  started: {
    type: "gauge",
    name: "process_start_time_seconds",
    help: "Start of the process, in seconds since the epoch.",
    labels: [],
  },
  eventLoop: {
    type: "gauge",
    name: "nodejs_eventloop_utilization",
    help: "Share of the time since the last scrape in which the event loop was busy, 0 to 1.",
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;
