import { runSuite } from "@kith/sim/scenario";
import * as all from "./scenarios/register.ts";
const [from, count] = process.argv.slice(2).map(Number);
const t = process.cpuUsage();
const r = runSuite(all.register, { from: from ?? 1, count: count ?? 20 });
const u = process.cpuUsage(t);
console.log(
  r.seeds,
  r.operations,
  r.reached,
  "unstruck",
  r.unstruck,
  "cpu s",
  (u.user + u.system) / 1e6,
);
for (const p of r.problems.slice(0, 10)) console.log(p);
