import { Component, Timer, timeout, SchedulePeriodic } from "@kith/core";
import { simulate } from "./index.ts";
class Tick extends timeout("t/Tick") {}
class Main extends Component {
  readonly timer = this.requires(Timer);
  n = 0;
  constructor() { super(); this.timer.on(Tick, () => { this.n++; }); this.onStart(() => this.timer.trigger(new SchedulePeriodic({ period: 1000, delay: this.random("x").below(1000), timeout: new Tick() }))); }
}
for (const nodes of [64,1024]) {
const w = simulate(Main, { seed: 42, nodes });
w.boot(); w.runFor(2000);
const t = process.cpuUsage(); const steps=w.steps; const S=Math.ceil(400000/nodes);
w.runFor(S*1000);
const d = process.cpuUsage(t); const us=(d.user+d.system);
console.log(nodes, w.hash, w.node(3).root.n, "steps", w.steps-steps, (us*1000/(w.steps-steps)).toFixed(0),"ns/step", (S/(us/1e6)).toFixed(0), "simsec/cpusec");
}
