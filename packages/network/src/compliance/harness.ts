/** What the suite of Network needs of a world, and the components that talk for it. */

import {
  Component,
  event,
  type Event,
  launch,
  type ProvidedRef,
  type Root,
  type System,
  type World,
} from "@kith/core";
import { type Harness, until, type Wait } from "@kith/testing/compliance";
import { Message, message } from "../message.ts";
import type { PeerRef } from "../peer-ref.ts";
import {
  ConnectionDown,
  ConnectionUp,
  Deliver,
  Delivery,
  Dropped,
  Network,
  NetworkDrained,
  NetworkFull,
} from "../port.ts";

/** A process of the test, before it runs. */
export interface Process {
  /** The peer for which its Network speaks. */
  readonly self: PeerRef;
  /** A world that offers that Network, without a key; the suite launches one system in it. */
  readonly world: World;
}

/** How a provider of Network is put to the test. */
export interface NetworkHarness extends Harness {
  /**
   * The process with this number, from 0 on; asked for once for each life. The second life has the same
   * peerId and address, and a higher incarnation.
   */
  process(index: number): Process;
  /** A peer at an address where nobody listens. */
  readonly nobody: PeerRef;
  /** False where messages do not pass through a codec. */
  readonly codec?: boolean;
  /** How many messages are certainly too many for the queue to one peer; default 100,000. */
  readonly tooMany?: number;
  /** Breaks the connection between two processes, and lets none be made. Without it, cases are left out. */
  readonly cut?: (a: PeerRef, b: PeerRef) => void;
  /** Lets connections be made again. */
  readonly restore?: (a: PeerRef, b: PeerRef) => void;
  /** Ends a process without warning. */
  readonly crash?: (self: PeerRef, system: System) => void;
  /** Replaces the Network of a running process by another instance. */
  readonly swapProvider?: (self: PeerRef, system: System) => void;
  /** Creates the Network of a process as the child of a component, which then wires it by keys. */
  readonly nest?: (
    index: number,
    creator: Pick<Root, "create">,
  ) => { readonly self: PeerRef; readonly network: ProvidedRef<typeof Network> };
}

/** A message with a number. */
export class Note extends message("network-compliance/Note")<{ n: number }> {}
/** A message that wants an answer. */
export class Question extends message("network-compliance/Question")<{ n: number }> {}
/** The answer. */
export class Reply extends message("network-compliance/Reply")<{ n: number }> {}
/** A message that carries anything. */
export class Parcel extends message("network-compliance/Parcel")<{ content: unknown }> {}
/** A message that derives from another. */
export class Special extends event("network-compliance/Special", Note)<{ more: string }> {}

/** One thing that a speaker has seen. */
export type Seen = Message | ConnectionUp | ConnectionDown | NetworkFull | NetworkDrained | Dropped;

/** Sends what it is told to, and keeps what comes. */
export class Speaker extends Component {
  readonly net = this.requires(Network);
  /** Everything, in its order. */
  readonly seen: Seen[] = [];
  readonly deliveries = new Map<number, Event[]>();
  readonly #deliver = this.net.onAnswer(Deliver, (answer, _, n: number) => {
    this.deliveries.set(n, [...(this.deliveries.get(n) ?? []), answer]);
  });

  constructor() {
    super();
    const note = (seen: Seen): void => {
      this.seen.push(seen);
    };
    this.net.on(Message, note);
    this.net.on(ConnectionUp, note);
    this.net.on(ConnectionDown, note);
    this.net.on(NetworkFull, note);
    this.net.on(NetworkDrained, note);
    this.net.on(Dropped, note);
    this.net.on(Question, (question) =>
      this.net.trigger(new Reply({ to: question.from, n: question.n })),
    );
  }

  /** Sends messages. */
  send(...messages: readonly Message[]): void {
    for (const one of messages) this.net.trigger(one);
  }

  /** Sends a message and asks for its fate. */
  deliver(n: number, one: Message, until_: "sent" | "acknowledged"): void {
    this.#deliver(new Deliver({ message: one, until: until_ }), { context: n });
  }

  /** What was seen of one class. */
  all<T extends Seen>(cls: abstract new (...args: never[]) => T): T[] {
    return this.seen.filter((one): one is T => one instanceof cls);
  }

  /** The numbers of the notes that came, in their order. */
  get notes(): number[] {
    return this.all(Note).map(({ n }) => n);
  }

  /** What has become of a message. */
  status(n: number): string {
    const answers = this.deliveries.get(n) ?? [];
    return answers
      .map((answer) => (answer instanceof Delivery ? answer.status : answer.constructor.name))
      .join(" ");
  }
}

/** A process that runs. */
export class Running {
  readonly self: PeerRef;
  readonly system: System<Speaker>;

  private constructor({ self, world }: Process) {
    this.self = self;
    this.system = launch(Speaker, {}, world);
  }

  /** Starts processes from number 0 on, and waits for them. */
  static *start(harness: NetworkHarness, count: number): Generator<Wait, Running[], void> {
    const all = Array.from({ length: count }, (_, index) => new Running(harness.process(index)));
    for (const running of all) yield* running.ready();
    return all;
  }

  /** Starts one process, or its next life. */
  static *again(harness: NetworkHarness, index: number): Generator<Wait, Running, void> {
    const running = new Running(harness.process(index));
    yield* running.ready();
    return running;
  }

  get speaker(): Speaker {
    return this.system.instance;
  }

  /** Does something in the speaker's turn. */
  do(action: (speaker: Speaker) => void): void {
    this.system.enter(() => action(this.speaker));
  }

  *ready(): Generator<Wait, void, void> {
    let ready = false;
    this.system.enter(() => (ready = true));
    yield until("a process has started", () => ready);
  }
}
