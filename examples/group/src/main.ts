/**
 * The group in processes of its own. With `--id` this is one member; without, it starts three of them, writes and reads
 * through a client, kills the leader with -9, goes on, and starts it again on its data.
 */

import { parseArgs } from "node:util";
import { type LogRecord, run } from "@kith/core";
import { parseAddress } from "@kith/network";
import { real, stopOnSignals } from "@kith/node";
import { Member } from "./member.ts";
import { startProcesses } from "./processes.ts";
import { User } from "./user.ts";

const { values } = parseArgs({
  options: {
    id: { type: "string" },
    listen: { type: "string", default: "127.0.0.1:7000" },
    data: { type: "string", default: "data" },
    found: { type: "string" },
    // Ends with its standard input, that is, with whoever has started it.
    attached: { type: "boolean", default: false },
  },
});
if (values.id === undefined) await demonstrate();
else await member(Number(values.id));

/** That a peer is not there, or knows other messages, is what this is about. */
function errorsOnly({ level, text, path }: LogRecord): void {
  if (level === "error") console.error(`${path}: ${text}`);
}

/** One member. Prints a line when it is up, and one whenever it comes to lead. */
async function member(peerId: number): Promise<void> {
  const founders = values.found?.split(",").map((text) => {
    const [id, address = ""] = text.split("@");
    return { peerId: Number(id), ...parseAddress(address) };
  });
  const world = real({ peerId, listen: values.listen, data: values.data, log: errorsOnly });
  const init = founders === undefined ? {} : { founders };
  const system = await run(Member, init, world);
  stopOnSignals(system);
  if (values.attached) process.stdin.on("end", () => void system.stop()).resume();
  console.log(`up, life ${world.peer.incarnation}`);
  let led = false;
  const look = setInterval(() => {
    const { leads, halted } = system.instance;
    if (halted !== null) console.error(`member ${peerId} has halted: ${halted}`);
    if (leads && !led) console.log("leads");
    led = leads;
  }, 50);
  await system.done.finally(() => {
    clearInterval(look);
    process.stdin.destroy();
  });
}

/** Three members, one of which does not live through it. */
async function demonstrate(): Promise<void> {
  const processes = await startProcesses({
    line: (index, line) => console.log(`member ${index + 1}: ${line}`),
  });
  const system = await run(User, { members: processes.members }, real({ log: errorsOnly }));
  const user = system.instance;
  const put = (value: string): Promise<unknown> =>
    user.do({ op: "write", key: "greeting", value: new TextEncoder().encode(value) });
  try {
    await put("hello");
    const leader = user.target - 1;
    console.log(`member ${leader + 1} leads and is killed`);
    await processes.kill(leader);
    const begin = performance.now();
    await put("hello again");
    console.log(`written after ${Math.round(performance.now() - begin)} ms`);
    processes.start(leader);
    const { value } = await user.look("greeting");
    console.log(`read: ${new TextDecoder().decode(value ?? undefined)}`);
  } finally {
    await system.stop();
    await processes.close();
  }
}
