import { Component, event, port, run } from "@kith/core";

export class Ping extends event("pingpong/Ping")<{ n: number }> {}
export class Pong extends event("pingpong/Pong")<{ n: number }> {}
export const PingPong = port("PingPong", { requests: [Ping], indications: [Pong] });

export class Ponger extends Component {
  readonly pp = this.provides(PingPong);

  constructor() {
    super();
    this.pp.on(Ping, (ping) => this.pp.trigger(new Pong({ n: ping.n })));
  }
}

export class Pinger extends Component {
  readonly pp = this.requires(PingPong);

  constructor(init: { rounds: number }) {
    super();
    this.pp.on(Pong, (pong) => {
      if (pong.n < init.rounds) this.pp.trigger(new Ping({ n: pong.n + 1 }));
      else console.log(`${pong.n} rounds of ping and pong`);
    });
    this.onStart(() => this.pp.trigger(new Ping({ n: 1 })));
  }
}

export class Main extends Component {
  readonly ponger = this.create(Ponger);
  readonly pinger = this.create(Pinger, { rounds: 1000 });

  constructor() {
    super();
    this.connect(this.ponger.ports.pp, this.pinger.ports.pp);
  }
}

await run(Main);
