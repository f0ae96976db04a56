/**
 * What the compiler refuses in a script. Every `@ts-expect-error` here is a test: where the mistake
 * compiles, the directive itself is the error. Nothing of this runs but the last lines.
 */

import { expect } from "chai";
import { Component, port, Timer } from "@kith/core";
import {
  Bill,
  Cache,
  Changed,
  Done,
  Get,
  Heart,
  KeyValue,
  LoudPing,
  Note,
  Order,
  Part,
  Ping,
  Pinger,
  Ponger,
  Pong,
  Pulse,
  Put,
  Shop,
  Value,
} from "./fixtures.test.ts";
import { type Begin, drive, type DrivenPorts, type Script, type Transcript } from "./index.ts";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

const pinger = drive(Pinger, { rounds: 2 });
const ponger = drive(Ponger);
const shop = drive(Shop);
const cache = drive(Cache);
const heart = drive(Heart);

/** Never called: it has only to compile, or not to. */
export function refused(): void {
  // --- beginning -----------------------------------------------------------------------------
  // @ts-expect-error -- the init is missing
  drive(Pinger);
  // @ts-expect-error -- the init has another shape
  drive(Pinger, { round: 2 });
  // @ts-expect-error -- there is no such option
  drive(Pinger, { rounds: 2 }, { sed: 1 });
  // @ts-expect-error -- only components are driven
  drive(Map);
  drive(Ponger);
  drive(Ponger, {}, { seed: 7, name: "P", settings: [], mailboxBound: 10 });

  // --- ports ---------------------------------------------------------------------------------
  // @ts-expect-error -- there is no such port
  pinger.expect("px", Ping);
  // @ts-expect-error -- a field that is no port
  pinger.expect("state", Ping);
  // @ts-expect-error -- the component's own Timer is the kit's business
  heart.expect("timer", Ping);
  heart.expect("beats", Pulse);

  // --- directions ----------------------------------------------------------------------------
  // @ts-expect-error -- pongs arrive at a pinger
  pinger.expect("pp", Pong);
  // @ts-expect-error -- pings leave a pinger
  pinger.inject("pp", new Ping({ n: 1 }));
  // @ts-expect-error -- pings arrive at a ponger
  ponger.expect("pp", Ping);
  // @ts-expect-error -- pongs leave a ponger
  ponger.inject("pp", new Pong({ n: 1 }));
  // @ts-expect-error -- no event of this class passes at all
  shop.expect("counter", Part);
  // @ts-expect-error -- the second of several goes the wrong way
  ponger.inject("pp", new Ping({ n: 1 }), new Pong({ n: 1 }));
  // @ts-expect-error -- pongs never leave, so that forbidding them says nothing
  pinger.forbid("pp", Pong);
  // @ts-expect-error -- nor can they be allowed
  pinger.allow("pp", Pong);
  ponger.inject("pp", new LoudPing({ n: 1, volume: 2 }));
  pinger.expect("pp", LoudPing, { volume: 3, n: 1 });
  shop
    .expect("counter", Note)
    .expect("store", Note)
    .inject("counter", new Order({ items: [] }));

  // --- matchers ------------------------------------------------------------------------------
  // @ts-expect-error -- no such field
  pinger.expect("pp", Ping, { m: 1 });
  // @ts-expect-error -- the field is a number
  pinger.expect("pp", Ping, { n: "1" });
  // @ts-expect-error -- the predicate says nothing
  pinger.expect("pp", Ping, (ping) => void ping.n);
  // @ts-expect-error -- nor may it be async
  pinger.expect("pp", Ping, async (ping) => ping.n === 1);
  // @ts-expect-error -- the nested field has another shape
  shop.expect("store", Part, { at: { row: 1 } });
  pinger.expect("pp", Ping, (ping) => holds<Same<typeof ping, Ping>>() ?? ping.n === 1);
  // @ts-expect-error -- no class
  pinger.expect("pp", new Ping({ n: 1 }));

  // --- requests of the component ---------------------------------------------------------------
  // @ts-expect-error -- a request is expected by expectRequest
  cache.expect("below", Get);
  // @ts-expect-error -- nothing is asked at a provided port
  cache.expectRequest("kv", Get);
  // @ts-expect-error -- an event is not a request
  pinger.expectRequest("pp", Ping);
  // @ts-expect-error -- no reply before a request was expected
  cache.reply(new Value({ value: null }));
  // @ts-expect-error -- no statement before it is said what becomes of the request
  cache.expectRequest("below", Get).expect("kv", Changed);
  // @ts-expect-error -- nor does the script run
  cache.expectRequest("below", Get).run();
  const replied = cache.expectRequest("below", Get).reply(new Value({ value: null }));
  // @ts-expect-error -- one reply is enough
  replied.reply(new Value({ value: null }));
  // @ts-expect-error -- a Get is answered by a Value
  cache.expectRequest("below", Get).reply(new Done());
  // @ts-expect-error -- also where a function makes the response
  cache.expectRequest("below", Get).reply(() => new Done());
  cache.expectRequest("below", Put).reply((put) => (put.value === "" ? new Done() : new Done()));
  // @ts-expect-error -- the script asks at provided ports only
  cache.ask("below", new Get({ key: "a" }));
  // @ts-expect-error -- a request is asked, not injected
  cache.inject("kv", new Get({ key: "a" }));
  // @ts-expect-error -- an event is injected, not asked
  ponger.ask("pp", new Ping({ n: 1 }));

  // --- replies that come later -----------------------------------------------------------------
  const later = cache.expectRequest("below", Get).replyLater("first");
  // @ts-expect-error -- no request was kept under this name
  later.replyTo("second", new Value({ value: null }));
  // @ts-expect-error -- none was kept at all
  cache.replyTo("first", new Value({ value: null }));
  // @ts-expect-error -- the kept request is answered by a Value
  later.replyTo("first", new Done());
  // @ts-expect-error -- it was answered already
  later.replyTo("first", new Value({ value: null })).replyTo("first", new Value({ value: null }));
  // @ts-expect-error -- the name is taken
  later.expectRequest("below", Get).replyLater("first");
  const answered = later.replyTo("first", (get) => new Value({ value: get.key }));
  answered.expectRequest("below", Put).replyLater("first").replyTo("first", new Done());

  // --- answers of the component ----------------------------------------------------------------
  // @ts-expect-error -- an event is no answer
  cache.expectAnswer("kv", Changed);
  // @ts-expect-error -- answers leave at provided ports
  cache.expectAnswer("below", Value);
  // @ts-expect-error -- an answer is no event
  cache.expect("kv", Value);
  // @ts-expect-error -- no such field
  cache.expectAnswer("kv", Value, { valu: null });
  cache.expectAnswer(
    "kv",
    Value,
    (value, get) => holds<Same<typeof get, Get>>() ?? value.value === get.key,
  );

  // --- standing rules --------------------------------------------------------------------------
  // @ts-expect-error -- an event is not answered
  pinger.answerEvery("pp", Ping, new Pong({ n: 1 }));
  // @ts-expect-error -- a Get is answered by a Value
  cache.answerEvery("below", Get, new Done());
  cache.answerEvery("below", Get, (get) => (get.key === "" ? undefined : new Value({ value: "" })));
  cache.allow("below", Get).allow("kv", Value).forbid("kv", Changed);

  // --- blocks ----------------------------------------------------------------------------------
  // @ts-expect-error -- only expectations in any order
  pinger.anyOrder((any) => any.inject("pp", new Pong({ n: 1 })));
  // @ts-expect-error -- no time passes among them
  pinger.anyOrder((any) => any.advance(1));
  // @ts-expect-error -- no rules
  pinger.anyOrder((any) => any.allow("pp", Ping));
  // @ts-expect-error -- no other block
  pinger.anyOrder((any) => any.optional((b) => b.expect("pp", Ping)));
  // @ts-expect-error -- a reply that comes later belongs to the script
  cache.anyOrder((any) => any.expectRequest("below", Get).replyLater("a"));
  const ping = (b: Begin<DrivenPorts<Pinger>>) => b.expect("pp", Ping);
  // @ts-expect-error -- an alternative begins with an expectation
  pinger.either((a) => a.inject("pp", new Pong({ n: 1 })), ping);
  // @ts-expect-error -- there are at least two of them
  pinger.either((a) => a.expect("pp", Ping));
  // @ts-expect-error -- it may not be empty
  pinger.either((a) => a, ping);
  // @ts-expect-error -- what is repeated as it comes begins with an expectation
  pinger.anyNumber((b) => b.advance(1).expect("pp", Ping));
  // @ts-expect-error -- and is not empty
  pinger.atLeast(1, (b) => b);
  // @ts-expect-error -- a block does not run the script
  pinger.block((b) => b.run());
  // @ts-expect-error -- nor looks at the component
  pinger.block((b) => b.check(() => undefined));
  // @ts-expect-error -- a block returns its statements
  pinger.block(() => undefined);
  // @ts-expect-error -- the directions hold in blocks as well
  pinger.optional((b) => b.expect("pp", Pong));
  // @ts-expect-error -- what is optional is not a request without a reply
  cache.optional((b) => b.expectRequest("below", Get));
  pinger.exactly(2, (b, i) => b.inject("pp", new Pong({ n: i })).expect("pp", Ping));
  pinger.anyNumber((b) => b.optional((c) => c.expect("pp", Ping)).inject("pp", new Pong({ n: 1 })));

  // --- the end ---------------------------------------------------------------------------------
  // @ts-expect-error -- a script that has run is not continued
  pinger.run().expect("pp", Ping);
  // @ts-expect-error -- nor run again by its result
  pinger.run().run();

  // --- offering --------------------------------------------------------------------------------
  const Talk = port("Talk", { requests: [Note], indications: [Bill] });
  const offered = ponger.offering("talk", Talk);
  offered
    .expect("talk", Note)
    .inject("talk", new Bill({ sum: 1 }))
    .expect("pp", Pong);
  // @ts-expect-error -- the script stands for the provider
  offered.expect("talk", Bill);
  // @ts-expect-error -- the name is taken by a port of the component
  ponger.offering("pp", Talk);
  // @ts-expect-error -- or by an offer
  offered.offering("talk", Talk);
  // @ts-expect-error -- the world is furnished before the first statement
  ponger.advance(1).offering("talk", Talk);
  offered.offering("kv", KeyValue).expectRequest("kv", Get).noReply();

  // --- the component itself --------------------------------------------------------------------
  pinger.check((component) => void holds<Same<typeof component, Pinger>>());
  // @ts-expect-error -- no such field
  pinger.check((component) => void component.sate);
}

/* Port names are a closed list, which an editor offers. */
type NamesOf<S> = S extends Script<infer _K, infer P, infer _L> ? keyof P : never;
holds<Same<NamesOf<typeof pinger>, "pp">>();
holds<Same<NamesOf<typeof shop>, "counter" | "store">>();
holds<Same<NamesOf<typeof heart>, "beats">>();
holds<Same<ReturnType<typeof pinger.run>, Transcript>>();

describe("the types of scripts", () => {
  it("leave a Timer that the component provides to the script", () => {
    class Clockwork extends Component {
      readonly timer = this.provides(Timer);
    }
    const clockwork = drive(Clockwork);
    holds<Same<NamesOf<typeof clockwork>, "timer">>();
    clockwork.run();
  });

  it("refuse what the directives above say", () => {
    expect(refused).to.be.a("function");
  });
});
