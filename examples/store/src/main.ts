/**
 * The store in processes of its own. With `--id` this is one member; without, it starts three of them, writes and reads, moves
 * money between two accounts, splits a group, kills a member with -9, and goes on.
 */

import { parseArgs } from "node:util";
import { type LogRecord, run } from "@kith/core";
import { parseAddress } from "@kith/network";
import { real, stopOnSignals } from "@kith/node";
import { bytesText, textBytes } from "@kith/paxos";
import { Commit, Committed, Entries, GroupSplit, Read } from "@kith/store";
import { middleOf } from "./layout.ts";
import { StoreProgram } from "./member.ts";
import { startStore } from "./processes.ts";
import { StoreUser } from "./user.ts";

const { values } = parseArgs({
  options: {
    id: { type: "string" },
    listen: { type: "string", default: "127.0.0.1:7000" },
    data: { type: "string", default: "data" },
    members: { type: "string", default: "" },
    found: { type: "string" },
    // Ends with its standard input, that is, with whoever has started it.
    attached: { type: "boolean", default: false },
  },
});
if (values.id === undefined) await demonstrate();
else await member(Number(values.id));

/** That a peer is not there is what this is about. */
function errorsOnly({ level, text, path }: LogRecord): void {
  if (level === "error") console.error(`${path}: ${text}`);
}

/** One member. Prints a line when it is up, and one when the store is founded. */
async function member(peerId: number): Promise<void> {
  const members = values.members.split(",").map((text) => {
    const [id, address = ""] = text.split("@");
    return { peerId: Number(id), ...parseAddress(address) };
  });
  const world = real({ peerId, listen: values.listen, data: values.data, log: errorsOnly });
  const system = await run(StoreProgram, { members, founds: values.found !== undefined }, world);
  stopOnSignals(system);
  if (values.attached) process.stdin.on("end", () => void system.stop()).resume();
  console.log(`up, life ${world.peer.incarnation}`);
  let told = false;
  const look = setInterval(() => {
    const { founded, halted } = system.instance;
    if (halted !== null) console.error(`member ${peerId} has stopped: ${halted}`);
    if (founded && !told) console.log("founded");
    told = founded;
  }, 50);
  await system.done.finally(() => {
    clearInterval(look);
    process.stdin.destroy();
  });
}

/** Three members, one of which does not live through it. */
async function demonstrate(): Promise<void> {
  const processes = await startStore({
    line: (index, line) => console.log(`member ${index + 1}: ${line}`),
  });
  const { members } = processes;
  const system = await run(StoreUser, { members }, real({ log: errorsOnly }));
  const user = system.instance;
  const accounts = ["ann", "bob"];
  try {
    const pay = async (amount: number): Promise<string> => {
      const seen = await user.ask(new Read({ keys: accounts, within: 30_000 }));
      if (!(seen instanceof Entries)) return seen.constructor.name;
      const moved = [-amount, amount];
      const writes = seen.entries.map(({ key, value }, i) => {
        const balance = value === null ? 100 : Number(bytesText(value));
        const next = textBytes(String(balance + (moved[i] ?? 0)));
        return { key, write: { kind: "put", value: next, expiry: "never" } } as const;
      });
      const reads = seen.entries.map(({ key, version }) => ({ key, version }));
      return (await user.ask(new Commit({ reads, writes }))).constructor.name;
    };
    console.log(`ann pays bob 30: ${await pay(30)}`);
    const split = await user.split("store-0", middleOf(0));
    if (split instanceof GroupSplit) console.log(`store-0 is split, and ${split.right.gid} begins`);
    console.log("member 1 is killed");
    await processes.kill(0);
    let paid = "";
    while (paid !== Committed.name) paid = await pay(30);
    console.log(`ann pays bob 30: ${paid}`);
    processes.start(0);
    const seen = await user.ask(new Read({ keys: accounts }));
    if (seen instanceof Entries)
      for (const { key, value } of seen.entries)
        console.log(`${key} has ${value === null ? "nothing" : bytesText(value)}`);
  } finally {
    await system.stop();
    await processes.close();
  }
}
