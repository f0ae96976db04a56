import { expect } from "chai";
import {
  Component,
  type DeadLetterReason,
  event,
  launch,
  port,
  type ReplyToken,
  request,
} from "./index.ts";
import { Note, Notes, Other, start } from "./kit.test.ts";

class Answer extends event("test/Answer") {}
class Question extends request("test/Question", Answer) {}
const Quiz = port("Quiz", { requests: [Question] });

class Sink extends Component {
  readonly notes = this.provides(Notes);
  readonly quiz = this.provides(Quiz);
  token: ReplyToken<Answer> | undefined;
  constructor() {
    super();
    this.notes.on(Note, () => true);
    this.quiz.on(Question, (_, token) => {
      this.quiz.reply(token, new Answer());
      this.quiz.reply(token, new Answer());
    });
  }
}
class Main extends Component {
  readonly sink = this.create(Sink, {}, { name: "sink", mailboxBound: 4 });
  readonly out = this.requires(Notes);
  readonly lone = this.provides(Notes);
  readonly quiz = this.requires(Quiz);
  readonly channel = this.connect(this.sink.ports.notes, this.out);
  readonly ask = this.quiz.onAnswer(Question, () => undefined);
  constructor() {
    super();
    this.connect(this.sink.ports.quiz, this.quiz);
    this.onFault(() => "resume");
  }
  send(count = 1): void {
    for (let n = 1; n <= count; n++) this.out.trigger(new Note({ n }));
  }
  remove(): void {
    this.kill(this.sink);
  }
}

describe("dead letters", () => {
  const cases: readonly (readonly [DeadLetterReason, string, (main: Main) => void, number])[] = [
    ["no-channel", "/Main-1 lone", (main) => main.lone.trigger(new Note({ n: 1 })), 1],
    ["no-handler", "/Main-1 out", (main) => main.out.trigger(new Other({ n: 1 })), 1],
    ["killed", "/Main-1/sink notes", (main) => (main.send(3), main.remove()), 3],
    [
      "disconnected",
      "/Main-1/sink notes",
      (main) => (main.channel.hold(), main.send(2), main.channel.disconnect()),
      2,
    ],
    ["unplugged", "/Main-1 out", (main) => (main.channel.unplug("provider"), main.send(2)), 2],
    ["mailbox-overflow", "/Main-1/sink notes", (main) => main.send(6), 2],
    ["no-asker", "/Main-1/sink quiz", (main) => main.ask(new Question()), 1],
  ];
  for (const [reason, place, action, count] of cases) {
    it(`for the reason ${reason} are counted, and emitted with their place`, () => {
      const run = start(Main);
      run.do(action);
      expect(run.letters.map((letter) => letter.reason)).to.deep.equal(Array(count).fill(reason));
      expect(run.letters.map(({ path, port: name }) => `${path} ${name}`)).to.deep.equal(
        Array(count).fill(place),
      );
      expect(run.system.deadLetters).to.deep.equal({ [reason]: count });
      for (const { event: lost } of run.letters) expect(lost).not.to.equal(undefined);
    });
  }

  it("are counted also where nobody listens", () => {
    const run = start(Main);
    const { world } = run;
    const system = launch(Main, {}, world);
    world.settle();
    system.enter(() => [1, 2].forEach((n) => system.instance.lone.trigger(new Note({ n }))));
    world.settle();
    expect(system.deadLetters).to.deep.equal({ "no-channel": 2 });
  });

  it("are none in a run in which everything arrives", () => {
    const run = start(Main);
    run.do((main) => main.send(3));
    void run.system.stop();
    run.world.settle();
    expect(run.system.deadLetters).to.deep.equal({});
  });
});
