/**
 * Checkpoints of one system: what the kernel's tables hold, taken between any two turns and restored
 * into a new system, which then does what the original does.
 */

import { expect } from "chai";
import type { Channel } from "./channel.ts";
import type { Child } from "./child.ts";
import { checkpointSystem, runnablesOf } from "./checkpoint.ts";
import type { SystemCheckpoint } from "./checkpoint-data.ts";
import { Component } from "./component.ts";
import { setting } from "./config.ts";
import { KithError } from "./errors.ts";
import { event, request } from "./event.ts";
import { restart } from "./fault.ts";
import { by, port, type ReplyToken } from "./port.ts";
import { restoreSystem } from "./restore.ts";
import { ReadyQueue, type Runnable, type Scheduler } from "./scheduler.ts";
import { ManualClock } from "./manual-scheduler.ts";
import { launch, type System } from "./system.ts";
import type { World } from "./world.ts";

class Work extends event("core-cp/Work")<{ readonly n: number }> {}
class Done extends event("core-cp/Done")<{ readonly key: number; readonly n: number }> {}
class Got extends event("core-cp/Got")<{ readonly n: number }> {}
class Get extends request("core-cp/Get", Got)<{ readonly n: number }> {}
const Works = port("Works", { requests: [Work, Get], indications: [Done, Got] });

/** First come, first served; says who waits, and can be silent. */
class Queue implements Scheduler {
  readonly clock = new ManualClock();
  muted = false;
  readonly #queue = new ReadyQueue();
  readonly waiting: Runnable[] = [];

  ready(runnable: Runnable): void {
    if (this.muted) return;
    this.#queue.add(runnable);
    this.waiting.push(runnable);
  }

  step(): boolean {
    if (this.#queue.size === 0) return false;
    const runnable = this.#queue.take();
    this.waiting.shift();
    if (runnable.run(1)) this.ready(runnable);
    return true;
  }
}

const level = setting.integer("core-cp.level", 1);

class Worker extends Component {
  readonly works = this.provides(
    Works,
    by(Done, (done) => done.key),
  );
  readonly state = this.declareState<{ seen: number[]; open: ReplyToken<Got>[] }>({
    seen: [],
    open: [],
  });

  constructor() {
    super();
    const draw = this.random("work");
    this.works.on(Work, ({ n }) => {
      if (n === 7) throw new Error("seven");
      this.state.seen.push(n * this.setting(level), draw.below(1000));
      this.works.trigger(new Done({ key: n % 3, n }));
    });
    this.works.on(Get, ({ n }, token) => {
      this.state.open.push(token);
      // Answers late, and out of order.
      if (n % 2 === 0) return;
      for (const one of this.state.open.reverse()) this.works.reply(one, new Got({ n }));
      this.state.open = [];
    });
  }
}

class Client extends Component {
  readonly works = this.requires(Works);
  readonly state = this.declareState<{ seen: string[] }>({ seen: [] });

  constructor(init: { readonly name: string }) {
    super();
    const get = this.works.onAnswer(Get, (answer, asked, context: { readonly to: string }) => {
      if (answer instanceof Got) this.state.seen.push(`${context.to} ${asked.n}=${answer.n}`);
    });
    this.works.on(Done, ({ n }) => {
      this.state.seen.push(`${init.name} ${n}`);
      if (n < 25) this.works.trigger(new Work({ n: n + 3 }));
      if (n < 25) get(new Get({ n }), { context: { to: init.name } });
    });
    this.onStart(() => this.works.trigger(new Work({ n: Number(init.name) })));
  }
}

class Boss extends Component {
  #channel: Channel | null = null;
  readonly worker = this.create(Worker, {}, { onFault: () => "resume" });
  readonly clients = [0, 1, 2].map((key) => this.#client(key));
  readonly state = this.declareState<{ told: number; holding: boolean }>({
    told: 0,
    holding: false,
  });

  constructor() {
    super();
    this.onFault(() => restart());
    this.onStart(() => void this.state.told++);
  }

  #client(key: number): Child<Client> {
    const client = this.create(Client, { name: String(key) }, { name: `client${key}` });
    const channel = this.connect(this.worker.ports.works, client.ports.works, { key });
    if (key === 2) this.#channel = channel;
    return client;
  }

  hold(): void {
    this.#channel?.hold();
  }

  resume(): void {
    this.#channel?.resume();
  }

  raise(): void {
    this.configure(level.of(3));
  }
}

function world(scheduler: Queue): World {
  return { scheduler, seed: 3, log: () => undefined };
}

interface Run {
  readonly queue: Queue;
  readonly system: System<Boss>;
}

function begin(): Run {
  const queue = new Queue();
  return { queue, system: launch(Boss, undefined, world(queue)) };
}

/** The script of a run: what the test does at a step. */
function script({ system }: Run, step: number): void {
  if (step === 24) system.enter(() => system.instance.hold());
  if (step === 30) system.enter(() => system.instance.raise());
  if (step === 60) system.enter(() => system.instance.resume());
}

function goOn(run: Run, from: number): string {
  for (let step = from; ; step++) {
    script(run, step);
    if (!run.queue.step() && step > 70) break;
  }
  const { states, counters } = checkpointSystem(run.system as unknown as System);
  return JSON.stringify([states, counters]);
}

function again(checkpoint: SystemCheckpoint, waiting: readonly string[]): Run {
  const queue = new Queue();
  queue.muted = true;
  const system = restoreSystem(Boss, undefined, world(queue), checkpoint);
  queue.muted = false;
  const runnables = runnablesOf(system as unknown as System);
  for (const path of waiting) {
    const found = runnables.find((one) => one.path === path);
    if (found !== undefined) queue.ready(found);
  }
  return { queue, system };
}

describe("a checkpoint of a system", () => {
  it("goes on from every turn to the same end: asks, holds, keys, draws, settings, faults", () => {
    const wanted = goOn(begin(), 0);
    expect(wanted).contain("2 26");
    const run = begin();
    let taken = 0;
    for (let step = 0; step < 120; step++) {
      let checkpoint: SystemCheckpoint | null = null;
      try {
        checkpoint = checkpointSystem(run.system as unknown as System);
      } catch (error) {
        expect(error).instanceOf(KithError).with.property("code", "KITH_CHECKPOINT_BUSY");
      }
      if (checkpoint !== null) {
        taken++;
        const waiting = run.queue.waiting.map(({ path }) => path);
        expect(goOn(again(checkpoint, waiting), step), `from step ${step}`).equal(wanted);
      }
      script(run, step);
      run.queue.step();
    }
    expect(taken).greaterThan(100);
    expect(goOn(run, 120)).equal(wanted);
  });

  it("shares no state with the systems that are restored from it", () => {
    const run = begin();
    for (let step = 0; step < 20; step++) run.queue.step();
    const checkpoint = checkpointSystem(run.system as unknown as System);
    const first = again(checkpoint, []).system.instance;
    const second = again(checkpoint, []).system.instance;
    first.state.told = 99;
    expect([second.state.told, run.system.instance.state.told]).deep.equal([1, 1]);
  });

  it("is refused in the midst of a turn", () => {
    const run = begin();
    let code = "";
    run.system.enter(() => {
      try {
        checkpointSystem(run.system as unknown as System);
      } catch (error) {
        if (error instanceof KithError) code = error.code;
      }
    });
    for (let step = 0; step < 40; step++) run.queue.step();
    expect(code).equal("KITH_CHECKPOINT_BUSY");
  });
});
