import { expect } from "chai";
import {
  Component,
  event,
  HighWater,
  LowWater,
  port,
  request,
  ScheduleTimeout,
  timeout,
  Timer,
} from "./index.ts";
import { codeOf, errorCode, instanceAt, Note, Notes, start } from "./kit.test.ts";

class Answer extends event("test/Answer") {}
class Question extends request("test/Question", Answer) {}
const Quiz = port("Quiz", { requests: [Question] });
class Soon extends timeout("test/Soon") {}

let log: string[] = [];
beforeEach(() => void (log = []));

class Sink extends Component {
  readonly notes = this.provides(Notes);
  readonly numbers: number[] = [];
  constructor() {
    super();
    this.notes.on(Note, ({ n }) => void this.numbers.push(n));
    this.control.on(
      HighWater,
      ({ path, size, bound }) => void log.push(`sink: high ${path} ${size}/${bound}`),
    );
    this.control.on(LowWater, ({ size }) => void log.push(`sink: low ${size}`));
  }
  knock(): void {
    this.enter(() => void this.numbers.push(-1));
  }
}

function bounded(mailboxBound: number) {
  class Main extends Component {
    readonly sink = this.create(Sink, {}, { name: "sink", mailboxBound });
    readonly out = this.requires(Notes);
    constructor() {
      super();
      this.connect(this.sink.ports.notes, this.out);
      this.onFault(({ cause, path, event: lost }) => {
        log.push(`fault ${errorCode(cause)} ${path} ${(lost as Note | undefined)?.n}`);
        return "resume";
      });
      this.control.on(HighWater, ({ path }) => void log.push(`main: high ${path}`));
      this.control.on(LowWater, ({ path }) => void log.push(`main: low ${path}`));
    }
    send(from: number, to: number): void {
      for (let n = from; n <= to; n++) this.out.trigger(new Note({ n }));
    }
  }
  const run = start(Main);
  const outside: string[] = [];
  run.system.events.on("highWater", (path, size) => outside.push(`high ${path} ${size}`));
  run.system.events.on("lowWater", (path, size) => outside.push(`low ${path} ${size}`));
  return { run, outside, sink: () => instanceAt<Sink>(run.system, "/Main-1/sink") };
}

describe("a mailbox", () => {
  it("is first in, first out, through bursts of any size", () => {
    const { run, sink } = bounded(2 ** 20);
    const sizes = [1, 2, 3, 4, 5, 8, 13, 100, 1, 1024, 1025, 3000, 1, 2];
    let sent = 0;
    for (const size of sizes) {
      run.do((main) => main.send(sent + 1, sent + size));
      sent += size;
    }
    expect(sink().numbers).to.deep.equal(Array.from({ length: sent }, (_, i) => i + 1));
  });

  it("keeps its order where it grows while it is being emptied", () => {
    const { run, sink } = bounded(2 ** 20);
    let last = 0;
    const send = (count: number): void => {
      const first = last + 1;
      last += count;
      run.system.enter(() => run.system.instance.send(first, first + count - 1));
    };
    send(10);
    for (let i = 0; i < 200; i++) {
      run.world.step();
      if (i % 3 === 0) send(3);
    }
    run.world.settle();
    const { numbers } = sink();
    expect(numbers.length).to.be.greaterThan(100);
    expect(numbers).to.deep.equal(numbers.map((_, i) => i + 1));
  });

  it("that overflows is a fault of the receiver, and what did not fit are dead letters", () => {
    const { run, sink } = bounded(10);
    run.do((main) => main.send(1, 12));
    expect(log.filter((line) => line.startsWith("fault"))).to.deep.equal([
      "fault KITH_MAILBOX_OVERFLOW /Main-1/sink 11",
    ]);
    expect(
      run.letters.map(
        ({ reason, path, port: name, event: lost }) =>
          `${reason} ${path} ${name} ${(lost as Note).n}`,
      ),
    ).to.deep.equal([
      "mailbox-overflow /Main-1/sink notes 11",
      "mailbox-overflow /Main-1/sink notes 12",
    ]);
    expect(sink().numbers).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    log = [];
    run.do((main) => main.send(13, 25));
    expect(log.filter((line) => line.startsWith("fault"))).to.have.length(1);
    expect(sink().numbers.slice(10)).to.deep.equal([13, 14, 15, 16, 17, 18, 19, 20, 21, 22]);
  });

  it("signals high water before that, to the component, its parent and outside, and low water after it", () => {
    const { run, outside } = bounded(10);
    run.do((main) => main.send(1, 8));
    expect([log, outside]).to.deep.equal([[], []]);
    run.do((main) => main.send(1, 9));
    expect(log).to.have.members([
      "main: high /Main-1/sink",
      "sink: high /Main-1/sink 8/10",
      "main: low /Main-1/sink",
      "sink: low 4",
    ]);
    expect(outside).to.deep.equal(["high /Main-1/sink 8", "low /Main-1/sink 4"]);
    run.do((main) => main.send(1, 9));
    expect(outside).to.have.length(4);
  });

  it("has the bound of its parent where it is given none, and the world's at the top", () => {
    class Leaf extends Sink {}
    class Main extends Component {
      readonly leaf = this.create(Leaf);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.leaf.ports.notes, this.out);
      }
    }
    const run = start(Main, undefined, { mailboxBound: 3 });
    run.do(({ out }) => [1, 2, 3, 4].forEach((n) => out.trigger(new Note({ n }))));
    expect(run.letters.map(({ reason }) => reason)).to.deep.equal(["mailbox-overflow"]);
    expect(run.faults.map(({ cause }) => errorCode(cause))).to.deep.equal([
      "KITH_MAILBOX_OVERFLOW",
    ]);
  });

  it("wants a bound that is a whole number above zero", () => {
    for (const mailboxBound of [0, -1, 1.5, NaN]) {
      class Main extends Component {
        readonly sink = this.create(Sink, {}, { mailboxBound });
      }
      expect(
        codeOf(() => start(Main)),
        String(mailboxBound),
      ).to.equal("KITH_BAD_ARGUMENT");
    }
  });
});

describe("other bounds", () => {
  it("entries: too many are dead letters and a fault of the component", () => {
    const { run, sink } = bounded(5);
    for (let i = 0; i < 7; i++) sink().knock();
    run.world.settle();
    expect(sink().numbers).to.deep.equal(Array(5).fill(-1));
    expect(log).to.deep.equal(["fault KITH_MAILBOX_OVERFLOW /Main-1/sink undefined"]);
    expect(run.letters.map(({ reason, event: lost }) => `${reason} ${typeof lost}`)).to.deep.equal(
      Array(2).fill("mailbox-overflow undefined"),
    );
  });

  it("entries in great number are taken in order, in linear time", () => {
    const { run, sink } = bounded(2 ** 20);
    const seen: number[] = [];
    for (let i = 0; i < 200_000; i++) run.system.enter(() => void seen.push(i), "/Main-1/sink");
    run.world.settle();
    expect(seen.length).to.equal(200_000);
    expect(seen.every((n, i) => n === i)).to.equal(true);
    expect(sink().numbers).to.deep.equal([]);
  });

  it("asks and timers: more than the bound are an error of the one who asks", () => {
    class Silent extends Component {
      readonly quiz = this.provides(Quiz);
      constructor() {
        super();
        this.quiz.on(Question, () => true);
      }
    }
    class Asker extends Component {
      readonly quiz = this.requires(Quiz);
      readonly timer = this.requires(Timer);
      readonly ask = this.quiz.onAnswer(Question, () => undefined);
      constructor() {
        super();
        this.connect(this.create(Silent).ports.quiz, this.quiz);
      }
      wait(): void {
        this.timer.trigger(new ScheduleTimeout({ delay: 1, timeout: new Soon() }));
      }
    }
    const run = start(Asker, undefined, { mailboxBound: 4 });
    const codes: string[] = [];
    run.do((main) => {
      for (let i = 0; i < 3; i++) main.ask(new Question());
      main.wait();
      codes.push(
        codeOf(() => main.ask(new Question())),
        codeOf(() => main.wait()),
      );
    });
    expect(codes).to.deep.equal(["KITH_PENDING_OVERFLOW", "KITH_PENDING_OVERFLOW"]);
  });

  it("held channels: what does not fit is a dead letter and a fault of the receiver", () => {
    class Main extends Component {
      readonly sink = this.create(Sink, {}, { name: "sink" });
      readonly out = this.requires(Notes);
      readonly channel = this.connect(this.sink.ports.notes, this.out);
      constructor() {
        super();
        this.onFault(
          ({ cause, path }) => (log.push(`fault ${errorCode(cause)} ${path}`), "resume"),
        );
      }
    }
    const run = start(Main, undefined, { holdBound: 3 });
    run.do(({ channel, out }) => {
      channel.hold();
      [1, 2, 3, 4, 5].forEach((n) => out.trigger(new Note({ n })));
    });
    expect(
      run.letters.map(({ reason, event: lost }) => `${reason} ${(lost as Note).n}`),
    ).to.deep.equal(["hold-overflow 4", "hold-overflow 5"]);
    expect(log).to.deep.equal(["fault KITH_HOLD_OVERFLOW /Main-1/sink"]);
    run.do(({ channel }) => channel.resume());
    expect(instanceAt<Sink>(run.system, "/Main-1/sink").numbers).to.deep.equal([1, 2, 3]);
  });
});
