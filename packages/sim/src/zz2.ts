import { Component, Timer, timeout, SchedulePeriodic } from "@kith/core";
import { message, Network } from "@kith/network";
import { simulate } from "./index.ts";
class Tick extends timeout("t/Tick") {}
class Ping extends message("t/Ping")<{ n: number }> {}
class Pong extends message("t/Pong")<{ n: number }> {}
class Main extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  pongs = 0; pings = 0;
  constructor(init: { nodes: number }) { super();
    const { nodes } = init; const d = this.random("to");
    this.timer.on(Tick, () => { this.pings++; this.net.trigger(new Ping({ to: peer(d.below(nodes)), n: this.pings })); });
    this.net.on(Ping, (p) => this.net.trigger(new Pong({ to: p.from, n: p.n })));
    this.net.on(Pong, () => { this.pongs++; });
    this.onStart(() => this.timer.trigger(new SchedulePeriodic({ period: 1000, delay: this.random("x").below(1000), timeout: new Tick() }))); }
}
const peer = (i: number) => ({ peerId: i + 1, host: `n${i + 1}`, port: 7000, incarnation: 1 });
const [mode = "stream", codec = "off", count = "64"] = process.argv.slice(2);
const nodes = Number(count);
const w = simulate(Main, { seed: 42, nodes, init: { nodes }, codec: codec === "on", transport: mode === "stream" ? "stream" : "datagram" });
w.runFor(3000);
const steps = w.steps; const S = Math.ceil(400000 / nodes);
const t = process.cpuUsage();
w.runFor(S * 1000);
const d = process.cpuUsage(t); const us = d.user + d.system;
console.log(mode, "codec", codec, nodes, w.hash, "steps", w.steps - steps, (us * 1000 / (w.steps - steps)).toFixed(0), "ns/step", (S / (us / 1e6)).toFixed(0), "simsec/cpusec", (us / (S * nodes)).toFixed(2), "µs per node-second");
