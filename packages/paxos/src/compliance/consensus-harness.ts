/** What the suite of Consensus needs of a world: the machine that is replicated, and the component that asks. */

import { AskTimeout, Component, type ComponentClass } from "@kith/core";
import type { Harness } from "@kith/testing/compliance";
import { bytesText, textBytes } from "../bytes.ts";
import type { Change, PeerAddress } from "../config.ts";
import type { GroupsInit, ReplicatedGroups } from "../host.ts";
import type { Machine } from "../machine.ts";
import {
  Applied,
  AskStatus,
  ChangeMembers,
  Consensus,
  type ConsensusAnswer,
  Done,
  Found,
  GroupHalted,
  GroupLeft,
  LeaderChanged,
  Peek,
  Propose,
  Query,
  Status,
  TransferLeadership,
  Upgrade,
} from "../port.ts";

/** Makes the class of providers that replicate a machine. */
export type ConsensusProvider = (
  machine: Machine,
) => ComponentClass & (new (init: GroupsInit) => ReplicatedGroups);

/**
 * How a provider of Consensus is put to the test: four processes, numbered from 0, whose main components are
 * `ConsensusPeer`s, with the settings `consensusSettings`.
 */
export interface ConsensusHarness extends Harness {
  /** Where a process is. */
  addressOf(index: number): PeerAddress;
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (peer: ConsensusPeer) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has ended, on its data. */
  readonly restart?: (index: number) => void;
  /** Cuts processes off from all others. */
  readonly isolate?: (...indices: readonly number[]) => void;
  /** Ends that. */
  readonly mend?: () => void;
  /** Replaces the provider of a process, `/Peer-1/groups`. */
  readonly swap?: (index: number) => void;
}

/** Settings that the cases rely on; small bounds, so that they are reached. */
export const consensusSettings = { pendingMax: 40, readsMax: 40, keepEntries: 8, cutEntries: 16 };

/**
 * Keeps all commands, in order; a result or a query's answer is how many there are, and the last. A command that begins with
 * "spawn" makes a group `s` with the number of the command, which begins with what is here.
 */
export const lines: Machine = {
  versions: [1, 2],
  apply({ command, table, version, spawn }) {
    const text = bytesText(command);
    const count = Number(bytesText(table.get("count") ?? textBytes("0"))) + 1;
    table.put("count", textBytes(`${count}`));
    const last = textBytes(`${count} ${version === 1 ? text : text.toUpperCase()}`);
    table.put("last", last);
    if (text.startsWith("spawn"))
      spawn(
        `s${count}`,
        new Map([
          ["count", textBytes(`${count}`)],
          ["last", last],
        ]),
      );
    return last;
  },
  query: ({ table }) => table.get("last") ?? textBytes("0"),
};

/** What was applied at a process. */
export interface AppliedLine {
  readonly index: number;
  readonly command: string;
  readonly result: string;
}

/** Asks, and keeps what it is told. */
export abstract class ConsensusPeer extends Component {
  readonly consensus = this.requires(Consensus);
  /** By the key that was asked with: the answer. */
  readonly answers = new Map<string, ConsensusAnswer>();
  /** The groups whose leader is here. */
  readonly leads = new Set<string>();
  readonly left: string[] = [];
  readonly halted: string[] = [];
  /** By group, in order. */
  readonly applied = new Map<string, AppliedLine[]>();
  readonly #found = this.consensus.onAnswer(Found, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #propose = this.consensus.onAnswer(Propose, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #query = this.consensus.onAnswer(Query, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #peek = this.consensus.onAnswer(Peek, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #change = this.consensus.onAnswer(ChangeMembers, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #transfer = this.consensus.onAnswer(TransferLeadership, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #upgrade = this.consensus.onAnswer(Upgrade, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );
  readonly #status = this.consensus.onAnswer(AskStatus, (answer, _, { key }: Key) =>
    this.#took(key, answer),
  );

  constructor() {
    super();
    this.consensus.on(LeaderChanged, ({ gid, here }) => {
      if (here) this.leads.add(gid);
      else this.leads.delete(gid);
    });
    this.consensus.on(GroupLeft, ({ gid }) => void this.left.push(gid));
    this.consensus.on(GroupHalted, ({ reason }) => void this.halted.push(reason));
    this.consensus.on(Applied, ({ gid, index, command, result }) => {
      const line = { index, command: bytesText(command), result: bytesText(result) };
      this.applied.set(gid, [...this.linesOf(gid), line]);
    });
  }

  /** What was applied here in this life. */
  linesOf(gid: string): readonly AppliedLine[] {
    return this.applied.get(gid) ?? [];
  }
  found(key: string, gid: string, peers: readonly PeerAddress[]): void {
    this.#found(new Found({ gid, peers }), { context: { key } });
  }
  propose(key: string, gid: string): void {
    this.#propose(new Propose({ gid, command: textBytes(key) }), { context: { key }, timeout });
  }
  query(key: string, gid: string): void {
    this.#query(new Query({ gid, query: new Uint8Array() }), { context: { key }, timeout });
  }
  peek(key: string, gid: string): void {
    this.#peek(new Peek({ gid, query: new Uint8Array() }), { context: { key }, timeout });
  }
  change(key: string, gid: string, change: Change, expectedEpoch?: number): void {
    const guard = expectedEpoch === undefined ? {} : { expectedEpoch };
    this.#change(new ChangeMembers({ gid, change, ...guard }), { context: { key }, timeout });
  }
  transfer(key: string, gid: string, to: number): void {
    this.#transfer(new TransferLeadership({ gid, to }), { context: { key } });
  }
  upgrade(key: string, gid: string, version: number): void {
    this.#upgrade(new Upgrade({ gid, version }), { context: { key }, timeout });
  }
  status(key: string, gid: string): void {
    this.#status(new AskStatus({ gid }), { context: { key } });
  }
  /** The name of an answer; of one that is done the result. */
  told(key: string): string | undefined {
    const answer = this.answers.get(key);
    return answer instanceof Done ? bytesText(answer.result) : answer?.constructor.name;
  }
  /** The answer of `status`. */
  statusOf(key: string): Status | null {
    const answer = this.answers.get(key);
    return answer instanceof Status ? answer : null;
  }

  #took(key: string, answer: ConsensusAnswer | AskTimeout): void {
    if (answer instanceof AskTimeout) return;
    if (this.answers.has(key)) throw new Error(`${key} is answered twice`);
    this.answers.set(key, answer);
  }
}

interface Key {
  readonly key: string;
}

const timeout = 60_000;

/** The main component of a process under test. */
export function consensusPeerOf(
  provider: ConsensusProvider,
): new (init: GroupsInit) => ConsensusPeer {
  return {
    Peer: class extends ConsensusPeer {
      readonly child;

      constructor(init: GroupsInit) {
        super();
        this.child = this.create(
          provider(lines),
          { announce: true, ...init },
          {
            name: "groups",
          },
        );
        this.connect(this.child.ports.consensus, this.consensus);
      }
    },
  }.Peer;
}
