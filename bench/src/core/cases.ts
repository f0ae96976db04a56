/** The cases of the core, as design.md §7 names them, each beside what one would write by hand. */

import { EventEmitter } from "node:events";
import {
  by,
  type Child,
  Component,
  event,
  ManualWorld,
  launch,
  port,
  request,
  run,
  type System,
} from "@kith/core";
import type { Case } from "../harness.ts";
import { BareComponent, BarePing, BarePong, BareScheduler } from "./bare.ts";
import { FastPing, FastPingPong, FastPong, Ping, PingPong, Pong } from "./events.ts";

/** Resolves the round that is under way. */
let finish: () => void = () => undefined;

/** Runs a component whose end is told by `finish`. */
async function round(start: () => Promise<System>): Promise<void> {
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const system = await start();
  await done;
  await system.stop();
}

// --- ping-pong ---------------------------------------------------------------------------------

class Ponger extends Component {
  readonly pp = this.provides(PingPong);
  constructor() {
    super();
    this.pp.on(Ping, (ping) => this.pp.trigger(new Pong({ n: ping.n })));
  }
}
class Pinger extends Component {
  readonly pp = this.requires(PingPong);
  constructor(init: { rounds: number }) {
    super();
    const { rounds } = init;
    this.pp.on(Pong, (pong) => {
      if (pong.n < rounds) this.pp.trigger(new Ping({ n: pong.n + 1 }));
      else finish();
    });
    this.onStart(() => this.pp.trigger(new Ping({ n: 1 })));
  }
}
class PingPongMain extends Component {
  readonly ponger = this.create(Ponger);
  readonly pinger: Child<Pinger>;
  constructor(init: { rounds: number }) {
    super();
    this.pinger = this.create(Pinger, init);
    this.connect(this.ponger.ports.pp, this.pinger.ports.pp);
  }
}
class FastPonger extends Component {
  readonly pp = this.provides(FastPingPong);
  constructor() {
    super();
    this.pp.on(FastPing, (ping) => this.pp.trigger(new FastPong(ping.n)));
  }
}
class FastPinger extends Component {
  readonly pp = this.requires(FastPingPong);
  constructor(init: { rounds: number }) {
    super();
    const { rounds } = init;
    this.pp.on(FastPong, (pong) => {
      if (pong.n < rounds) this.pp.trigger(new FastPing(pong.n + 1));
      else finish();
    });
    this.onStart(() => this.pp.trigger(new FastPing(1)));
  }
}
class FastPingPongMain extends Component {
  readonly ponger = this.create(FastPonger);
  readonly pinger: Child<FastPinger>;
  constructor(init: { rounds: number }) {
    super();
    this.pinger = this.create(FastPinger, init);
    this.connect(this.ponger.ports.pp, this.pinger.ports.pp);
  }
}

function barePingPong(count: number): void {
  const scheduler = new BareScheduler();
  const ponger = new BareComponent();
  const pinger = new BareComponent();
  ponger.handlers.set(BarePing, (ping) =>
    scheduler.send(pinger, new BarePong((ping as BarePing).n)),
  );
  pinger.handlers.set(BarePong, (pong) => {
    if ((pong as BarePong).n < count / 2)
      scheduler.send(ponger, new BarePing((pong as BarePong).n + 1));
  });
  scheduler.send(ponger, new BarePing(1));
  scheduler.run();
}

function emitterPingPong(count: number): void {
  const emitter = new EventEmitter();
  let queue: BarePing | BarePong | null = new BarePing(1);
  emitter.on("ping", (ping: BarePing) => (queue = new BarePong(ping.n)));
  emitter.on(
    "pong",
    (pong: BarePong) => (queue = pong.n < count / 2 ? new BarePing(pong.n + 1) : null),
  );
  while (queue !== null) {
    const next: BarePing | BarePong = queue;
    emitter.emit(next instanceof BarePing ? "ping" : "pong", next);
  }
}

function arrayPingPong(count: number): void {
  let next: BarePing | BarePong | null = new BarePing(1);
  const pings = [(ping: BarePing) => (next = new BarePong(ping.n))];
  const pongs = [(pong: BarePong) => (next = pong.n < count / 2 ? new BarePing(pong.n + 1) : null)];
  while (next !== null) {
    const event: BarePing | BarePong = next;
    if (event instanceof BarePing) for (const handler of pings) handler(event);
    else for (const handler of pongs) handler(event);
  }
}

// --- one-way stream ------------------------------------------------------------------------------

const burst = 256;

class Sink extends Component {
  readonly pp = this.provides(FastPingPong);
  constructor() {
    super();
    this.pp.on(FastPing, (ping) => {
      if (ping.n % burst === 0) this.pp.trigger(new FastPong(ping.n));
    });
  }
}
class Source extends Component {
  readonly pp = this.requires(FastPingPong);
  constructor(init: { count: number }) {
    super();
    const send = (from: number): void => {
      for (let n = from + 1; n <= from + burst; n++) this.pp.trigger(new FastPing(n));
    };
    this.pp.on(FastPong, (pong) => {
      if (pong.n < init.count) send(pong.n);
      else finish();
    });
    this.onStart(() => send(0));
  }
}
class StreamMain extends Component {
  readonly sink = this.create(Sink);
  readonly source: Child<Source>;
  constructor(init: { count: number }) {
    super();
    this.source = this.create(Source, init);
    this.connect(this.sink.ports.pp, this.source.ports.pp);
  }
}
class LineSink extends Component {
  readonly pp = this.provides(PingPong);
  constructor() {
    super();
    this.pp.on(Ping, (ping) => {
      if (ping.n % burst === 0) this.pp.trigger(new Pong({ n: ping.n }));
    });
  }
}
class LineSource extends Component {
  readonly pp = this.requires(PingPong);
  constructor(init: { count: number }) {
    super();
    const send = (from: number): void => {
      for (let n = from + 1; n <= from + burst; n++) this.pp.trigger(new Ping({ n }));
    };
    this.pp.on(Pong, (pong) => {
      if (pong.n < init.count) send(pong.n);
      else finish();
    });
    this.onStart(() => send(0));
  }
}
class LineStreamMain extends Component {
  readonly sink = this.create(LineSink);
  readonly source: Child<LineSource>;
  constructor(init: { count: number }) {
    super();
    this.source = this.create(LineSource, init);
    this.connect(this.sink.ports.pp, this.source.ports.pp);
  }
}

function bareStream(count: number): void {
  const scheduler = new BareScheduler();
  const sink = new BareComponent();
  const source = new BareComponent();
  const send = (from: number): void => {
    for (let n = from + 1; n <= from + burst; n++) scheduler.send(sink, new BarePing(n));
  };
  sink.handlers.set(BarePing, (ping) => {
    if ((ping as BarePing).n % burst === 0)
      scheduler.send(source, new BarePong((ping as BarePing).n));
  });
  source.handlers.set(BarePong, (pong) => {
    if ((pong as BarePong).n < count) send((pong as BarePong).n);
  });
  send(0);
  scheduler.run();
}

// --- fan-out -------------------------------------------------------------------------------------

const width = 100;

class Listener extends Component {
  readonly pp = this.requires(FastPingPong);
  constructor(init: { last: number }) {
    super();
    this.pp.on(FastPong, (pong) => {
      if (pong.n === init.last) this.pp.trigger(new FastPing(pong.n));
    });
  }
}
class Speaker extends Component {
  readonly pp = this.provides(FastPingPong);
  readonly self = this.provides(FastPingPong);
  constructor(init: { events: number }) {
    super();
    let n = 0;
    let ended = 0;
    const say = (): void => {
      this.pp.trigger(new FastPong(++n));
      if (n < init.events) this.self.trigger(new FastPong(n));
    };
    this.pp.on(FastPing, () => {
      if (++ended === width) finish();
    });
    this.onStart(say);
    this.self.on(FastPing, say);
  }
}
class Echo extends Component {
  readonly pp = this.requires(FastPingPong);
  constructor() {
    super();
    this.pp.on(FastPong, (pong) => this.pp.trigger(new FastPing(pong.n)));
  }
}
class FanOutMain extends Component {
  constructor(init: { events: number }) {
    super();
    const speaker = this.create(Speaker, init);
    const echo = this.create(Echo);
    this.connect(speaker.ports.self, echo.ports.pp);
    for (let i = 0; i < width; i++)
      this.connect(speaker.ports.pp, this.create(Listener, { last: init.events }).ports.pp);
  }
}

function bareFanOut(count: number): void {
  const scheduler = new BareScheduler();
  const events = count / width;
  let heard = 0;
  const listeners = Array.from({ length: width }, () => {
    const listener = new BareComponent();
    listener.handlers.set(BarePong, (pong) => {
      if ((pong as BarePong).n === events) heard++;
    });
    return listener;
  });
  const speaker = new BareComponent();
  const echo = new BareComponent();
  let n = 0;
  const say = (): void => {
    const pong = new BarePong(++n);
    for (const listener of listeners) scheduler.send(listener, pong);
    if (n < events) scheduler.send(echo, new BarePing(n));
  };
  echo.handlers.set(BarePing, (ping) =>
    scheduler.send(speaker, new BarePong((ping as BarePing).n)),
  );
  speaker.handlers.set(BarePong, say);
  say();
  scheduler.run();
  if (heard !== width) throw new Error(`${heard} of ${width} listeners heard the last event`);
}

// --- keyed channels ------------------------------------------------------------------------------

class Keyed extends event("bench/Keyed") {
  readonly key: number;
  readonly last: boolean;
  constructor(key: number, last: boolean) {
    super();
    this.key = key;
    this.last = last;
  }
}
class More extends event("bench/More") {}
const KeyedPort = port("Keyed", { requests: [More], indications: [Keyed] });

class KeyedReceiver extends Component {
  readonly port = this.requires(KeyedPort);
  constructor() {
    super();
    this.port.on(Keyed, (keyed) => {
      if (keyed.last) this.port.trigger(new More());
    });
  }
}
abstract class KeyedSender extends Component {
  #left = 0;
  #state = 12_345;
  readonly #keys: number;
  constructor(init: { keys: number }) {
    super();
    this.#keys = init.keys;
  }
  protected abstract send(event: Keyed): void;
  /** Begins a round of so many events, in bursts; the receiver of the last of a burst asks for more. */
  begin(count: number): void {
    this.enter(() => {
      this.#left = count;
      this.more();
    });
  }
  protected more(): void {
    if (this.#left <= 0) {
      finish();
      return;
    }
    for (let i = 1; i <= burst; i++) {
      this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      this.send(new Keyed((this.#state >> 8) % this.#keys, i === burst));
    }
    this.#left -= burst;
  }
}
class ByKey extends KeyedSender {
  readonly port = this.provides(
    KeyedPort,
    by(Keyed, (keyed) => keyed.key),
  );
  constructor(init: { keys: number }) {
    super(init);
    this.port.on(More, () => this.more());
  }
  protected override send(event: Keyed): void {
    this.port.trigger(event);
  }
}
class Plain extends KeyedSender {
  readonly port = this.provides(KeyedPort);
  constructor(init: { keys: number }) {
    super(init);
    this.port.on(More, () => this.more());
  }
  protected override send(event: Keyed): void {
    this.port.trigger(event);
  }
}
class KeyedMain extends Component {
  readonly sender: Child<ByKey>;
  constructor(init: { keys: number }) {
    super();
    this.sender = this.create(ByKey, init);
    for (let key = 0; key < init.keys; key++)
      this.connect(this.sender.ports.port, this.create(KeyedReceiver).ports.port, { key });
  }
}
class PlainMain extends Component {
  readonly sender: Child<Plain>;
  constructor(init: { keys: number }) {
    super();
    this.sender = this.create(Plain, init);
    this.connect(this.sender.ports.port, this.create(KeyedReceiver).ports.port);
  }
}
function keyed(keys: number, main: typeof KeyedMain | typeof PlainMain = KeyedMain): Case {
  let sender: KeyedSender | undefined;
  return {
    unit: "event",
    count: 512_000,
    async prepare() {
      const system: System<KeyedMain | PlainMain> = await run(main, { keys });
      sender = inside<KeyedSender>(system.instance.sender);
    },
    run(count) {
      const done = new Promise<void>((resolve) => (finish = resolve));
      sender?.begin(count);
      return done;
    },
  };
}

/** What one would write by hand: a map from the key to the component. */
function bareKeyed(keys: number): Case {
  const scheduler = new BareScheduler(16_384);
  const sender = new BareComponent();
  const receivers = new Map<number, BareComponent>();
  let left = 0;
  let state = 12_345;
  const more = (): void => {
    if (left <= 0) return;
    for (let i = 1; i <= burst; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      const event = new Keyed((state >> 8) % keys, i === burst);
      scheduler.send(receivers.get(event.key) as BareComponent, event);
    }
    left -= burst;
  };
  sender.handlers.set(More, more);
  return {
    unit: "event",
    count: 512_000,
    prepare() {
      for (let key = 0; key < keys; key++) {
        const receiver = new BareComponent(256);
        receiver.handlers.set(Keyed, (event) => {
          if ((event as Keyed).last) scheduler.send(sender, new More());
        });
        receivers.set(key, receiver);
      }
      return Promise.resolve();
    },
    run(count) {
      left = count;
      more();
      scheduler.run();
    },
  };
}

// --- ask and answer ------------------------------------------------------------------------------

class Value extends event("bench/Value")<{ n: number }> {}
class Get extends request("bench/Get", Value)<{ n: number }> {}
const Store = port("Store", { requests: [Get] });

class Server extends Component {
  readonly store = this.provides(Store);
  constructor() {
    super();
    this.store.on(Get, (get, token) => this.store.reply(token, new Value({ n: get.n })));
  }
}
class Client extends Component {
  readonly store = this.requires(Store);
  constructor(init: { rounds: number }) {
    super();
    const ask = this.store.onAnswer(Get, (_, get, context: { n: number }) => {
      if (context.n < init.rounds)
        ask(new Get({ n: get.n + 1 }), { context: { n: context.n + 1 } });
      else finish();
    });
    this.onStart(() => ask(new Get({ n: 1 }), { context: { n: 1 } }));
  }
}
class AskMain extends Component {
  constructor(init: { rounds: number }) {
    super();
    this.connect(this.create(Server).ports.store, this.create(Client, init).ports.store);
  }
}

// --- creation and swap ---------------------------------------------------------------------------

class Hub extends Component {
  readonly pp = this.provides(PingPong);
  constructor(init: { count: number }) {
    super();
    let heard = 0;
    this.pp.on(Ping, () => {
      if (++heard === init.count) finish();
    });
  }
}
class Leaf extends Component {
  readonly pp = this.requires(PingPong);
  constructor() {
    super();
    this.pp.on(Pong, () => undefined);
    this.onStart(() => this.pp.trigger(new Ping({ n: 1 })));
  }
}
class ManyMain extends Component {
  constructor(init: { count: number }) {
    super();
    const hub = this.create(Hub, init);
    for (let i = 0; i < init.count; i++) this.connect(hub.ports.pp, this.create(Leaf).ports.pp);
  }
}

function creation(): Case {
  let bytes = 0;
  const kept: System[] = [];
  return {
    unit: "component",
    count: 10_000,
    cold: true,
    async run(count) {
      globalThis.gc?.();
      const before = process.memoryUsage().heapUsed;
      const done = new Promise<void>((resolve) => (finish = resolve));
      kept.push(await run(ManyMain, { count }));
      await done;
      bytes = before;
    },
    facts() {
      globalThis.gc?.();
      return { "bytes each": Math.round((process.memoryUsage().heapUsed - bytes) / 10_000) };
    },
  };
}

class Queueing extends Component {
  readonly pp = this.provides(FastPingPong);
  readonly state = this.declareState({ handled: 0 });
  constructor() {
    super();
    this.pp.on(FastPing, () => {
      this.state.handled++;
    });
  }
}
class Filler extends Component {
  readonly pp = this.requires(FastPingPong);
  fill(count: number): void {
    this.enter(() => {
      for (let n = 0; n < count; n++) this.pp.trigger(new FastPing(n));
    });
  }
}
class SwapMain extends Component {
  readonly filler = this.create(Filler);
  readonly target = this.create(Queueing);
  constructor() {
    super();
    this.connect(this.target.ports.pp, this.filler.ports.pp);
  }
  again(): void {
    this.enter(() => this.swap(this.target, Queueing));
  }
}

function swapPause(): Case {
  const queued = 10_000;
  const pauses: number[] = [];
  return {
    unit: "swap",
    count: 20,
    rounds: 5,
    run(count) {
      for (let i = 0; i < count; i++) {
        const world = new ManualWorld();
        const system = launch(SwapMain, {}, world);
        world.settle();
        const { instance } = system;
        instance.again();
        // The parent's turn queues the swap; then the queue is filled, and the swap is the next to run.
        const filler = inside(instance.filler);
        filler.fill(queued);
        world.step();
        world.step();
        const begin = performance.now();
        world.step();
        pauses.push(performance.now() - begin);
        world.settle();
      }
    },
    facts: () => {
      const sorted = pauses.slice(pauses.length >> 1).sort((a, b) => a - b);
      return {
        "pause µs, median": Math.round((sorted[sorted.length >> 1] ?? 0) * 1000),
        "pause µs, max": Math.round((sorted.at(-1) ?? 0) * 1000),
      };
    },
  };
}

/** The instance behind a handle: benchmarks may look inside. */
function inside<C extends Component>(child: Child<C>): C {
  return (child as unknown as { readonly core: { readonly instance: C } }).core.instance;
}

/** All cases, by suite and name. The first of a suite is what the others are compared with. */
export const suites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "ping-pong": {
    "bare scheduler": { unit: "event", count: 2_000_000, run: barePingPong },
    "bare EventEmitter": { unit: "event", count: 2_000_000, run: emitterPingPong },
    "bare array of handlers": { unit: "event", count: 2_000_000, run: arrayPingPong },
    "Kith, explicit events": {
      unit: "event",
      count: 2_000_000,
      run: (count) => round(() => run(FastPingPongMain, { rounds: count / 2 })),
    },
    "Kith, one-line events": {
      unit: "event",
      count: 2_000_000,
      run: (count) => round(() => run(PingPongMain, { rounds: count / 2 })),
    },
    "Kith, ask and answer": {
      unit: "event",
      count: 400_000,
      run: (count) => round(() => run(AskMain, { rounds: count / 2 })),
    },
  },
  "one-way": {
    "bare scheduler": { unit: "event", count: 2_048_000, run: bareStream },
    "Kith, explicit events": {
      unit: "event",
      count: 2_048_000,
      run: (count) => round(() => run(StreamMain, { count })),
    },
    "Kith, one-line events": {
      unit: "event",
      count: 2_048_000,
      run: (count) => round(() => run(LineStreamMain, { count })),
    },
  },
  "fan-out to 100": {
    "bare scheduler": { unit: "delivery", count: 2_000_000, run: bareFanOut },
    Kith: {
      unit: "delivery",
      count: 2_000_000,
      run: (count) => round(() => run(FanOutMain, { events: count / width })),
    },
  },
  keyed: {
    "one plain channel": keyed(1000, PlainMain),
    "1,000 keyed channels": keyed(1000),
    "bare Map of 1,000": bareKeyed(1000),
    "10 keyed channels": keyed(10),
    "bare Map of 10": bareKeyed(10),
    "10,000 keyed channels": keyed(10_000),
    "bare Map of 10,000": bareKeyed(10_000),
  },
  creation: { "10,000 components, cold": creation() },
  swap: { "10,000 events queued": swapPause() },
};
