/**
 * HTTP in front of the store: keys, transactions, status, health, readiness, metrics, and a page that shows the ring. JSON,
 * for programs and `curl`; any peer serves any key.
 *
 * - **Once.** A request is answered once; what it does it does at most once.
 * - **Definite.** 503 says that nothing was done; 504 that nobody can know. Every failure is JSON with a code.
 * - **Bounded.** Headers, bodies, connections, requests and times: `HttpLimits`.
 *
 * Exchanges are no plain data, so this component cannot be swapped; what it stands on can.
 */

import { AskTimeout, Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { octetBytes, octetsOf, textBytes } from "@kith/paxos";
import { AskHere, AskView, Monitor } from "@kith/peer";
import {
  Aborted,
  Applied,
  Apply,
  Commit,
  Committed,
  Entries,
  type Entry,
  Get,
  Got,
  type Key,
  Read,
  Store,
  type StoreAnswer,
  type Update,
} from "@kith/store";
import { checkCertificate, type ServerCertificate } from "../certificate.ts";
import { gatewayError } from "../errors.ts";
import { AskTraffic, Listener, Listening, Traffic } from "../listening.ts";
import { checkReach } from "../reach.ts";
import { HttpFailure, readOperations } from "./call.ts";
import {
  busy,
  Door,
  type DoorInit,
  type Exchange,
  failureAnswer,
  jsonAnswer,
  outcome,
} from "./door.ts";
import { failureOf } from "./failures.ts";
import { defaultHttpLimits, type HttpLimits } from "./limits.ts";
import { measuresOf } from "./measures.ts";
import { HttpMetrics, type Measure, processMeasures } from "./metrics.ts";
import {
  isReadOnly,
  keysOf,
  type Operation,
  type OperationResult,
  perform,
  valueJson,
} from "./operations.ts";
import { plainView, statusPage } from "./page.ts";

/** What the HTTP server has to know. Plain data. */
export interface HttpServerInit {
  /** Where it listens; port 0 is any that is free: `Listening` tells which. */
  readonly host: string;
  readonly port: number;
  /** What clients have to know: as a bearer token, or as the password of any user. Beyond loopback it is needed. */
  readonly password?: string;
  /** Names by which clients may call it, besides addresses and `localhost`. */
  readonly hosts?: readonly string[];
  /** Given: it speaks HTTPS only. */
  readonly tls?: ServerCertificate;
  readonly limits?: Partial<HttpLimits>;
}

/** A transaction that is being tried. */
interface Trying {
  readonly exchange: Exchange;
  readonly operations: readonly Operation[];
  readonly until: number;
  attempt: number;
  results: readonly OperationResult[];
  /** Why this attempt does nothing, once it is sure of what it has read. */
  refusal: HttpFailure | null;
}

class Retry extends timeout("gateway/HttpRetry")<{ readonly call: number }> {}

/** Keys that nobody has, spread over the groups: whoever can read them can read all. */
const probes: readonly Key[] = Array.from({ length: 32 }, (_, i) =>
  octetsOf(textBytes(`\u0000kith/ready/${i}`)),
);
const probeMs = 2000;
const pauseMsMax = 500;

/** Serves HTTP. */
export class HttpServer extends Component {
  readonly listener = this.provides(Listener);
  readonly store = this.requires(Store);
  readonly monitor = this.requires(Monitor);
  readonly timer = this.requires(Timer);
  readonly #exchanges = new Map<number, Exchange>();
  readonly #trying = new Map<number, Trying>();
  readonly #jitter = this.random("jitter");
  readonly #metrics = new HttpMetrics(() => this.#door?.open ?? 0);
  readonly #get = this.store.onAnswer(Get, (answer, { key }, call: number) =>
    this.#got(call, key, answer),
  );
  readonly #apply = this.store.onAnswer(Apply, (answer, _, call: number) =>
    this.#applied(call, answer),
  );
  readonly #read = this.store.onAnswer(Read, (answer, _, call: number) => this.#seen(call, answer));
  readonly #commit = this.store.onAnswer(Commit, (answer, _, call: number) =>
    this.#committed(call, answer),
  );
  readonly #here = this.monitor.onAnswer(AskHere, (answer, _, call: number) => {
    const measures = processMeasures();
    if (!(answer instanceof AskTimeout)) measures.push(...measuresOf(answer.here));
    this.collect(call, measures);
  });
  readonly #view = this.monitor.onAnswer(AskView, (answer, _, call: number) => {
    const exchange = this.#end(call);
    if (exchange === undefined) return;
    if (answer instanceof AskTimeout) return exchange.answer(failureAnswer(busy()));
    const view = plainView(answer);
    if (exchange.call.kind === "status") return exchange.answer(jsonAnswer(200, view));
    return exchange.answer({
      status: 200,
      type: "text/html; charset=utf-8",
      ...statusPage(view),
    });
  });
  readonly #limits: HttpLimits;
  #door: Door | null = null;
  #calls = 0;

  constructor({ host, port, password, hosts = [], tls, limits }: HttpServerInit) {
    super();
    checkReach("HTTP", host, password);
    if (tls !== undefined) checkCertificate(tls, this.clock.wall);
    this.listener.on(AskTraffic, (_, token) =>
      this.listener.reply(token, new Traffic({ counts: this.#metrics.counts() })),
    );
    this.#limits = { ...defaultHttpLimits, ...limits };
    this.timer.on(Retry, ({ call }) => this.#try(call));
    this.onAcquire(() => {
      const listen = { host, port };
      const init = {
        ...{ listen, hosts, limits: this.#limits },
        ...{ password: password ?? null, tls: tls ?? null },
      };
      this.#door = new Door(init, {
        up: (at) => this.enter(() => this.listener.trigger(new Listening(at))),
        failed: (cause) => this.enter(() => this.#failed(listen, cause)),
        asked: (exchange) => this.enter(() => this.#asked(exchange)),
        mistaken: (problem) => this.#mistaken(problem),
        answered: (method, route, status, seconds) =>
          this.#metrics.answered(method, route, status, seconds),
      });
    });
    this.onRelease(() => {
      this.#door?.close();
      this.#door = null;
      this.#exchanges.clear();
      this.#trying.clear();
    });
  }

  /** One request that shows a defect shall not end all others. */
  #mistaken(problem: unknown): HttpFailure {
    const what = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    this.log.error(`a request could not be done: ${what}`);
    const sentence = "This peer has made a mistake; nothing was done.";
    return new HttpFailure(500, "KITH_HTTP_MISTAKE", sentence, outcome("not-done"));
  }

  #failed({ host, port }: DoorInit["listen"], cause: Error): void {
    throw gatewayError(
      "KITH_GATEWAY_LISTEN",
      `HTTP cannot listen on ${host}, port ${port}: ${cause.message}.`,
      cause,
    );
  }

  #asked(exchange: Exchange): void {
    const context = ++this.#calls;
    const { call } = exchange;
    const within = this.#limits.withinMs;
    // A store that has gone does not say so.
    const asking = { context, timeout: within + this.#limits.graceMs };
    if (call.kind === "health") return exchange.answer(jsonAnswer(200, { status: "up" }));
    this.#exchanges.set(context, exchange);
    if (call.kind === "get") return this.#get(new Get({ key: call.key, within }), asking);
    if (call.kind === "put" || call.kind === "delete") {
      const { key, when } = call;
      const update: Update =
        call.kind === "delete"
          ? { kind: "delete", key, when }
          : { kind: "put", key, when, value: exchange.body, expiry: call.expiresIn ?? "never" };
      return this.#apply(new Apply({ updates: [update], within }), asking);
    }
    if (call.kind === "transaction") return this.#begin(context, exchange);
    if (call.kind === "ready")
      return this.#read(new Read({ keys: probes, within: probeMs }), asking);
    if (call.kind === "metrics") return this.#here(new AskHere(), { context, timeout: within });
    return this.#view(new AskView(), { context, timeout: within });
  }

  /** Adds what others have to tell, and calls `tell`. */
  protected collect(call: number, measures: readonly Measure[]): void {
    this.tell(call, measures);
  }

  /** Answers with the metrics. */
  protected tell(call: number, measures: readonly Measure[]): void {
    const exchange = this.#end(call);
    this.#metrics.text(measures).then(
      (body) => exchange?.answer({ status: 200, body, type: this.#metrics.type }),
      () => exchange?.answer(failureAnswer(busy())),
    );
  }

  #end(call: number): Exchange | undefined {
    const exchange = this.#exchanges.get(call);
    this.#exchanges.delete(call);
    return exchange;
  }

  #got(call: number, key: Key, answer: StoreAnswer | AskTimeout): void {
    const exchange = this.#end(call);
    if (exchange === undefined) return;
    if (!(answer instanceof Got)) return exchange.answer(failureAnswer(failureOf(answer, false)));
    const { value, version, expiresIn } = answer.entry;
    const isRaw = exchange.call.kind === "get" && exchange.call.isRaw;
    if (value === null)
      return exchange.answer(
        failureAnswer(new HttpFailure(404, "KITH_HTTP_ABSENT", "There is nothing at this key.")),
      );
    const headers = { "x-kith-version": String(version) };
    if (isRaw)
      return exchange.answer({
        status: 200,
        body: value,
        type: "application/octet-stream",
        headers,
      });
    const json = { key: nameOf(key), ...valueJson(value), version, expiresIn };
    return exchange.answer(jsonAnswer(200, json, headers));
  }

  #applied(call: number, answer: StoreAnswer | AskTimeout): void {
    const exchange = this.#end(call);
    if (exchange === undefined) return;
    const [updated] = answer instanceof Applied ? answer.updated : [];
    if (updated === undefined) return exchange.answer(failureAnswer(failureOf(answer, true)));
    const { version, before } = updated;
    return exchange.answer(
      exchange.call.kind === "delete"
        ? jsonAnswer(200, { deleted: before !== null && before !== undefined })
        : jsonAnswer(200, { version }),
    );
  }

  #probed(call: number, answer: StoreAnswer | AskTimeout): void {
    const isReady = answer instanceof Entries;
    this.#end(call)?.answer(jsonAnswer(isReady ? 200 : 503, { ready: isReady }));
  }

  #begin(call: number, exchange: Exchange): void {
    let operations: Operation[];
    try {
      operations = readOperations(exchange.body);
    } catch (error) {
      this.#end(call);
      const failure = error instanceof HttpFailure ? error : this.#mistaken(error);
      return exchange.answer(failureAnswer(failure));
    }
    const until = this.clock.monotonic + this.#limits.withinMs;
    this.#trying.set(call, { exchange, operations, until, attempt: 0, results: [], refusal: null });
    return this.#try(call);
  }

  #try(call: number): void {
    const trying = this.#trying.get(call);
    if (trying === undefined) return;
    const within = Math.max(1, trying.until - this.clock.monotonic);
    const apart = !isReadOnly(trying.operations);
    // Who was overtaken is let through in its turn.
    const turn = apart ? { attempt: trying.attempt } : {};
    const read = new Read({ keys: keysOf(trying.operations), apart, ...turn, within });
    this.#read(read, { context: call, timeout: within + this.#limits.graceMs });
  }

  #seen(call: number, answer: StoreAnswer | AskTimeout): void {
    const trying = this.#trying.get(call);
    if (trying === undefined) return this.#probed(call, answer);
    if (!(answer instanceof Entries)) return this.#tried(call, failureOf(answer, false));
    const found = new Map<Key, Entry>(answer.entries.map((entry) => [entry.key, entry]));
    const performed = perform(trying.operations, found);
    trying.results = performed.isDone ? performed.results : [];
    trying.refusal = performed.isDone ? null : refusal(performed);
    const isReading = isReadOnly(trying.operations);
    if (isReading || (!performed.isDone && found.size < 2))
      return this.#tried(call, trying.refusal);
    const reads = answer.entries.map(({ key, version }) => ({ key, version }));
    const writes = performed.isDone ? performed.writes : [];
    // A refusal, too, has to be one of things that were there at one instant.
    const within = Math.max(1, trying.until - this.clock.monotonic);
    const timeout = within + this.#limits.graceMs;
    this.#commit(new Commit({ reads, writes, within }), { context: call, timeout });
  }

  #committed(call: number, answer: StoreAnswer | AskTimeout): void {
    const trying = this.#trying.get(call);
    if (trying === undefined) return;
    if (answer instanceof Committed) return this.#tried(call, trying.refusal);
    if (!(answer instanceof Aborted)) return this.#tried(call, failureOf(answer, true));
    trying.attempt++;
    const delay = this.#jitter.float() * Math.min(pauseMsMax, 5 * 2 ** Math.min(trying.attempt, 7));
    if (this.clock.monotonic + delay >= trying.until)
      return this.#tried(
        call,
        new HttpFailure(
          503,
          "KITH_HTTP_CONFLICT",
          `The transaction was overtaken ${trying.attempt} times; nothing was done.`,
          outcome("not-done"),
        ),
      );
    return this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Retry({ call }) }));
  }

  #tried(call: number, failure: HttpFailure | null): void {
    const trying = this.#trying.get(call);
    this.#trying.delete(call);
    this.#end(call);
    if (trying === undefined) return;
    const { exchange, results } = trying;
    if (failure !== null) return exchange.answer(failureAnswer(failure));
    return exchange.answer(jsonAnswer(200, { committed: true, results: results.map(resultJson) }));
  }
}

function refusal({ at, reason }: { readonly at: number; readonly reason: string }): HttpFailure {
  return new HttpFailure(409, "KITH_HTTP_REFUSED", `Operation ${at} could not be: ${reason}.`, {
    json: { outcome: "not-done", at, reason },
  });
}

function resultJson({ kind, key, value, version, existed }: OperationResult): object {
  return {
    [kind]: nameOf(key),
    ...(value === undefined ? {} : value === null ? { value: null } : valueJson(value)),
    ...(version === undefined ? {} : { version }),
    ...(existed === undefined ? {} : { existed }),
  };
}

function nameOf(key: Key): string {
  return Buffer.from(octetBytes(key)).toString("utf8");
}
