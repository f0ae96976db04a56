/**
 * What the transaction manager of a client knows, as plain data, and what it wants of the world.
 *
 * It is a state machine without a world: work, answers and time go in (`manager.ts`), calls and replies come out
 * (`out`). Nothing of it is durable: the truth about a transaction lies in the registers of the groups, where anyone
 * can find it, and a client that comes back after a crash is another client.
 */

import { mix, type Millis } from "@kith/core";
import type { Expected, Operation, Token } from "../command.ts";
import type { Octets, Position } from "../position.ts";
import type { Reading, ReadTurn } from "../query.ts";
import type { Outcome, RefusalReason } from "../result.ts";
import type { Descriptor, Participant, RegisterState, TxId, TxName, TxWrite } from "../rows.ts";

/** What a transaction does to a key. */
export interface Writing {
  readonly position: Position;
  readonly write: TxWrite;
}

/** What can be asked of a manager. */
export type Work =
  /** Operations that are done at once, or not at all; their keys have to lie in one group. */
  | { readonly kind: "execute"; readonly operations: readonly Operation[] }
  /** A transaction: all writes are done, at one instant at which everything read still holds; or nothing. */
  | {
      readonly kind: "commit";
      readonly reads: readonly Expected[];
      readonly writes: readonly Writing[];
      /** Whether it may stand in line before it prepares. */
      readonly queues?: boolean;
    }
  /** Keys as they are at one instant. */
  | {
      readonly kind: "read";
      readonly keys: readonly Position[];
      /** Whether each key for itself is enough. */
      readonly apart?: boolean;
      /** For a transaction that commits with it: what it is to the lines at its keys. */
      readonly turn?: ReadTurn | null;
    }
  /** Keys in their order, as they are at one instant; at most `limit`. */
  | {
      readonly kind: "scan";
      readonly from: Position;
      readonly to: Position | null;
      readonly limit: number;
      /** Whether only keys are asked for, page by page: no values, no instant, and no two pages share a hint. */
      readonly browses?: boolean;
    };

/** What became of it. */
export type Ended =
  | { readonly kind: "done"; readonly outcomes: readonly Outcome[] }
  | {
      readonly kind: "refused";
      readonly at: number;
      readonly reason: RefusalReason;
      readonly version: number;
      readonly value: Uint8Array | null;
    }
  | { readonly kind: "committed" }
  /** Nothing was done, and nothing will be: something that was read has changed, or another one was faster. */
  | {
      readonly kind: "aborted";
      /** A key whose version was read and is past for good, where that is known. */
      readonly outdated?: Position;
    }
  | { readonly kind: "readings"; readonly readings: readonly Reading[] }
  /** Of a scan; `next` is where to go on, null at its end. */
  | {
      readonly kind: "scanned";
      readonly readings: readonly Reading[];
      readonly next: Position | null;
    }
  /** Of one that browses: there are too many keys at one hint. */
  | { readonly kind: "too-many" }
  /** Nothing was done: the keys lie in several groups. A transaction can do it. */
  | { readonly kind: "scattered" }
  /** Nothing was done, and nothing will be: there was too much to do, or no time left. */
  | { readonly kind: "failed"; readonly reason: "busy" | "timeout" }
  /** It may have been done. */
  | { readonly kind: "unknown" };

/** What a call is for. */
export type Purpose =
  | "hello"
  | "open"
  | "enter"
  | "look"
  | "work"
  | "cancel"
  | "force-abort"
  | "recheck"
  | "finish"
  | "inspect"
  | "forget";

/** A call that was not answered. */
export interface Call {
  /** 0 for what belongs to no job. */
  readonly job: number;
  readonly purpose: Purpose;
  readonly gid: string;
  readonly keys: readonly Position[];
  /** Of a scan: in which round it was made. */
  readonly round?: number;
  /** In which session it was made, where it was made in one. */
  readonly token?: Token;
}

/** A call that is to be made again. */
export interface Retry extends Call {
  readonly at: Millis;
}

/** The session in a group. */
export interface Session {
  /** Null until it is open. */
  token: Token | null;
  /** When something was last sent in it. */
  usedAt: Millis;
  /** Below which number the group was told that nothing is needed: later than it is so, as each time costs the group something. */
  acked: number;
}

/** Work on one command of one group. */
export interface ExecuteJob {
  readonly kind: "execute";
  readonly id: number;
  /** The work that it is done for. */
  readonly asked: number;
  readonly reads: readonly Expected[];
  readonly operations: readonly Operation[];
  readonly keys: readonly Position[];
  readonly deadline: Millis;
  /** Whether it is a transaction, so that it ends as one. */
  readonly commits: boolean;
  /** 0 until all sessions are open. */
  seq: number;
  /** When it was first sent with that number. */
  sentAt: Millis;
  phase: "sessions" | "working" | "cancelling";
  /** At which keys it is cancelled. */
  readonly cancelled: Set<Position>;
  /** Why it was cancelled. */
  because: "timeout" | "scattered";
  tries: number;
  replied: boolean;
}

/** Work on a transaction over several groups: an own one, or one of another client that is in doubt. */
export interface CommitJob {
  readonly kind: "commit";
  readonly id: number;
  /** The work that it is done for; 0 for a transaction of another client. */
  readonly asked: number;
  /** Null for an own one until all sessions are open. */
  tx: TxId | null;
  readonly own: boolean;
  readonly queues: boolean;
  readonly reads: readonly Expected[];
  readonly writes: readonly Writing[];
  readonly participants: readonly Participant[];
  readonly keys: readonly Position[];
  /** Up to when it has to have its votes. */
  deadline: Millis;
  /** Up to when the work as a whole is tried. */
  readonly until: Millis;
  /** When it was first sent, for an own one. */
  sentAt: Millis;
  /** Of another client's: its manager is asked first. */
  phase: "asking" | "sessions" | "entering" | "preparing" | "recovering" | "finishing";
  /** Where its manager may be asked; empty where nobody said. */
  readonly hint: string;
  /** Until when the manager's answer is waited for, and whether it has said since that it is at work. */
  askDue: Millis;
  atWork: boolean;
  readonly votes: Map<Position, RegisterState>;
  /** Where it can never be prepared, since its session is gone. */
  readonly gone: Set<Position>;
  /** What was seen elsewhere after that. */
  readonly rechecked: Map<Position, RegisterState | "none">;
  outcome: "C" | "X" | null;
  readonly acks: Set<Position>;
  tries: number;
  replied: boolean;
  /** For a reader that cannot get through otherwise: what it has read. */
  readonly readings: readonly Reading[] | null;
}

/** Work on a read-only transaction. */
export interface ReadJob {
  readonly kind: "read";
  readonly id: number;
  /** The work that it is done for. */
  readonly asked: number;
  readonly keys: readonly Position[];
  /** Whether the first round is enough. */
  readonly apart: boolean;
  readonly turn: ReadTurn | null;
  readonly deadline: Millis;
  round: 1 | 2;
  readonly first: Map<Position, Reading>;
  readonly second: Map<Position, number>;
  /** How often the second round has found something else than the first. */
  failures: number;
  tries: number;
}

/** What a scan has found in one group. */
export interface ScanPiece {
  readonly from: Position;
  /** Where the next piece begins; null at the end of all. */
  readonly next: Position | null;
  readonly readings: readonly Reading[];
  /** The last deletion there. */
  readonly deleteFloor: number;
}

/** Work on a scan. */
export interface ScanJob {
  readonly kind: "scan";
  readonly id: number;
  /** The work that it is done for. */
  readonly asked: number;
  readonly from: Position;
  readonly to: Position | null;
  readonly limit: number;
  readonly browses: boolean;
  readonly deadline: Millis;
  /** Where it is, in the first round. */
  at: Position;
  pieces: ScanPiece[];
  /** The pieces that were looked at again, by their beginnings. */
  readonly seen: Set<Position>;
  round: 1 | 2;
  /** How many rounds were begun: answers to earlier ones are not waited for any more. */
  rounds: number;
  tries: number;
}

/** Work that is under way. */
export type Job = ExecuteJob | CommitJob | ReadJob | ScanJob;

/** Something to send. */
export interface Outgoing {
  readonly call: number;
  readonly gid: string;
  readonly kind: "command" | "query";
  readonly body: Uint8Array;
}

/** Times, each with what raising it costs. */
export interface ManagerSettings {
  /** After this, what is not prepared is voted down. Raising it lets slow groups in, and locks stay longer. */
  readonly commitMs: Millis;
  /** How old a lock has to be before someone who waits for it recovers its transaction. */
  readonly pushMs: Millis;
  /** How long a piece of work is tried. */
  readonly withinMs: Millis;
  /** How long a cancellation is tried before the answer is that nobody knows. */
  readonly cancelMs: Millis;
  /** A session that was not used for longer is looked for anew: shorter than the groups keep it. */
  readonly idleMs: Millis;
  /** How long the manager of a transaction in doubt is waited for, each time it is asked. */
  readonly askMs: Millis;
  /** How often groups are told what the client needs no more, where no command tells them. Raising it saves commands. */
  readonly forgetMs: Millis;
}

/** What holds where nothing else is said (algorithms.md §6.5.4 to §6.5.6). */
export const managerSettings: ManagerSettings = {
  commitMs: 3000,
  pushMs: 2000,
  withinMs: 10_000,
  cancelMs: 10_000,
  idleMs: 1_200_000,
  askMs: 500,
  forgetMs: 5000,
};

/** The state of a manager. */
export interface ManagerState {
  readonly client: Octets;
  readonly settings: ManagerSettings;
  /** Where its transactions may be asked for. */
  readonly hint: string;
  now: Millis;
  nextSeq: number;
  /** Numbers that are not finished, in their order. */
  readonly openSeqs: Set<number>;
  readonly directory: Map<string, Descriptor>;
  /** Of groups that were learnt of: the group that told. */
  readonly origins: Map<string, string>;
  readonly sessions: Map<string, Session>;
  readonly jobs: Map<number, Job>;
  readonly calls: Map<number, Call>;
  retries: Retry[];
  /** The first keys of transactions that others were in the way of: until when they stand in line for them. */
  readonly hot: Map<Position, Millis>;
  /** Locks of others that were met: since when. */
  readonly locks: Map<TxName, Millis>;
  /** Transactions of other clients that it has brought to their end, and reads whose rounds differed. */
  recovered: number;
  reread: number;
  lastCall: number;
  lastJob: number;
  lastWork: number;
  draws: number;
  /** Up to where the groups were told that results are needed no more. */
  forgotten: number;
  forgetAt: Millis;
  readonly out: {
    /** Managers to be asked. */
    asks: { readonly hint: string; readonly tx: TxId }[];
    calls: Outgoing[];
    replies: { readonly work: number; readonly ended: Ended }[];
  };
}

/** How much may be under way at once: fewer than the numbers that a group keeps apart. */
export const jobsMax = 1000;

/** A manager that knows some groups. @param client 16 bytes that no other client ever has */
export function managerOf(
  client: Octets,
  groups: readonly Descriptor[],
  { hint = "", settings = {} }: { hint?: string; settings?: Partial<ManagerSettings> } = {},
): ManagerState {
  return {
    client,
    hint,
    settings: { ...managerSettings, ...settings },
    now: 0,
    nextSeq: 1,
    openSeqs: new Set(),
    directory: new Map(groups.map((one) => [one.gid, one])),
    origins: new Map(),
    sessions: new Map(),
    jobs: new Map(),
    calls: new Map(),
    retries: [],
    hot: new Map(),
    locks: new Map(),
    recovered: 0,
    reread: 0,
    lastCall: 0,
    lastJob: 0,
    lastWork: 0,
    draws: 0,
    forgotten: 1,
    forgetAt: 0,
    out: { asks: [], calls: [], replies: [] },
  };
}

/** The lowest number whose result or registers are still needed. */
export function ackedBelow(state: ManagerState): number {
  for (const seq of state.openSeqs) return seq;
  return state.nextSeq;
}

/** How long to wait before the next try: up to 5 ms and twice as long each time, at most a second, at random. */
export function pause(state: ManagerState, tries: number): Millis {
  const most = Math.min(1000, 5 * 2 ** Math.min(tries, 8));
  const seed = state.client.charCodeAt(15) * 256 + state.client.charCodeAt(14);
  return 1 + (mix(seed, ++state.draws) / 2 ** 32) * most;
}

/** Says what became of a piece of work. */
export function reply(state: ManagerState, work: number, ended: Ended): void {
  state.out.replies.push({ work, ended });
}

/** Takes a job out. */
export function close(state: ManagerState, { id }: Job): void {
  state.jobs.delete(id);
  state.retries = state.retries.filter(({ job }) => job !== id);
}
/** Whether somebody works on a transaction here already. */
export function worksOn(state: ManagerState, { client, seq }: TxId): boolean {
  for (const job of state.jobs.values())
    if (job.kind === "commit" && job.tx?.client === client && job.tx.seq === seq) return true;
  return false;
}
