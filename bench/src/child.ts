/** One case in a process of its own: `node child.js SUITE CASE` prints what it measured as JSON. */

import { suites } from "./suites.ts";
import { measure } from "./harness.ts";

const [suite = "", name = ""] = process.argv.slice(2);
const one = suites[suite]?.[name];
if (one === undefined) throw new Error(`there is no case ${suite} / ${name}`);
console.log(JSON.stringify(await measure(one)));
