import { expect } from "chai";
import {
  Component,
  event,
  type InspectionRecord,
  port,
  request,
  ScheduleTimeout,
  timeout,
  Timer,
} from "./index.ts";
import { Note, Notes, prepare, start } from "./kit.test.ts";

class Answer extends event("test/Answer") {}
class Question extends request("test/Question", Answer)<{ n: number }> {}
class Later extends timeout("test/Later") {}
const Quiz = port("Quiz", { requests: [Question], indications: [] });

class Server extends Component {
  readonly quiz = this.provides(Quiz);
  readonly notes = this.provides(Notes);
  constructor() {
    super();
    this.quiz.on(Question, (_, token) => this.quiz.reply(token, new Answer()));
    this.notes.on(Note, ({ n }) => {
      if (n === 13) throw new Error("unlucky");
      if (n > 0) this.notes.trigger(new Note({ n: n - 1 }));
    });
  }
}
class Main extends Component {
  readonly server = this.create(Server);
  readonly quiz = this.requires(Quiz);
  readonly notes = this.requires(Notes);
  readonly timer = this.requires(Timer);
  readonly ask = this.quiz.onAnswer(Question, () =>
    this.timer.trigger(new ScheduleTimeout({ delay: 5, timeout: new Later() })),
  );
  constructor() {
    super();
    this.connect(this.server.ports.quiz, this.quiz);
    this.connect(this.server.ports.notes, this.notes);
    this.notes.on(Note, ({ n }) => n > 0 && this.notes.trigger(new Note({ n: n - 1 })));
    this.timer.on(Later, () => this.notes.trigger(new Note({ n: 0 })));
    this.onFault(() => "resume");
  }
}

function listen(run: ReturnType<typeof start<typeof Main>>): InspectionRecord[] {
  const records: InspectionRecord[] = [];
  run.system.inspect((record) => records.push(record));
  return records;
}
const name = ({ event: carried }: InspectionRecord): string => carried?.constructor.name ?? "";

describe("the inspection stream", () => {
  it("tells time, node, component, port, event and cause", () => {
    const run = start(Main, undefined, { node: "n1" });
    run.world.advance(2);
    const records = listen(run);
    run.do(({ notes }) => notes.trigger(new Note({ n: 1 })));
    expect(records.map((record) => ({ ...record, event: (record.event as Note).n }))).to.deep.equal(
      [
        ["trigger", "/Main-1", "notes", 1, 1, 0],
        ["handle", "/Main-1/Server-1", "notes", 1, 1, 0],
        ["trigger", "/Main-1/Server-1", "notes", 0, 2, 1],
        ["handle", "/Main-1", "notes", 0, 2, 1],
      ].map(([kind, path, portName, carried, id, cause]) => ({
        kind,
        time: 2,
        node: "n1",
        path,
        port: portName,
        event: carried,
        id,
        cause,
        detail: "",
      })),
    );
  });

  it("chains causes over asks and timers, to the end", () => {
    const run = start(Main);
    const records = listen(run);
    run.do(({ ask }) => ask(new Question({ n: 1 })));
    run.world.advance(5);
    const triggered = new Map(
      records.filter(({ kind }) => kind === "trigger").map((record) => [record.id, record]),
    );
    const last = [...triggered.values()].at(-1) as InspectionRecord;
    const chain: string[] = [];
    for (
      let at: InspectionRecord | undefined = last;
      at !== undefined;
      at = triggered.get(at.cause)
    )
      chain.push(name(at));
    expect(chain).to.deep.equal(["Note", "Expired", "ScheduleTimeout", "Answer", "Question"]);
    const handled = records.filter(({ kind }) => kind === "handle").map(name);
    expect(handled).to.deep.equal(["Question", "Answer", "ScheduleTimeout", "Later", "Note"]);
  });

  it("numbers nothing while nobody listens", () => {
    const run = start(Main);
    run.do(({ notes }) => [4, 5, 6].forEach((n) => notes.trigger(new Note({ n }))));
    const records = listen(run);
    run.do(({ notes }) => notes.trigger(new Note({ n: 0 })));
    expect(records[0]?.id).to.equal(1);
  });

  it("takes part from the next event on, and none after its end; two listeners see the same", () => {
    const run = start(Main);
    const a: InspectionRecord[] = [];
    const b: InspectionRecord[] = [];
    const endA = run.system.inspect((record) => a.push(record));
    run.system.inspect((record) => b.push(record));
    run.do(({ notes }) => notes.trigger(new Note({ n: 0 })));
    expect(a).to.deep.equal(b);
    endA();
    run.do(({ notes }) => notes.trigger(new Note({ n: 0 })));
    expect(a).to.have.length(2);
    expect(b).to.have.length(4);
  });

  it("changes nothing: the same run with and without a listener", () => {
    const runOf = (watched: boolean): string[] => {
      const run = prepare(Main);
      if (watched) run.system.inspect(() => undefined);
      run.world.settle();
      const lines: string[] = [];
      run.do(({ notes, ask }) => {
        ask(new Question({ n: 1 }));
        [3, 13, 2].forEach((n) => notes.trigger(new Note({ n })));
      });
      for (let i = 0; i < 10; i++) {
        run.world.advance(1);
        lines.push(run.system.tree(), JSON.stringify(run.system.deadLetters));
      }
      return lines;
    };
    expect(runOf(true)).to.deep.equal(runOf(false));
  });

  it("survives that a listener comes and goes while events are queued", () => {
    const run = start(Main);
    let end: (() => void) | undefined;
    run.do(({ notes }) => {
      notes.trigger(new Note({ n: 3 }));
      end = run.system.inspect(() => undefined);
      notes.trigger(new Note({ n: 3 }));
    });
    run.do(({ notes, ask }) => {
      notes.trigger(new Note({ n: 2 }));
      ask(new Question({ n: 1 }));
      end?.();
      notes.trigger(new Note({ n: 2 }));
    });
    run.world.advance(10);
    expect(run.faults).to.deep.equal([]);
    expect(run.letters).to.deep.equal([]);
  });

  it("tells of births, starts, faults with their cause, dead letters with their number, stops and deaths", () => {
    const run = prepare(Main);
    const records = listen(run);
    run.world.settle();
    expect(records.filter(({ kind }) => kind === "started").map(({ path }) => path)).to.deep.equal([
      "/Timer",
      "/Main-1/Server-1",
      "/Main-1",
      "",
    ]);
    records.length = 0;
    run.do(({ notes }) => notes.trigger(new Note({ n: 13 })));
    const fault = records.find(({ kind }) => kind === "fault");
    expect(fault).to.include({
      path: "/Main-1/Server-1",
      detail: "unlucky",
      cause: records[0]?.id,
    });
    expect(name(fault as InspectionRecord)).to.equal("Note");
    records.length = 0;
    class Late extends Component {
      readonly notes = this.provides(Notes);
    }
    run.do((main) => {
      const child = (main as unknown as { create(cls: typeof Late): unknown }).create(Late);
      (main as unknown as { kill(child: unknown): void }).kill(child);
    });
    expect(records.map(({ kind, path }) => `${kind} ${path}`)).to.include.members([
      "created /Main-1/Late-1",
      "killed /Main-1/Late-1",
    ]);
    records.length = 0;
    void run.system.stop();
    run.world.settle();
    expect(records.filter(({ kind }) => kind === "stopped").map(({ path }) => path)).to.deep.equal([
      "/Main-1/Server-1",
      "/Main-1",
      "/Timer",
      "",
    ]);
    const alone = start(Late);
    const lost: InspectionRecord[] = [];
    alone.system.inspect((record) => lost.push(record));
    alone.do(({ notes }) => notes.trigger(new Note({ n: 1 })));
    expect(lost.map(({ kind, detail, id }) => `${kind} ${detail} ${id}`)).to.deep.equal([
      "trigger  1",
      "dead-letter no-channel 1",
    ]);
  });
});
