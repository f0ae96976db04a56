import { expect } from "chai";
import type { ComponentCore } from "./component-core.ts";
import {
  type AskTimeout,
  CancelTimeout,
  type Child,
  Component,
  event,
  port,
  type ReplyToken,
  request,
  ScheduleTimeout,
  setting,
  SettingChanged,
  Timer,
} from "./index.ts";
import { codeOf, instanceAt, prepare, start } from "./kit.test.ts";

class Value extends event("test/Value")<{ value: string }> {}
class Wrong extends event("test/Wrong") {}
class Get extends request("test/Get", Value)<{ key: string }> {}
class Tell extends event("test/Tell")<{ text: string }> {}
const Store = port("Store", { requests: [Get, Tell] });

/** Keeps the tokens of what it is asked, to be answered by the test. */
class Keeper extends Component {
  readonly store = this.provides(Store);
  readonly tokens: ReplyToken<Value>[] = [];
  constructor() {
    super();
    this.store.on(Get, (_, token) => void this.tokens.push(token));
    last = this;
  }
  answer(value: string, at = 0): void {
    this.enter(() => this.store.reply(this.tokens[at] as ReplyToken<Value>, new Value({ value })));
  }
  answerWrongly(): void {
    this.enter(() => this.store.reply(this.tokens[0] as ReplyToken<Value>, new Wrong() as never));
  }
}

let last: Keeper | undefined;
const keeper = (): Keeper => last as Keeper;

class Asker extends Component {
  readonly store = this.requires(Store);
  readonly answers: string[] = [];
  readonly get = this.store.onAnswer(
    Get,
    (answer, { key }, context: { tag: string } | undefined) => {
      this.answers.push(
        `${key} ${"value" in answer ? answer.value : `none in ${answer.timeout}`} ${context?.tag ?? "-"}`,
      );
    },
  );
}

class Main extends Asker {
  readonly keeper = this.create(Keeper);
  constructor() {
    super();
    this.connect(this.keeper.ports.store, this.store);
  }
  dismiss(): void {
    this.kill(this.keeper);
  }
}

const ask = (main: Main, key = "k", timeout?: number): void =>
  main.get(new Get({ key }), {
    context: { tag: "t" },
    ...(timeout === undefined ? {} : { timeout }),
  });

describe("a request", () => {
  it("is answered at once, and the continuation gets the answer, the request and the context", () => {
    class Prompt extends Component {
      readonly store = this.provides(Store);
      constructor() {
        super();
        this.store.on(Get, ({ key }, token) =>
          this.store.reply(token, new Value({ value: `${key}!` })),
        );
      }
    }
    class Direct extends Asker {
      constructor() {
        super();
        this.connect(this.create(Prompt).ports.store, this.store);
      }
    }
    const run = start(Direct);
    run.do((main) => {
      main.get(new Get({ key: "a" }), { context: { tag: "x" } });
      main.get(new Get({ key: "b" }), { context: undefined });
    });
    expect(run.system.instance.answers).to.deep.equal(["a a! x", "b b! -"]);
  });

  it("is answered later, and in any order", () => {
    const run = start(Main);
    run.do((main) => {
      ask(main, "a");
      ask(main, "b");
    });
    keeper().answer("2", 1);
    keeper().answer("1", 0);
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["b 2 t", "a 1 t"]);
  });

  it("has a token that is plain data", () => {
    const run = start(Main);
    run.do((main) => ask(main));
    const copy = JSON.parse(JSON.stringify(keeper().tokens[0])) as ReplyToken<Value>;
    run.system.enter(
      () => keeper().store.reply(copy, new Value({ value: "copied" })),
      "/Main-1/Keeper-1",
    );
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["k copied t"]);
  });

  it("gives its handler no token where it is no request", () => {
    const tokens: unknown[] = [];
    class Listener extends Component {
      readonly store = this.provides(Store);
      readonly own = this.requires(Store);
      constructor() {
        super();
        this.connect(this.store, this.own);
        this.store.on(Tell, (_, token) => void tokens.push(token));
      }
    }
    start(Listener).do((main) => main.own.trigger(new Tell({ text: "x" })));
    expect(tokens).to.have.length(1);
    expect(tokens[0] ?? undefined).to.equal(undefined);
  });
});

describe("answers that nobody waits for are dead letters", () => {
  const letters = (run: { letters: { reason: string }[] }): string[] =>
    run.letters.map(({ reason }) => reason);

  it("a second one", () => {
    const run = start(Main);
    run.do((main) => ask(main));
    keeper().answer("first");
    keeper().answer("second");
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["k first t"]);
    expect(letters(run)).to.deep.equal(["no-asker"]);
  });

  it("a second one while the first is still queued", () => {
    const run = start(Main);
    run.do((main) => ask(main));
    run.system.enter(() => {
      for (const value of ["first", "second"])
        keeper().store.reply(keeper().tokens[0] as ReplyToken<Value>, new Value({ value }));
    }, "/Main-1/Keeper-1");
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["k first t"]);
    expect(letters(run)).to.deep.equal(["no-asker"]);
  });

  it("one that comes after the timeout", () => {
    const run = start(Main);
    run.do((main) => ask(main, "k", 100));
    run.world.advance(100);
    keeper().answer("late");
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["k none in 100 t"]);
    expect(letters(run)).to.deep.equal(["no-asker"]);
  });

  it("one to an asker that is gone", () => {
    class Owner extends Component {
      readonly keeper = this.create(Keeper);
      readonly asker = this.create(Asker);
      constructor() {
        super();
        this.connect(this.keeper.ports.store, this.asker.ports.store);
      }
      dismiss(): void {
        this.kill(this.asker);
      }
    }
    const run = start(Owner);
    run.system.enter(
      () =>
        (run.system.instance.asker as unknown as { core: { instance: Asker } }).core.instance.get(
          new Get({ key: "k" }),
          { context: undefined },
        ),
      "/Owner-1/Asker-1",
    );
    run.world.settle();
    run.do((main) => main.dismiss());
    keeper().answer("orphan");
    run.world.settle();
    expect(letters(run)).to.deep.equal(["no-asker"]);
  });

  it("one for a token that was never given", () => {
    const run = start(Main);
    for (const token of [{ asker: 999, ask: 1 }, { asker: 1, ask: 999 }, {}, null, undefined]) {
      run.system.enter(
        () => keeper().store.reply(token as never, new Value({ value: "x" })),
        "/Main-1/Keeper-1",
      );
    }
    run.world.settle();
    expect(letters(run)).to.deep.equal(Array(5).fill("no-asker"));
    expect(run.faults).to.deep.equal([]);
  });
});

describe("asking", () => {
  it("nobody is an error: unconnected, filtered, without handler or killed", () => {
    const codes: string[] = [];
    class Deaf extends Component {
      readonly store = this.provides(Store);
    }
    class Filtered extends Asker {
      readonly keeper = this.create(Keeper);
      readonly deaf = this.create(Deaf);
      constructor() {
        super();
        this.connect(this.keeper.ports.store, this.store, { filter: { requests: () => false } });
        this.connect(this.deaf.ports.store, this.store);
      }
    }
    start(Filtered).do((main) =>
      codes.push(codeOf(() => main.get(new Get({ key: "k" }), { context: undefined }))),
    );
    const run = start(Main);
    run.do((main) => main.dismiss());
    run.do((main) => codes.push(codeOf(() => ask(main))));
    expect(codes).to.deep.equal(["KITH_ASK_NO_RECEIVER", "KITH_ASK_NO_RECEIVER"]);
  });

  it("several is an error, and none of them is asked", () => {
    const run = start(
      class extends Main {
        constructor() {
          super();
          this.connect(this.create(Keeper).ports.store, this.store);
        }
      },
    );
    let code = "";
    run.do((main) => (code = codeOf(() => ask(main))));
    expect(code).to.equal("KITH_ASK_MANY_RECEIVERS");
    expect(keeper().tokens).to.deep.equal([]);
  });

  it("takes the one provider that a filter leaves", () => {
    const run = start(
      class extends Asker {
        constructor() {
          super();
          this.connect(this.create(Keeper).ports.store, this.store, {
            filter: { requests: () => false },
          });
          this.connect(this.create(Keeper).ports.store, this.store);
        }
      },
    );
    run.do((main) => main.get(new Get({ key: "k" }), { context: undefined }));
    keeper().answer("chosen");
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["k chosen -"]);
  });

  it("carries plain data as context, copied when it is given", () => {
    const run = start(Main);
    const context = { tag: "before" };
    const codes: string[] = [];
    run.do((main) => {
      main.get(new Get({ key: "k" }), { context });
      context.tag = "after";
      codes.push(
        codeOf(() => main.get(new Get({ key: "k" }), { context: { tag: (() => 1) as never } })),
      );
      codes.push(codeOf(() => main.get(new Get({ key: "k" }), { context: new Date(0) as never })));
    });
    keeper().answer("v");
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["k v before"]);
    expect(codes).to.deep.equal(["KITH_NOT_PLAIN", "KITH_NOT_PLAIN"]);
  });

  it("declares one continuation for each request class, and only for requests of the port", () => {
    class Twice extends Component {
      readonly store = this.requires(Store);
      readonly codes = [
        codeOf(() => this.store.onAnswer(Get, () => undefined)),
        codeOf(() => this.store.onAnswer(Get, () => undefined)),
        codeOf(() => this.store.onAnswer(Value as never, () => undefined)),
      ];
      constructor() {
        super();
        this.connect(this.create(Keeper).ports.store, this.store);
      }
    }
    expect(start(Twice).system.instance.codes).to.deep.equal([
      "",
      "KITH_BAD_ARGUMENT",
      "KITH_BAD_EVENT",
    ]);
  });

  it("refuses an answer of the wrong class: a fault of the replier, and the asker still waits", () => {
    const run = start(
      class extends Main {
        constructor() {
          super();
          this.onFault(() => "resume");
        }
      },
    );
    run.do((main) => ask(main));
    const messages: string[] = [];
    run.system.inspect((record) => record.kind === "fault" && messages.push(record.detail));
    keeper().answerWrongly();
    run.world.settle();
    expect(messages.join()).to.match(
      /provided port store \(Store\) of \/.*Keeper-1 answered Get with Wrong, not Value.*KITH_BAD_RESPONSE/,
    );
    keeper().answer("right");
    run.world.settle();
    expect(run.system.instance.answers).to.deep.equal(["k right t"]);
  });
});

describe("the timeout of an ask", () => {
  it("is one of the answers, in time and not before", () => {
    const run = start(Main);
    run.do((main) => ask(main, "k", 100));
    run.world.advance(99.999);
    expect(run.system.instance.answers).to.deep.equal([]);
    run.world.advance(0.001);
    expect(run.system.instance.answers).to.deep.equal(["k none in 100 t"]);
  });

  it("does not come after an answer, nor twice", () => {
    const run = start(Main);
    run.do((main) => ask(main, "k", 100));
    keeper().answer("v");
    run.world.advance(1000);
    expect(run.system.instance.answers).to.deep.equal(["k v t"]);
    expect(run.letters).to.deep.equal([]);
  });

  it("yields to an answer that came in time and is still queued", () => {
    const run = start(Main);
    run.do((main) => ask(main, "k", 100));
    run.world.clock.advance(100);
    keeper().answer("v");
    run.world.advance(0);
    expect(run.system.instance.answers).to.deep.equal(["k v t"]);
  });

  it("is a class of its own", () => {
    const kinds: string[] = [];
    class Timed extends Component {
      readonly store = this.requires(Store);
      readonly get = this.store.onAnswer(
        Get,
        (answer: Value | AskTimeout) => void kinds.push(answer.constructor.name),
      );
      constructor() {
        super();
        this.connect(this.create(Keeper).ports.store, this.store);
        this.onStart(() => this.get(new Get({ key: "k" }), { timeout: 5 }));
      }
    }
    start(Timed).world.advance(5);
    expect(kinds).to.deep.equal(["AskTimeout"]);
  });

  it("needs a Timer, and says so; nothing is asked then", () => {
    const run = prepare(Main, undefined, { timer: false });
    let code = "";
    run.do((main) => (code = codeOf(() => ask(main, "k", 100))));
    expect(code).to.equal("KITH_NO_TIMER");
    expect(keeper().tokens).to.deep.equal([]);
  });

  it("must be a duration", () => {
    const run = start(Main);
    const codes: string[] = [];
    run.do((main) => {
      for (const timeout of [-1, NaN]) codes.push(codeOf(() => ask(main, "k", timeout)));
    });
    expect(codes).to.deep.equal(["KITH_BAD_ARGUMENT", "KITH_BAD_ARGUMENT"]);
  });
});

describe("the timeout of an ask", () => {
  it("is told also where the answer, kept too long, finds a full mailbox", () => {
    class Full extends Component {
      readonly store = this.requires(Store);
      readonly tells = this.provides(Store);
      readonly seen: string[] = [];
      readonly get = this.store.onAnswer(Get, (answer) => {
        this.seen.push("value" in answer ? answer.value : `none in ${answer.timeout}`);
      });
      constructor() {
        super();
        this.tells.on(Tell, ({ text }) => {
          if (text === "ask") this.get(new Get({ key: "k" }), { timeout: 10 });
        });
      }
    }
    class Owner extends Component {
      readonly keeper = this.create(Keeper);
      readonly full = this.create(Full, {}, { mailboxBound: 4, onFault: () => "resume" });
      readonly tells = this.requires(Store);
      readonly channel = this.connect(this.keeper.ports.store, this.full.ports.store);
      constructor() {
        super();
        this.connect(this.full.ports.tells, this.tells);
      }
      tell(text: string, times = 1): void {
        for (let n = 0; n < times; n++) this.tells.trigger(new Tell({ text }));
      }
      fillAndResume(): void {
        this.tell("other", 4);
        this.channel.resume();
      }
    }
    const run = start(Owner);
    run.do((main) => main.tell("ask"));
    run.do((main) => main.channel.hold());
    keeper().answer("late");
    run.world.advance(10);
    run.do((main) => main.fillAndResume());
    expect(instanceAt<Full>(run.system, "/Owner-1/Full-1").seen).to.deep.equal(["none in 10"]);
    expect(run.faults).to.deep.equal([]);
    expect(run.letters.map(({ reason }) => reason)).to.deep.equal(["mailbox-overflow"]);
  });

  it("needs no more than one port of the kernel, however often the Timer goes and comes", () => {
    class StillTimer extends Component {
      readonly timer = this.provides(Timer);
      constructor() {
        super();
        this.timer.on(ScheduleTimeout, () => undefined);
        this.timer.on(CancelTimeout, () => undefined);
      }
    }
    class Inner extends Main {
      constructor() {
        super();
        this.control.on(SettingChanged, () => ask(this, "k", 10));
      }
    }
    const again = setting.integer("ask.again", 0);
    class Owner extends Component {
      readonly inner = this.create(Inner);
      round = 0;
      timer: Child | null = null;
      renew(): void {
        if (this.timer !== null) this.kill(this.timer);
        const child = this.create(StillTimer);
        this.timer = child;
        this.offers(child.ports.timer);
      }
      again(): void {
        this.configure(again.of(++this.round));
      }
    }
    const run = start(Owner, {}, { timer: false });
    for (let n = 0; n < 5; n++) {
      run.do((main) => main.renew());
      run.do((main) => main.again());
    }
    expect(run.faults).to.deep.equal([]);
    expect(run.system.tree().match(/kernel timer/g)).to.have.length(1);
  });

  it("is taken back as soon as the answer has come", () => {
    const run = start(Main);
    run.do((main) => ask(main, "k", 10));
    keeper().answer("v");
    run.world.settle();
    const { pending } = (run.system.main as unknown as { core: ComponentCore }).core;
    expect(run.system.instance.answers).to.have.length(1);
    expect(pending.rows.size).to.equal(0);
  });
});
