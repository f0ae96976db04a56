import { Component, Timer, timeout, SchedulePeriodic } from "@kith/core";
import { message, Network, type PeerRef, ConnectionDown, ConnectionUp, Dropped } from "@kith/network";
import { simulate, loss, twice } from "./index.ts";
class Tick extends timeout("t/Tick") {}
class Ping extends message("t/Ping")<{ n: number }> {}
class Pong extends message("t/Pong")<{ n: number }> {}
class Main extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  pongs = 0; pings = 0; ups=0; downs = 0; dropped = 0;
  constructor(init: { peers: PeerRef[] }) { super();
    const { peers } = init; const d = this.random("to");
    this.timer.on(Tick, () => { this.pings++; this.net.trigger(new Ping({ to: peers[d.below(peers.length)]!, n: this.pings })); });
    this.net.on(Ping, (p) => this.net.trigger(new Pong({ to: p.from, n: p.n })));
    this.net.on(Pong, () => { this.pongs++; });
    this.net.on(ConnectionUp, () => { this.ups++; });
    this.net.on(ConnectionDown, () => { this.downs++; });
    this.net.on(Dropped, () => { this.dropped++; });
    this.onStart(() => this.timer.trigger(new SchedulePeriodic({ period: 1000, delay: this.random("x").below(1000), timeout: new Tick() }))); }
}
const peer = (i: number) => ({ peerId: i + 1, host: `n${i + 1}`, port: 7000, incarnation: 1 });
const sum = (w: any, f: string) => w.nodes.reduce((s: number, n: any) => s + (n.state === "down" ? 0 : n.root[f]), 0);
function build(nodes: number, extra: object = {}) { return simulate(Main, { seed: 42, nodes, init: { peers: Array.from({ length: nodes }, (_, i) => peer(i)) }, ...extra }); }
const t0 = performance.now();
const w = build(20); w.rule(loss(0.01)); w.runFor(60_000);
console.log(w.hash, sum(w, "pings"), sum(w, "pongs"), sum(w, "ups"), sum(w, "downs"), sum(w, "dropped"), w.steps, (performance.now() - t0).toFixed(0), "ms");
w.node(3).crash(); w.runFor(10_000); w.node(3).start(); w.runFor(10_000);
console.log(w.hash, sum(w, "pings"), sum(w, "pongs"), sum(w, "ups"), sum(w, "downs"), sum(w, "dropped"));
console.log(twice(() => build(10), (s) => { s.rule(loss(0.05)); s.runFor(20_000); }));
for (const codec of [false, true]) for (const nodes of [64, 1024]) {
  const w = build(nodes, { codec }); w.runFor(3000);
  const t = process.cpuUsage(); const steps = w.steps; const S = Math.ceil(200000 / nodes);
  w.runFor(S * 1000);
  const d = process.cpuUsage(t); const us = d.user + d.system;
  console.log("codec", codec, nodes, w.hash, "steps", w.steps - steps, (us * 1000 / (w.steps - steps)).toFixed(0), "ns/step", (S / (us / 1e6)).toFixed(0), "simsec/cpusec", sum(w, "pongs"));
}
