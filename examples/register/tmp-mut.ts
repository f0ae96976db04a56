import path from "node:path";
import { runSeed } from "@kith/sim/scenario";
import { Copies, readMutants } from "@kith/testing/planting";
import { fileURLToPath, pathToFileURL } from "node:url";
const folder = fileURLToPath(new URL(".", import.meta.url));
const [table = "mutants.json", pick = "", ...ranges] = process.argv.slice(2);
const copies = new Copies(folder, path.resolve(folder, "../.."));
const froms = ranges.length ? ranges.map(Number) : [1, 1001, 2001, 3001, 4001];
for (const [i, m] of readMutants(path.join(folder, table)).entries()) {
  if (pick && !pick.split(",").includes(String(i))) continue;
  const file = path.join(copies.make(m), "scenarios/register.ts");
  const { register } = await import(pathToFileURL(file).href);
  const found: string[] = [];
  const t = process.cpuUsage();
  let n = 0;
  for (const from of froms) {
    let hit = "-";
    for (let s = from; s < from + 200; s++) {
      n++;
      const f = runSeed(register, s).failure;
      if (f) {
        hit = `${s - from + 1}`;
        break;
      }
    }
    found.push(hit);
    if (hit === "-") break;
  }
  const u = process.cpuUsage(t);
  console.log(i, found.join(" "), ((u.user + u.system) / 1e6 / n).toFixed(3), m.what);
}
copies.remove();
