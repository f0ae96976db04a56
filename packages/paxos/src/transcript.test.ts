/**
 * Golden transcripts: scripts of commands, each followed by all that the replicas then do. They are tests,
 * documentation and bug reports at once. `KITH_GOLDEN=write` writes them anew; review the difference.
 *
 * A line that begins with `>` is a command, one with `#` a remark; the rest is what came of it.
 */

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { address, describe as describeMessage, Lab } from "./lab.test.ts";
import { configOf } from "./state.ts";

const folder = fileURLToPath(new URL("../testdata/", import.meta.url));

/** Runs the commands of a script. @returns the script with what came of them */
function play(script: string): string {
  const out: string[] = [];
  let lab = new Lab();
  let options = {};
  let reads = 0;
  const say = (line: string): void => void out.push(line);

  const settle = (): void => {
    for (let i = 0; i < 50; i++) {
      let idle = true;
      for (const { peerId } of lab.up) while (lab.flush(peerId)) idle = false;
      for (const message of [...lab.network]) {
        idle = false;
        lab.deliver(message);
      }
      if (idle) return;
    }
    say("does not settle");
  };
  const between = (from: string, to: string) =>
    lab.network.filter(
      (m) =>
        (from === "*" || m.fromPeer === Number(from)) && (to === "*" || m.toPeer === Number(to)),
    );
  const replicaOf = (at: number, peer: number): number =>
    configOf(lab.state(at)).members.find(({ peerId }) => peerId === peer)?.replicaId ?? 0;

  const commands: Record<string, (...words: string[]) => void> = {
    settings: (...words) => {
      options = {
        ...options,
        ...Object.fromEntries(words.map((word) => word.split("=")).map(([k, v]) => [k, Number(v)])),
      };
    },
    leases: (drift, margin) => {
      options = { ...options, lease: { drift: Number(drift), margin: Number(margin) } };
    },
    group: (...peers) => {
      lab = new Lab({ say, settings: options });
      lab.found(peers.map(Number));
    },
    timeout: (peer) => lab.timeout(Number(peer)),
    propose: (peer, line = "") => void lab.propose(Number(peer), line),
    read: (peer) => lab.read(Number(peer), ++reads),
    settle,
    flush: (peer) => void lab.flush(Number(peer)),
    deliver: (from = "*", to = "*") => {
      for (const message of between(from, to)) lab.deliver(message);
    },
    drop: (from = "*", to = "*") => {
      for (const message of between(from, to)) {
        say(`lost: ${message.fromPeer} -> ${message.toPeer} ${describeMessage(message)}`);
        lab.network.splice(lab.network.indexOf(message), 1);
      }
    },
    cut: (...peers) => {
      for (const { peerId } of lab.machines.values()) {
        for (const peer of peers) {
          if (peers.includes(String(peerId))) continue;
          lab.cuts.add(`${peer}>${peerId}`).add(`${peerId}>${peer}`);
        }
      }
    },
    heal: () => lab.cuts.clear(),
    wait: (millis) => lab.wait(Number(millis)),
    crash: (peer, kept = "0") => lab.crash(Number(peer), Number(kept)),
    restart: (peer) => lab.restart(Number(peer)),
    add: (at, peer) =>
      void lab.change(Number(at), { kind: "add-learner", peer: address(Number(peer)) }),
    promote: (at, peer) =>
      void lab.change(Number(at), {
        kind: "promote",
        replicaId: replicaOf(Number(at), Number(peer)),
      }),
    remove: (at, peer) =>
      void lab.change(Number(at), {
        kind: "remove",
        replicaId: replicaOf(Number(at), Number(peer)),
      }),
    transfer: (at, peer) => lab.transfer(Number(at), replicaOf(Number(at), Number(peer))),
    status: () => {
      for (const { peerId, state, table } of lab.machines.values()) {
        if (state === null) say(`${peerId} is down`);
        else
          say(
            `${peerId} ${state.halted ?? state.role} t${state.term} log ${state.log.base + 1}..${state.log.base + state.log.entries.length} commit ${state.commit} stable ${state.stable}${state.quiet ? " quiet" : ""}: ${table.lines.join(" ")}`,
          );
      }
    },
  };

  for (const line of script.split("\n")) {
    if (line.startsWith("#")) out.push(line);
    if (!line.startsWith(">")) continue;
    if (out.length > 0 && !out.at(-1)?.startsWith("#")) out.push("");
    out.push(line);
    const [name = "", ...words] = line.slice(1).trim().split(/\s+/);
    const command = commands[name];
    if (command === undefined) throw new Error(`no command ${name}`);
    command(...words);
  }
  return `${out.join("\n")}\n`;
}

describe("the transcript of", () => {
  for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".txt"))) {
    it(path.basename(file, ".txt").replaceAll("-", " "), () => {
      const place = path.join(folder, file);
      const golden = fs.readFileSync(place, "utf8");
      const played = play(golden);
      if (process.env["KITH_GOLDEN"] === "write") fs.writeFileSync(place, played);
      else expect(played).equal(golden);
    });
  }
});
