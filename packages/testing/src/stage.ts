/**
 * The stage: one run of a script. It holds the manual world, the component in its harness, what was
 * observed, and how far the expectations have come.
 *
 * Invariant: between two statements nothing waits to be done. Each action is followed by everything
 * that it causes, so whatever an expectation could be about has come when it is looked at; `cursor`
 * is the first observation that no expectation has taken.
 */

import {
  type Child,
  type Component,
  type DeadLetter,
  type Event,
  type Fault,
  type FaultPolicy,
  type Given,
  ManualWorld,
  type Millis,
  type ReplyToken,
  type Request,
  type System,
} from "@kith/core";
import { testError } from "./errors.ts";
import { broken, forbidden, mismatch, type Scene } from "./failure.ts";
import {
  type Assembly,
  type Hands,
  launchHarness,
  type Probe,
  probePrefix,
  type Sink,
} from "./harness.ts";
import { isRequest } from "./kernel.ts";
import type { Action, Node, Nothing, Statement } from "./node.ts";
import { faultText, letterText, type Observed, type ObservedRequest } from "./observed.ts";
import { push, search, type Todo } from "./search.ts";
import { show, showCause } from "./show.ts";
import { type Line, Transcript } from "./transcript.ts";

/** What a script says of the world around the component. */
export interface DriveOptions {
  /** The component's name; by default its class with an ordinal. */
  readonly name?: string;
  /** Values of settings, for the component and its subtree. */
  readonly settings?: readonly Given[];
  /** How many events its mailbox takes. */
  readonly mailboxBound?: number;
  /** The seed of its random draws; default 0. */
  readonly seed?: number | string;
  /** What becomes of the component after a fault that the script expects; default: it resumes. */
  readonly faultPolicy?: FaultPolicy;
  /** Whether a dead letter has to be expected, as by default, or may come without more ado. */
  readonly deadLetters?: "expected" | "allowed";
}

/** What holds from a statement on, to the end of its block. */
export type Rule = Statement & {
  readonly scope: symbol;
  readonly port: string;
  /** Whether it is about this event. */
  covers(event: Event): boolean;
} & (
    | { readonly kind: "allow" | "forbid" }
    /** Undefined where the rule leaves the request to others. */
    | { readonly kind: "answer"; answer(request: Event): Event | undefined }
  );

const actionsMax = 100_000;

/** One run of a script. */
export class Stage {
  /** Requests whose answer comes later, by the name that the script gave them. */
  readonly kept = new Map<string, ObservedRequest>();
  readonly #world: ManualWorld;
  readonly #system: System<Component & Hands>;
  readonly #scene: Scene;
  readonly #lines: Line[] = [];
  readonly #observed: Observed[] = [];
  readonly #rules: Rule[] = [];
  readonly #letters: DeadLetter[] = [];
  readonly #errors: unknown[] = [];
  readonly #lettersAllowed: boolean;
  #cursor = 0;
  #performing: Statement | null = null;
  #forbidden: { readonly rule: Rule; readonly came: Observed } | null = null;

  constructor(assembly: Assembly, options: DriveOptions) {
    this.#scene = { subject: assembly.className, lines: this.#lines, observed: this.#observed };
    this.#lettersAllowed = options.deadLetters === "allowed";
    this.#world = new ManualWorld({ seed: options.seed ?? 0 });
    this.#system = launchHarness(assembly, this.#sink(), this.#world);
    this.#system.events.on("deadLetter", (letter) => this.#letters.push(letter));
    this.#system.events.on("fault", (fault) => this.#faulted(fault));
  }

  /** Runs a script to its end. @throws KithError at the first statement that does not hold */
  run(nodes: readonly Node[]): Transcript {
    const end: Nothing = {
      kind: "nothing",
      place: "",
      text: "at the end of the script",
      trace: {},
    };
    const start: Action = {
      ...end,
      kind: "action",
      text: "at its start",
      perform: () => this.settle(),
    };
    let todo: Todo | null = push([start, ...nodes, end], null);
    for (let actions = 0; ; actions++) {
      const found = search(todo, this.#observed, this.#cursor);
      if (found.kind === "failed") throw mismatch(this.#scene, found.at, found.misses);
      this.#cursor = found.cursor;
      if (found.kind === "end") return new Transcript(this.#lines, this.time);
      if (actions === actionsMax) {
        const what = `${actionsMax} statements were carried out, and there are more.`;
        throw broken(this.#scene, "KITH_TEST_ENDLESS", found.action, what, undefined);
      }
      this.#perform(found.action);
      todo = found.todo;
    }
  }

  #perform(action: Action): void {
    this.#performing = action.place === "" ? null : action;
    try {
      action.perform(this, this.#observed[this.#cursor - 1]);
    } catch (cause) {
      if (this.#world.scheduler.waiting > 0) {
        const what = "it never came to rest: the component makes new events without end";
        throw broken(this.#scene, "KITH_TEST_ENDLESS", action, what, cause);
      }
      const code = this.#hands.subject === null ? "KITH_TEST_CONSTRUCTED" : "KITH_TEST_ACTION";
      throw broken(this.#scene, code, action, showCause(cause), cause);
    }
    if (this.#forbidden === null) return;
    const { rule, came } = this.#forbidden;
    throw forbidden(
      this.#scene,
      rule,
      came,
      this.#performing?.place === rule.place ? null : this.#performing,
    );
  }

  // --- what statements do ----------------------------------------------------------------------

  /** The manual time, in milliseconds. */
  get time(): Millis {
    return this.#world.clock.monotonicMicros() / 1000;
  }

  /** The component under test. @throws KithError where its constructor threw */
  get subject(): Child {
    const { subject } = this.#hands;
    if (subject !== null) return subject;
    throw testError("KITH_TEST_CONSTRUCTED", `${this.#scene.subject} could not be constructed.`);
  }

  /** Lets the component work until nothing waits. */
  settle(): void {
    this.#world.settle();
    this.#afterwards();
  }

  /** Moves the time; everything that is due on the way happens at its time. */
  advance(duration: Millis): void {
    this.#world.advance(duration);
    this.#afterwards();
  }

  /** Puts events in at a port, all of them before the component handles the first. */
  inject(port: string, events: readonly Event[]): void {
    this.#act(() => {
      const probe = this.#probe(port);
      for (const event of events) {
        this.#into(port, event, "");
        probe.trigger(event);
      }
    });
  }

  /** Asks the component a request. */
  ask(port: string, request: Request): void {
    this.#act(() => {
      const probe = this.#probe(port);
      this.#into(port, request, " (asked)");
      probe.ask(request);
    });
  }

  /** Answers a request of the component. */
  reply(request: ObservedRequest, response: Event): void {
    this.#act(() => this.#replyNow(request.port, request.event, request.token, response));
  }

  startSubject(): void {
    this.#act((hands) => hands.startSubject());
  }

  stopSubject(): void {
    this.#act((hands) => hands.stopSubject());
  }

  giveSetting(given: Given): void {
    this.#act((hands) => hands.giveSetting(given));
  }

  /** From here on the rule holds, also for what has come and was not expected yet. */
  addRule(rule: Rule): void {
    this.#rules.push(rule);
    for (let at = this.#cursor; at < this.#observed.length; at++) {
      const observed = this.#observed[at];
      if (observed === undefined || observed.status === "answered") continue;
      if (!covers(rule, observed)) continue;
      if (rule.kind !== "answer") this.#judge(rule, observed);
      else if (observed.kind === "request") this.#answerLate(rule, observed);
    }
  }

  /** Ends the rules of a block. */
  endRules(scope: symbol): void {
    const rest = this.#rules.filter((rule) => rule.scope !== scope);
    this.#rules.splice(0, this.#rules.length, ...rest);
  }

  #answerLate(rule: Rule & { readonly kind: "answer" }, observed: ObservedRequest): void {
    const response = rule.answer(observed.event);
    if (response === undefined) return;
    observed.status = "answered";
    this.reply(observed, response);
  }

  get #hands(): Hands {
    return this.#system.instance;
  }

  #probe(port: string): Probe {
    const probe = this.#hands.probes.get(port);
    if (probe !== undefined) return probe;
    const names = [...this.#hands.probes.keys()];
    const there = names.length === 0 ? "none" : names.join(", ");
    throw testError("KITH_TEST_PORT", `There is no port ${port} to drive; there are: ${there}.`);
  }

  /** Does something in the harness's turn, and then everything that it causes. */
  #act(action: (hands: Hands) => void): void {
    let done = false;
    this.#system.enter(() => {
      done = true;
      try {
        action(this.#hands);
      } catch (cause) {
        this.#errors.push(cause);
      }
    });
    this.settle();
    if (!done) throw new Error("A fault was escalated, so that nothing runs any more.");
  }

  #afterwards(): void {
    for (const letter of this.#letters.splice(0)) this.#deadLetter(letter);
    const [error] = this.#errors.splice(0);
    if (error === undefined) return;
    throw error instanceof Error ? error : new Error(showCause(error), { cause: error });
  }

  // --- what comes ------------------------------------------------------------------------------

  #sink(): Sink {
    return {
      came: (port, event, token) => this.#came(port, event, token),
      answered: (port, event, request) => {
        const line = this.#line("out", port, `${show(event)} (answers ${show(request)})`, event);
        this.#observe({ kind: "answer", port, event, request, line, status: "open" });
      },
      faulted: (fault) => this.#faulted(fault),
    };
  }

  #came(port: string, event: Event, token: ReplyToken | undefined): void {
    if (token === undefined || !isRequest(event)) {
      const line = this.#line("out", port, show(event), event);
      this.#observe({ kind: "event", port, event, line, status: "open" });
      return;
    }
    const line = this.#line("out", port, `${show(event)} (asked)`, event);
    const observed = { kind: "request", port, event, token, line, status: "open" } as const;
    const response = this.#answerOf(port, event);
    if (response === undefined) this.#observe(observed);
    else this.#replyNow(port, event, token, response);
  }

  /** What the newest standing rule answers that has an answer. */
  #answerOf(port: string, request: Event): Event | undefined {
    for (const rule of this.#rules.toReversed()) {
      if (rule.port !== port || !rule.covers(request)) continue;
      // A newer rule about these events goes before an older answer.
      if (rule.kind !== "answer") return undefined;
      try {
        const response = rule.answer(request);
        if (response !== undefined) return response;
      } catch (cause) {
        this.#errors.push(cause);
        return undefined;
      }
    }
    return undefined;
  }

  #replyNow(port: string, request: Event, token: ReplyToken, response: Event): void {
    const probe = this.#probe(port);
    this.#into(port, response, ` (answers ${show(request)})`);
    probe.reply(token, response);
  }

  #faulted(fault: Fault): void {
    const { event } = fault;
    const line = this.#line("fault", fault.path, faultText(fault), event);
    this.#observe({ kind: "fault", port: "", event, fault, line, status: "open" });
  }

  #deadLetter({ reason, path, event, ...letter }: DeadLetter): void {
    const port = letter.port.replace(probePrefix, "");
    const at = port === "" ? path : `${path}.${port}`;
    const line = this.#line("dead", at, letterText(reason, event), event);
    const status = this.#lettersAllowed ? "allowed" : "open";
    this.#observe({ kind: "dead-letter", port, path, reason, event, line, status });
  }

  #observe(observed: Observed): void {
    this.#observed.push(observed);
    const rule = this.#rules.findLast((one) => covers(one, observed));
    if (rule !== undefined) this.#judge(rule, observed);
  }

  #judge(rule: Rule, observed: Observed): void {
    if (rule.kind === "allow") observed.status = "allowed";
    if (rule.kind === "forbid") this.#forbidden ??= { rule, came: observed };
  }

  #into(port: string, event: Event, more: string): void {
    this.#line("in", port, show(event) + more, event);
  }

  #line(
    direction: Line["direction"],
    port: string,
    text: string,
    event: Event | undefined,
  ): number {
    return this.#lines.push({ time: this.time, direction, port, text, event }) - 1;
  }
}

function covers(rule: Rule, { kind, port, event }: Observed): boolean {
  if (kind === "fault" || kind === "dead-letter" || event === undefined) return false;
  return rule.port === port && rule.covers(event);
}
