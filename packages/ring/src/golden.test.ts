/**
 * Golden transcripts: each file of `testdata` is a script whose commands are followed by all that they
 * lead to, message by message. They are tests, documentation, and what a change of the protocol shows in
 * review. `KITH_GOLDEN=write` writes them anew.
 *
 * Commands: `found A`, `join B at A`, `settle` (deliver all, oldest first), `deliver N` (the message at that
 * place, from 0), `lose N`, `crash A` (and all notice), `crash A seen by B …`, `leave A`, `round` (a period of everyone),
 * `show`. A line that begins with # is a comment.
 */

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Message } from "@kith/network";
import { expect } from "chai";
import {
  chord,
  Goto,
  Join,
  JoinOk,
  Linked,
  NewSuccessor,
  relaxed,
  type RingProtocol,
  Stabilise,
  Stabilised,
  Successors,
} from "./index.ts";
import { Model } from "./model.test.ts";
import { leave } from "./relaxed.ts";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), "../testdata");
const ids = (list: readonly { readonly peerId: number }[]): string =>
  list.map(({ peerId }) => peerId).join(" ");

function textOf(message: Message): string {
  const { from, to } = message;
  return `${from.peerId} → ${to.peerId}  ${message.constructor.name}${detail(message)}`;
}

function detail(message: Message): string {
  if (message instanceof Join) return `${message.fix ? " fix" : ""}${message.back ? " back" : ""}`;
  if (message instanceof JoinOk)
    return ` before ${message.predecessor?.peerId ?? "-"}, behind ${ids(message.successors)}`;
  if (message instanceof Goto) return ` ${message.peer.peerId}${message.back ? " back" : ""}`;
  if (message instanceof NewSuccessor) return ` before ${message.before.peerId}`;
  if (message instanceof Linked) return ` to ${message.successor.peerId}`;
  if (message instanceof Successors) return ` ${ids(message.successors)} (${message.hops})`;
  if (message instanceof Stabilise) return message.linked ? " linked" : "";
  if (message instanceof Stabilised)
    return ` before ${message.predecessor?.peerId ?? "-"}, behind ${ids(message.successors)}`;
  return "";
}

/** Runs a script, and gives it back with what its commands led to. */
function play(script: string): string {
  const model = new Model();
  let protocol: RingProtocol = relaxed;
  const lines: string[] = [];
  const say = (text: string): void => void lines.push(`    ${text}`);
  const step = (action: () => void): void => {
    const before = [...model.flying];
    action();
    for (const message of model.flying) if (!before.includes(message)) say(`${textOf(message)}`);
  };
  const settle = (): void => {
    for (let count = 0; model.flying.length > 0 && count < 1000; count++) {
      const [message] = model.flying;
      if (message !== undefined) lines.push(`  ${textOf(message)}`);
      step(() => model.deliver(0));
    }
  };
  for (const line of script.split("\n")) {
    if (line.startsWith(" ")) continue;
    lines.push(line);
    const [command = "", first = "", ...rest] = line.split(" ");
    const id = Number(first);
    if (command === "ring") protocol = first === "chord" ? chord : relaxed;
    else if (command === "found") model.found(id, protocol);
    else if (command === "join") step(() => model.join(id, Number(rest[1]), protocol));
    else if (command === "settle") settle();
    else if (command === "deliver") step(() => model.deliver(id));
    else if (command === "lose") model.flying.splice(id, 1);
    else if (command === "crash") step(() => model.crash(id, ...rest.slice(2).map(Number)));
    else if (command === "leave")
      step(() => model.step(id, (effects, state) => leave(state, effects)));
    else if (command === "round") {
      model.round();
    } else if (command === "show") {
      for (const state of model.live) {
        const { self, predecessor, successors, followers, status } = state;
        if (status === "out") continue;
        say(
          `${self.peerId}: before ${predecessor?.peerId ?? "-"}, behind ${ids(successors)}, followers ${ids(followers) || "-"}`,
        );
      }
      say(model.doubleOwner() ?? model.imperfection() ?? "one perfect ring");
    } else if (command !== "" && command !== "#") throw new Error(`What is "${line}"?`);
  }
  return lines.join("\n");
}

describe("the golden transcripts of the ring", () => {
  const files = fs.readdirSync(folder).filter((file) => file.endsWith(".txt"));

  it("are there", () => {
    expect(files).to.include.members([
      "two-joins-at-once.txt",
      "crash-of-a-successor.txt",
      "crash-of-a-branch-root.txt",
      "graceful-leave.txt",
    ]);
  });

  for (const file of files)
    it(file, () => {
      const full = path.join(folder, file);
      const script = fs.readFileSync(full, "utf8");
      const played = play(script);
      if (process.env["KITH_GOLDEN"] === "write") fs.writeFileSync(full, played);
      else expect(played).to.equal(script);
    });
});
