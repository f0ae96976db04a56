/** Small components and ports that the tests of the kit drive, and how tests look at a failure. */

import { expect } from "chai";
import {
  AskTimeout,
  Component,
  event,
  KithError,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
  ScheduleTimeout,
  setting,
  timeout,
  Timer,
} from "@kith/core";
import type { Transcript } from "./index.ts";

// --- events in both directions -------------------------------------------------------------------

export class Ping extends event("pingpong/Ping")<{ n: number }> {}
export class LoudPing extends event("pingpong/LoudPing", Ping)<{ volume: number }> {}
export class Pong extends event("pingpong/Pong")<{ n: number }> {}
export const PingPong = port("PingPong", { requests: [Ping], indications: [Pong] });

export class Pinger extends Component {
  readonly pp = this.requires(PingPong);
  readonly state = this.declareState({ last: 0 });

  constructor(init: { rounds: number }) {
    super();
    this.pp.on(Pong, (pong) => {
      this.state.last = pong.n;
      if (pong.n < init.rounds) this.pp.trigger(new Ping({ n: pong.n + 1 }));
    });
    this.onStart(() => this.pp.trigger(new Ping({ n: 1 })));
    this.onStop(() => this.pp.trigger(new Ping({ n: -1 })));
  }
}

/** Answers each ping as often as it says, one below the other. */
export class Ponger extends Component {
  readonly pp = this.provides(PingPong);

  constructor() {
    super();
    this.pp.on(Ping, (ping) => {
      for (let n = ping.n; n > 0; n--) this.pp.trigger(new Pong({ n }));
    });
  }
}

// --- two ports -----------------------------------------------------------------------------------

export class Order extends event("shop/Order")<{ items: readonly string[] }> {}
export class Part extends event("shop/Part")<{ item: string; at?: { shelf: number } }> {}
export class Bill extends event("shop/Bill")<{ sum: number }> {}
export class Note extends event("shop/Note")<{ text: string }> {}
export const Counter = port("Counter", { requests: [Order], indications: [Bill, Note] });
export const Store = port("Store", { requests: [Part, Note] });

/** Turns an order into parts and a bill, and talks. */
export class Shop extends Component {
  readonly counter = this.provides(Counter);
  readonly store = this.requires(Store);

  constructor() {
    super();
    this.counter.on(Order, ({ items }) => {
      for (const item of items) {
        if (item === "") throw new RangeError("an item without a name");
        this.store.trigger(new Part({ item }));
        this.store.trigger(new Note({ text: `fetch ${item}` }));
      }
      this.counter.trigger(new Bill({ sum: items.length }));
    });
  }
}

// --- asking on both sides ------------------------------------------------------------------------

export class Value extends event("kv/Value")<{ value: string | null }> {}
export class Done extends event("kv/Done") {}
export class Get extends request("kv/Get", Value)<{ key: string }> {}
export class Put extends request("kv/Put", Done)<{ key: string; value: string }> {}
export class Changed extends event("kv/Changed")<{ key: string }> {}
export const KeyValue = port("KeyValue", { requests: [Get, Put], indications: [Changed] });

/** Answers reads from memory, else from the port below; gives up after a second. */
export class Cache extends Component {
  readonly kv = this.provides(KeyValue);
  readonly below = this.requires(KeyValue);
  readonly known = new Map<string, string>();

  constructor() {
    super();
    const read = this.below.onAnswer(Get, (answer, { key }, token: ReplyToken<Value>) => {
      const value = answer instanceof AskTimeout ? null : answer.value;
      if (value !== null) this.known.set(key, value);
      this.kv.reply(token, new Value({ value }));
    });
    this.kv.on(Get, (get, token) => {
      const value = this.known.get(get.key);
      if (value !== undefined) this.kv.reply(token, new Value({ value }));
      else read(new Get({ key: get.key }), { timeout: 1000, context: token });
    });
    const write = this.below.onAnswer(Put, (_, { key }) => this.kv.trigger(new Changed({ key })));
    this.kv.on(Put, (put, token) => {
      this.known.set(put.key, put.value);
      write(new Put({ key: put.key, value: put.value }));
      this.kv.reply(token, new Done());
    });
  }
}

// --- time ----------------------------------------------------------------------------------------

class Beat extends timeout("heart/Beat") {}
class Death extends timeout("heart/Death") {}
export const period = setting.duration("heart.period", 100);

export class Pulse extends event("heart/Pulse")<{ at: number }> {}
export const Heartbeat = port("Heartbeat", { indications: [Pulse] });

/** Beats every 100 ms, and throws after a second. */
export class Heart extends Component {
  readonly beats = this.provides(Heartbeat);
  readonly timer = this.requires(Timer);

  constructor() {
    super();
    this.timer.on(Beat, () => this.beats.trigger(new Pulse({ at: this.clock.monotonic })));
    this.timer.on(Death, () => {
      throw new KithError("HEART_DEAD", "The heart has stopped.", "Live healthier.");
    });
    this.onStart(() => {
      this.timer.trigger(
        new SchedulePeriodic({ period: this.setting(period), timeout: new Beat() }),
      );
      this.timer.trigger(new ScheduleTimeout({ delay: 1000, timeout: new Death() }));
    });
  }
}

// --- how tests look at failures ------------------------------------------------------------------

/** The error with which a script fails; its code is checked. */
export function failureOf(script: { run(): Transcript }, code: string): KithError {
  try {
    script.run();
  } catch (error) {
    if (!(error instanceof KithError)) throw error;
    expect(error.code, error.message).to.equal(code);
    return error;
  }
  throw new Error("the script held");
}

/** Checks the whole text of a failure, but for the last line, which is the same for all of a code. */
export function expectFailure(
  script: { run(): Transcript },
  code: string,
  lines: readonly string[],
): KithError {
  const error = failureOf(script, code);
  expect(error.message.split("\n").slice(0, -1)).to.deep.equal(lines);
  expect(error.message.split("\n").at(-1)).to.equal(` ${error.next} [${code}]`);
  return error;
}
