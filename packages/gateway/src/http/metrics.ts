/** The numbers of one HTTP server, and what its peer tells of itself, in the text format of Prometheus. */

import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** One number of the peer. */
export interface Measure {
  readonly name: string;
  readonly help: string;
  readonly kind: "counter" | "gauge";
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Counts. */
export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<"method" | "route" | "status">;
  readonly #seconds: Histogram<"route">;
  #answered = 0;
  #failures = 0;

  constructor(open: () => number) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: "kith_http_requests_total",
      help: "Requests that were answered.",
      labelNames: ["method", "route", "status"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "kith_http_request_seconds",
      help: "How long an answer took.",
      labelNames: ["route"],
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers,
    });
    const underWay: Gauge = new Gauge({
      name: "kith_http_requests_open",
      help: "Requests under way.",
      registers,
      collect: (): void => underWay.set(open()),
    });
  }

  /** One more. */
  answered(method: string, route: string, status: number, seconds: number): void {
    // What strangers make up is no label: each would be kept for ever.
    this.#answered++;
    if (status >= 400) this.#failures++;
    const known = ["GET", "PUT", "POST", "DELETE", "HEAD"].includes(method) ? method : "other";
    this.#requests.inc({ method: known, route, status: String(status) });
    this.#seconds.observe({ route }, seconds);
  }

  /** How many were answered, and how many of them with a failure. */
  counts(): Readonly<Record<string, number>> {
    return { requests: this.#answered, failures: this.#failures };
  }

  /** All of it as text. */
  async text(measures: readonly Measure[]): Promise<string> {
    return `${(await this.#registry.metrics()).replace(/\n+/g, "\n")}${textOf(measures)}`;
  }

  /** The content type of that text. */
  get type(): string {
    return this.#registry.contentType;
  }
}

/** Numbers of the Redis port that only grow, what they are called, and what they say. */
const redisCounters: Readonly<Record<string, readonly [name: string, help: string]>> = {
  commands: ["commands", "Commands that have come."],
  errors: ["errors", "Replies that were errors."],
  protocolErrors: ["protocol_errors", "Connections that were ended for what is no command."],
  unknownOutcomes: ["unknown_outcomes", "Replies that nobody can know."],
  hungUp: ["hung_up", "Clients that were hung up on."],
  overtaken: ["overtaken", "Attempts at transactions that others got ahead of."],
  connections: ["connections", "Connections that were taken."],
  refusedConnections: ["refused_connections", "Connections that were refused."],
};
const redisGauges: typeof redisCounters = {
  clients: ["clients", "Clients at this moment."],
  requestsUnderWay: ["requests_under_way", "Requests to the store under way."],
  requestsWaiting: ["requests_waiting", "Requests to the store that wait their turn."],
};

/** The numbers of the Redis port beside this server. */
export function redisMeasures(counts: Readonly<Record<string, number>>): Measure[] {
  return Object.entries(counts).flatMap(([key, value]): Measure[] => {
    const counter = redisCounters[key];
    const [name, help] = counter ?? redisGauges[key] ?? [];
    if (name === undefined || help === undefined) return [];
    const kind = counter === undefined ? "gauge" : "counter";
    return [{ kind, name: `kith_redis_${name}${kind === "gauge" ? "" : "_total"}`, help, value }];
  });
}

/** What the process has used. */
export function processMeasures(): Measure[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const of = (kind: Measure["kind"], name: string, help: string, value: number): Measure => ({
    kind,
    name,
    help,
    value,
  });
  return [
    of("counter", "process_cpu_seconds_total", "CPU time of the process.", (user + system) / 1e6),
    of("gauge", "process_resident_memory_bytes", "Memory of the process.", rss),
    of("gauge", "nodejs_heap_size_used_bytes", "Its heap.", heapUsed),
  ];
}

function textOf(measures: readonly Measure[]): string {
  const lines: string[] = [];
  const told = new Set<string>();
  for (const { name, help, kind, value, labels = {} } of measures) {
    if (!told.has(name)) lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
    told.add(name);
    const inner = Object.entries(labels)
      .map(([label, text]) => `${label}="${text.replaceAll(/["\\\n]/g, "_")}"`)
      .join(",");
    lines.push(`${name}${inner === "" ? "" : `{${inner}}`} ${value}`);
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}
