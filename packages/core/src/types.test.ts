/**
 * What the compiler rejects, and what it infers without a cast or a type argument. The code of the
 * components below is type-checked, not run; an error that does not come makes its line an error.
 */

import { expect } from "chai";
import {
  by,
  type Child,
  Component,
  event,
  type InitOf,
  port,
  type PortsOf,
  type ProvidedRef,
  type ReplyToken,
  request,
  type RequiredRef,
  run,
  ScheduleTimeout,
  type StateOf,
  timeout,
  Timer,
} from "./index.ts";

class Ping extends event("types/Ping")<{ n: number }> {}
class Pong extends event("types/Pong")<{ n: number }> {}
class Loud extends event("types/Loud", Ping)<{ volume: number }> {}
class Value extends event("types/Value")<{ value: string }> {}
class Empty extends event("types/Empty") {}
class Get extends request("types/Get", Value)<{ key: string }> {}
class Clear extends request("types/Clear", Empty) {}
class Retry extends timeout("types/Retry")<{ attempt: number }> {}
const PingPong = port("PingPong", { requests: [Ping], indications: [Pong] });
const Store = port("Store", { requests: [Get, Clear], indications: [Ping] });

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles where both types are the same. */
function same<A, B>(_same: Same<A, B>): void {}

class Provider extends Component {
  readonly pp = this.provides(PingPong);
  readonly store = this.provides(Store);
}
class User extends Component {
  readonly pp = this.requires(PingPong);
  readonly store = this.requires(Store);
  readonly timer = this.requires(Timer);
}
class WithInit extends Component {
  readonly pp = this.requires(PingPong);
  constructor(init: { rounds: number; name?: string }) {
    super();
    void init;
  }
}
class OptionalInit extends Component {
  constructor(init?: { rounds: number }) {
    super();
    void init;
  }
}
class TwoArguments extends Component {
  constructor(a: number, b: number) {
    super();
    void [a, b];
  }
}
class StatefulOne extends Component {
  readonly pp = this.provides(PingPong);
  readonly state = this.declareState({ count: 0 });
}
class SameState extends Component {
  readonly pp = this.provides(PingPong);
  readonly more = this.requires(Store);
  readonly state = this.declareState({ count: 0 });
}
class OtherState extends Component {
  readonly pp = this.provides(PingPong);
  readonly state = this.declareState({ total: "0" });
}
class NoState extends Component {
  readonly pp = this.provides(PingPong);
}
class Imports extends Component {
  readonly pp = this.provides(PingPong);
  exportState(): { count: number } {
    return { count: 1 };
  }
  importState(state: { count: number }): void {
    void state;
  }
}
class ImportsOther extends Component {
  readonly pp = this.provides(PingPong);
  exportState(): { name: string } {
    return { name: "" };
  }
  importState(state: { name: string }): void {
    void state;
  }
}
class Migrates extends ImportsOther {
  readonly stateVersion = 2;
  migrate(state: unknown, version: number): { name: string } {
    void [state, version];
    return { name: "" };
  }
}
class NoPort extends Component {
  readonly state = this.declareState({ count: 0 });
}
class OtherDirection extends Component {
  readonly pp = this.requires(PingPong);
  readonly state = this.declareState({ count: 0 });
}
class OtherType extends Component {
  readonly pp = this.provides(Store);
  readonly state = this.declareState({ count: 0 });
}

class Directions extends Component {
  readonly provided = this.provides(PingPong);
  readonly required = this.requires(PingPong);

  right(): void {
    this.provided.trigger(new Pong({ n: 1 }));
    this.required.trigger(new Ping({ n: 1 }));
    this.required.trigger(new Loud({ n: 1, volume: 2 }));
    this.provided.on(Ping, (ping) => same<typeof ping, Ping>(true));
    this.required.on(Pong, (pong) => same<typeof pong, Pong>(true));
    // A subclass of what arrives may be waited for.
    this.provided.on(Loud, (loud) => same<typeof loud.volume, number>(true));
    this.provided.on(Ping, (ping, token) => {
      same<typeof token, undefined>(true);
      return ping.n > 0;
    });
  }

  wrong(): void {
    // @ts-expect-error a provider triggers indications, not requests
    this.provided.trigger(new Ping({ n: 1 }));
    // @ts-expect-error a user triggers requests, not indications
    this.required.trigger(new Pong({ n: 1 }));
    // @ts-expect-error an event of another port
    this.required.trigger(new Value({ value: "" }));
    // @ts-expect-error something of the same shape that is no event
    this.required.trigger({ n: 1 });
    // @ts-expect-error a provider handles requests, not indications
    this.provided.on(Pong, () => undefined);
    // @ts-expect-error a user handles indications, not requests
    this.required.on(Ping, () => undefined);
    // @ts-expect-error an event of another port never arrives
    this.provided.on(Value, () => undefined);
    // @ts-expect-error an async handler would run beyond its turn
    this.provided.on(Ping, async () => undefined);
    // @ts-expect-error nor may it return a promise by other ways
    this.provided.on(Ping, (ping) => Promise.resolve(ping.n));
    // @ts-expect-error nor anything else that would be lost
    this.provided.on(Ping, (ping) => ping.n);
    // @ts-expect-error the event has no such field
    this.provided.on(Ping, (ping) => void ping.m);
  }
}

class Nominal extends Component {
  readonly provided = this.provides(PingPong);

  wrong(ping: Ping, pong: Pong, loud: Loud): void {
    // @ts-expect-error two events of one shape are two events
    const asPong: Pong = ping;
    // @ts-expect-error in both directions
    const asPing: Ping = pong;
    // @ts-expect-error a base is no subclass
    const asLoud: Loud = ping;
    // A subclass is its base.
    const base: Ping = loud;
    // @ts-expect-error fields are readonly
    ping.n = 2;
    // @ts-expect-error those of bases too
    loud.n = 2;
    void [asPong, asPing, asLoud, base];
  }

  fields(): void {
    // @ts-expect-error a field is missing
    void new Ping({});
    // @ts-expect-error all of them are
    void new Ping();
    // @ts-expect-error a field of another type
    void new Ping({ n: "1" });
    // @ts-expect-error a field too many
    void new Ping({ n: 1, m: 2 });
    // @ts-expect-error the base's field is missing
    void new Loud({ volume: 1 });
    void new Empty();
  }
}

class Asks extends Component {
  readonly store = this.requires(Store);
  readonly provided = this.provides(Store);
  readonly timer = this.requires(Timer);
  readonly get = this.store.onAnswer(Get, (answer, get, context: { at: number }) => {
    same<typeof get, Get>(true);
    same<typeof context, { at: number }>(true);
    if ("value" in answer) same<typeof answer, Value>(true);
    else same<typeof answer.timeout, number>(true);
  });
  readonly clear = this.store.onAnswer(Clear, (answer, clear, context) => {
    same<typeof clear, Clear>(true);
    same<typeof context, undefined>(true);
    return "timeout" in answer;
  });

  right(): void {
    this.get(new Get({ key: "k" }), { context: { at: 1 }, timeout: 5 });
    this.clear(new Clear());
    this.clear(new Clear(), { timeout: 1 });
    this.provided.on(Get, (get, token) => {
      same<typeof token, ReplyToken<Value>>(true);
      this.provided.reply(token, new Value({ value: get.key }));
    });
    this.timer.trigger(new ScheduleTimeout({ delay: 1, timeout: new Retry({ attempt: 1 }) }));
    this.timer.on(Retry, ({ attempt }) => attempt > 1);
  }

  wrong(getToken: ReplyToken<Value>): void {
    // @ts-expect-error a request that is answered is asked, not triggered
    this.store.trigger(new Get({ key: "k" }));
    // @ts-expect-error the context is missing
    this.get(new Get({ key: "k" }));
    // @ts-expect-error another context
    this.get(new Get({ key: "k" }), { context: { at: "now" } });
    // @ts-expect-error another request
    this.get(new Clear(), { context: { at: 1 } });
    // @ts-expect-error the wrong response
    this.provided.reply(getToken, new Empty());
    // @ts-expect-error the right shape is not the right response
    this.provided.reply(getToken, { value: "" });
    // @ts-expect-error what is asked is no request
    this.store.onAnswer(Ping, () => undefined);
    // @ts-expect-error an async continuation
    this.store.onAnswer(Get, async () => undefined);
    // @ts-expect-error what is scheduled is a timeout
    void new ScheduleTimeout({ delay: 1, timeout: new Ping({ n: 1 }) });
    // @ts-expect-error no event of the Timer but timeouts is handled
    this.timer.on(Ping, () => undefined);
  }
}

class Wires extends Component {
  readonly provider = this.create(Provider);
  readonly user = this.create(User);
  readonly own = this.requires(PingPong);

  right(): void {
    const channel = this.connect(this.provider.ports.pp, this.user.ports.pp);
    this.connect(this.provider.ports.pp, this.own);
    this.connect(this.provider.ports.pp, this.user.ports.pp, {
      filter: { requests: (ping) => ping.n > 1, indications: (pong) => pong.n > 1 },
    });
    channel.plug(this.own);
    this.offers(this.provider.ports.pp, { key: 1 });
    same<
      PortsOf<Provider>,
      { readonly pp: ProvidedRef<typeof PingPong>; readonly store: ProvidedRef<typeof Store> }
    >(true);
    same<typeof this.user.ports.pp, RequiredRef<typeof PingPong>>(true);
  }

  wrong(): void {
    const { provider, user } = this;
    // @ts-expect-error the wrong port
    this.connect(provider.ports.pp, user.ports.store);
    // @ts-expect-error the ends are swapped
    this.connect(user.ports.pp, provider.ports.pp);
    // @ts-expect-error two providers
    this.connect(provider.ports.pp, provider.ports.pp);
    // @ts-expect-error two users
    this.connect(user.ports.pp, user.ports.pp);
    // @ts-expect-error no such port
    this.connect(provider.ports.nothing, user.ports.pp);
    // @ts-expect-error a child's port is an opaque reference: it cannot be triggered
    provider.ports.pp.trigger(new Pong({ n: 1 }));
    // @ts-expect-error nor listened at
    provider.ports.pp.on(Ping, () => undefined);
    // @ts-expect-error nor asked
    user.ports.store.onAnswer(Get, () => undefined);
    // @ts-expect-error only provided ports are offered
    this.offers(user.ports.pp);
    const [from, to] = [provider.ports.pp, user.ports.pp] as const;
    // @ts-expect-error the filter sees the events of its direction
    this.connect(from, to, { filter: { requests: (ping) => ping.volume > 1 } });
    // @ts-expect-error the channel takes ends of its own port only
    this.connect(provider.ports.pp, user.ports.pp).plug(user.ports.store);
    // @ts-expect-error ports of a child are not its other fields
    void this.provider.ports.create;
  }
}

class Exposes extends Component {
  readonly provider = this.create(Provider);
  readonly user = this.create(User);
  readonly pp = this.exposes(this.provider.ports.pp);
  readonly need = this.exposes(this.user.ports.store);
}
class Around extends Component {
  readonly inner = this.create(Exposes);
  readonly again = this.exposes(this.inner.ports.pp);
  right(): void {
    same<typeof this.inner.ports.pp, ProvidedRef<typeof PingPong>>(true);
    same<typeof this.inner.ports.need, RequiredRef<typeof Store>>(true);
    same<PortsOf<Around>, { readonly again: ProvidedRef<typeof PingPong> }>(true);
  }
  wrong(): void {
    // @ts-expect-error an exposed port is a reference too
    this.again.trigger(new Pong({ n: 1 }));
  }
}

class Creates extends Component {
  right(): void {
    const child = this.create(WithInit, { rounds: 1 });
    same<typeof child, Child<WithInit>>(true);
    this.create(WithInit, { rounds: 1, name: "x" }, { name: "given" });
    this.create(Provider);
    this.create(Provider, {}, { name: "given" });
    this.create(OptionalInit);
    this.create(OptionalInit, { rounds: 1 });
    same<InitOf<typeof WithInit>, { rounds: number; name?: string }>(true);
  }

  wrong(): void {
    // @ts-expect-error the init is missing
    this.create(WithInit);
    // @ts-expect-error a field of it is
    this.create(WithInit, {});
    // @ts-expect-error a field is of another type
    this.create(WithInit, { rounds: "1" });
    // @ts-expect-error a field is too many
    this.create(WithInit, { rounds: 1, extra: true });
    // @ts-expect-error an init where none is wanted
    this.create(Provider, { rounds: 1 });
    // @ts-expect-error a component has one init
    this.create(TwoArguments, 1);
    // @ts-expect-error what is created is a component
    this.create(Date);
    // @ts-expect-error an instance is no class
    this.create(this);
  }

  async outside(): Promise<void> {
    const system = await run(WithInit, { rounds: 1 });
    same<typeof system.instance, WithInit>(true);
    await run(Provider);
    // @ts-expect-error the init is missing
    await run(WithInit);
    // @ts-expect-error it is of another type
    await run(WithInit, { rounds: "1" });
    await system.swap("/WithInit-1", WithInit, { rounds: 2 });
    // @ts-expect-error also in a swap
    await system.swap("/WithInit-1", WithInit);
  }
}

class Swaps extends Component {
  readonly one = this.create(StatefulOne);
  readonly exporting = this.create(Imports);
  readonly plain = this.create(NoState);
  readonly init = this.create(WithInit, { rounds: 1 });

  right(): void {
    this.swap(this.one, StatefulOne);
    this.swap(this.one, SameState);
    this.swap(this.one, Imports);
    this.swap(this.one, Migrates);
    this.swap(this.exporting, SameState);
    this.swap(this.plain, OtherState);
    this.swap(this.init, WithInit, { rounds: 2 });
    same<StateOf<StatefulOne>, { count: number }>(true);
    same<StateOf<Imports>, { count: number }>(true);
    same<StateOf<NoState>, never>(true);
  }

  wrong(): void {
    // @ts-expect-error the replacement drops a port
    this.swap(this.one, NoPort);
    // @ts-expect-error it has it on the other side
    this.swap(this.one, OtherDirection);
    // @ts-expect-error it has it with another type
    this.swap(this.one, OtherType);
    // @ts-expect-error nobody takes the state
    this.swap(this.one, NoState);
    // @ts-expect-error the declared state is another one
    this.swap(this.one, OtherState);
    // @ts-expect-error the imported state is another one
    this.swap(this.one, ImportsOther);
    // @ts-expect-error also where it was exported
    this.swap(this.exporting, NoState);
    // @ts-expect-error the init is missing
    this.swap(this.init, WithInit);
  }
}

class Keys extends Component {
  readonly keyed = this.provides(
    PingPong,
    by(Pong, (pong) => pong.n),
  );
  // @ts-expect-error the event has no such field to take the key from
  readonly wrongField = by(Pong, (pong) => pong.to);
  // @ts-expect-error a key is a string, a number or a bigint
  readonly wrongKey = by(Pong, (pong) => ({ n: pong.n }));
}

class Hooks extends Component {
  wrong(): void {
    // @ts-expect-error an async lifecycle handler
    this.onStart(async () => undefined);
    // @ts-expect-error a policy decides at once
    this.onFault(async () => "resume");
    // @ts-expect-error a policy returns one of four things
    this.onFault(() => "ignore");
    // @ts-expect-error a state is an object
    this.declareState(5);
  }
}

describe("the types", () => {
  it("are checked by the compiler: this file compiles with every expected error in its place", () => {
    const classes = [
      Directions,
      Nominal,
      Asks,
      Wires,
      Exposes,
      Around,
      Creates,
      Swaps,
      Keys,
      Hooks,
    ];
    for (const cls of classes) expect(Object.getPrototypeOf(cls)).to.equal(Component);
  });
});
