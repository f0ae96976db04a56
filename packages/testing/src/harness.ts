/**
 * The component around the component under test: its parent, and the other side of all its ports.
 *
 * One component holds all the probes, so that there is one mailbox, and events of different ports are
 * observed in the order in which the component triggered them. A fault is brought into the same order
 * by a mark that the harness sends to itself: what was triggered before the throw lies before it.
 */

import {
  type AnyPort,
  type Child,
  type ChildOptions,
  Component,
  type ComponentClass,
  type Event,
  event,
  type EventClass,
  type Fault,
  type FaultPolicy,
  type Given,
  type InitArguments,
  launch,
  type ManualWorld,
  port,
  type ProvidedPort,
  type ReplyToken,
  type Request,
  type RequiredPort,
  type System,
  Timer,
} from "@kith/core";
import { isOf, isRequestClass, isToken, portsOf, rootsOf } from "./kernel.ts";

/** Takes what the harness observes. */
export interface Sink {
  /** An event came out; with a token where it was asked. */
  came(port: string, event: Event, token: ReplyToken | undefined): void;
  /** The component answered. */
  answered(port: string, answer: Event, request: Event): void;
  /** An exception got out. */
  faulted(fault: Fault): void;
}

/** The other side of one port. */
export interface Probe {
  trigger(event: Event): void;
  ask(request: Request): void;
  reply(token: ReplyToken, response: Event): void;
}

/** Creates the component under test below a parent. */
export interface Maker {
  make<K extends ComponentClass>(
    cls: K,
    ...args: InitArguments<K, ChildOptions>
  ): Child<InstanceType<K>>;
}

/** What the stage may do with the harness, in its turn. */
export interface Hands {
  /** The component under test; null where its constructor threw. */
  readonly subject: Child | null;
  /** The other sides of its ports, by name. */
  readonly probes: ReadonlyMap<string, Probe>;
  startSubject(): void;
  stopSubject(): void;
  giveSetting(given: Given): void;
}

/** What a harness is built for. */
export interface Assembly {
  /** The class under test, by name. */
  readonly className: string;
  create(parent: Maker): Child;
  /** Ports that the harness provides to the whole subtree, by name. */
  readonly offers: ReadonlyMap<string, AnyPort>;
  readonly policy: FaultPolicy;
}

class FaultMark extends event("kith-testing/FaultMark")<{ readonly fault: Fault }> {}
const Marks = port("kith-testing/Marks", { indications: [FaultMark] });

/** Goes before the name of a port where it is the name of the harness's field for the other side. */
export const probePrefix = "probe:";

/** Builds the harness and the component in it; nothing runs yet. */
export function launchHarness(
  assembly: Assembly,
  sink: Sink,
  world: ManualWorld,
): System<Component & Hands> {
  class Test extends Component implements Hands, Maker {
    readonly marksOut = this.provides(Marks);
    readonly marksIn = this.requires(Marks);
    readonly probes = new Map<string, Probe>();
    readonly subject: Child | null;

    constructor() {
      super();
      this.connect(this.marksOut, this.marksIn);
      this.marksIn.on(FaultMark, ({ fault }) => sink.faulted(fault));
      this.onFault((fault) => {
        this.marksOut.trigger(new FaultMark({ fault }));
        return assembly.policy(fault);
      });
      for (const [name, type] of assembly.offers) this.offers(this.providing(name, type));
      this.subject = this.construct();
      if (this.subject !== null) this.surround(this.subject);
    }

    make<K extends ComponentClass>(
      cls: K,
      ...args: InitArguments<K, ChildOptions>
    ): Child<InstanceType<K>> {
      return this.create(cls, ...args);
    }

    startSubject(): void {
      if (this.subject !== null) this.start(this.subject);
    }

    stopSubject(): void {
      if (this.subject !== null) this.stop(this.subject);
    }

    giveSetting(given: Given): void {
      this.configure(given);
    }

    private construct(): Child | null {
      try {
        return assembly.create(this);
      } catch (cause) {
        const fault = { cause, path: `/Test-1/${assembly.className}`, event: undefined };
        this.onStart(() => this.marksOut.trigger(new FaultMark({ fault })));
        return null;
      }
    }

    private surround(subject: Child): void {
      for (const facts of portsOf(subject)) {
        const { name, type } = facts;
        if (facts.provided) this.connect(facts.ref, this.using(name, type));
        // A required Timer is left to the world, which has one.
        else if (type !== Timer) this.connect(this.providing(name, type), facts.ref);
      }
    }

    /** Stands in for the user of a port. */
    private using(name: string, type: AnyPort): RequiredPort<AnyPort> {
      const half = this.requires(type);
      for (const cls of rootsOf(type.indications)) {
        half.on(cls, (indication) => sink.came(name, indication, undefined));
      }
      const asks: (readonly [EventClass, (request: Request) => void])[] = [];
      for (const cls of rootsOf(type.requests)) {
        if (!isRequestClass(cls)) continue;
        asks.push([
          cls,
          half.onAnswer(cls, (answer, request) => sink.answered(name, answer, request)),
        ]);
      }
      this.keep(name, half, {
        trigger: (request) => half.trigger(request),
        ask: (request) => asks.find(([cls]) => isOf(request, cls))?.[1](request),
        reply: () => undefined,
      });
      return half;
    }

    /** Stands in for the provider of a port. */
    private providing(name: string, type: AnyPort): ProvidedPort<AnyPort> {
      const half = this.provides(type);
      for (const cls of rootsOf(type.requests)) {
        half.on(cls, (request, token: unknown) => {
          sink.came(name, request, isToken(token) ? token : undefined);
        });
      }
      this.keep(name, half, {
        trigger: (indication) => half.trigger(indication),
        ask: () => undefined,
        reply: (token, response) => half.reply(token, response),
      });
      return half;
    }

    /** The kernel names a port by its field; these fields are made when their names are known. */
    private keep(name: string, half: object, probe: Probe): void {
      Object.assign(this, { [probePrefix + name]: half });
      this.probes.set(name, probe);
    }
  }
  return launch(Test, {}, world);
}
