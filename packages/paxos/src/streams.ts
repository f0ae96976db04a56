/**
 * Snapshots on their way: parts read out of a view at one side, staged at the other.
 *
 * One part is on its way at a time; the next is read when the other side has staged it. At most two go
 * out and two come in at once; others are tried again with a later heartbeat. What is kept here is plain data.
 */

import {
  type BeginInstall,
  type CommitInstall,
  type Entries,
  type InstallBegun,
  type Operation,
  type OpenView,
  type Scan,
  StorageFailed,
  type ViewOpened,
  after,
  InstallChunk,
} from "@kith/storage";
import * as storage from "@kith/storage";
import type { ReplicaId } from "./config.ts";
import type { Base, Cell, PeerMessage, SnapshotPart } from "./peer-message.ts";
import { cellOf, rowOf, tableNamespace } from "./records.ts";
import { nameOf, type Replica } from "./replica.ts";
import {
  giveUpSnapshot,
  install,
  isSnapshotWanted,
  partStaged,
  sendPart,
  snapshotBase,
} from "./snapshots.ts";
import { foldCells, type Table, tableOf } from "./table.ts";

/** A snapshot that goes out. */
export interface Outgoing {
  readonly number: number;
  readonly gid: string;
  readonly to: ReplicaId;
  readonly base: Base;
  view: number | null;
  part: number;
  /** The digest and the last key of all parts before this one. */
  digest: number;
  lastKey: Uint8Array | null;
  /** What they are after this part; null while it is being read. */
  read: { readonly digest: number; readonly lastKey: Uint8Array | null } | null;
  done: boolean;
}

/** A snapshot that comes in. */
export interface Incoming {
  readonly number: number;
  readonly gid: string;
  message: Readonly<PeerMessage & SnapshotPart>;
  install: number | null;
  readonly cells: Map<string, Uint8Array>;
  digest: number;
}

/** All of them. Plain data. */
export interface StreamsState {
  lastNumber: number;
  readonly outgoing: Map<string, Outgoing>;
  readonly incoming: Map<string, Incoming>;
  /** What is staged completely and becomes the table with the write that installs it. */
  readonly ready: Map<string, { readonly install: number; readonly table: Table }>;
}

/** Which snapshot an answer of the storage is about. */
export interface StreamContext {
  readonly use: "snapshot";
  readonly name: string;
  readonly number: number;
  /** The part that is read. */
  readonly part?: number;
}

/** What streams need of their host. */
export interface StreamPorts {
  readonly openView: (ask: OpenView, options: { context: StreamContext }) => void;
  readonly scan: (ask: Scan, options: { context: StreamContext }) => void;
  readonly begin: (ask: BeginInstall, options: { context: StreamContext }) => void;
  readonly chunk: (ask: InstallChunk, options: { context: StreamContext }) => void;
  readonly forget: (what: storage.CloseView | storage.AbortInstall) => void;
  readonly replica: (gid: string) => Replica | undefined;
  /** Something may have to happen in a group. */
  readonly touch: (gid: string) => void;
}

/** How many snapshots may go out, and how many may come in, at once. */
const atOnceMax = 2;

/** No streams. */
export function noStreams(): StreamsState {
  return { lastNumber: 0, outgoing: new Map(), incoming: new Map(), ready: new Map() };
}

/** The snapshots of a host. */
export class Streams {
  // Asked for each time: a swap puts another object into its place.
  readonly #holder: () => StreamsState;
  readonly #ports: StreamPorts;
  readonly #version: () => number;

  constructor(state: () => StreamsState, ports: StreamPorts, version: () => number) {
    this.#holder = state;
    this.#ports = ports;
    this.#version = version;
  }

  get #state(): StreamsState {
    return this.#holder();
  }

  // --- out ---------------------------------------------------------------------------------------

  /** Sends the table as it is now; it has just been written, so that a view shows it. */
  send(replica: Replica, to: ReplicaId): void {
    const { gid } = replica.state;
    const name = nameOf(gid, to);
    this.#closeOut(name);
    if (this.#state.outgoing.size >= atOnceMax) {
      giveUpSnapshot(replica.state, to);
      return;
    }
    const number = ++this.#state.lastNumber;
    const base = snapshotBase(replica.state);
    this.#state.outgoing.set(name, {
      number,
      gid,
      to,
      base,
      view: null,
      part: 0,
      digest: 1,
      lastKey: null,
      read: null,
      done: false,
    });
    const namespace = tableNamespace(gid);
    this.#ports.openView(new storage.OpenView({ namespace }), {
      context: { use: "snapshot", name, number },
    });
  }

  /** The view is open: read the first part. */
  opened(answer: ViewOpened | StorageFailed, { name, number }: StreamContext): void {
    const job = this.#state.outgoing.get(name);
    if (job?.number !== number) {
      if (!(answer instanceof StorageFailed))
        this.#ports.forget(new storage.CloseView({ view: answer.view }));
      return;
    }
    if (answer instanceof StorageFailed) {
      this.#giveUp(name, job);
      return;
    }
    job.view = answer.view;
    this.#read(name, job);
  }

  /** A part was read: send it. */
  scanned(answer: Entries | StorageFailed, { name, number, part: read }: StreamContext): void {
    const job = this.#state.outgoing.get(name);
    // A part that is read once more may have been taken meanwhile.
    if (job?.number !== number || job.part !== read) return;
    const replica = this.#ports.replica(job.gid);
    if (answer instanceof StorageFailed || replica === undefined) {
      this.#giveUp(name, job);
      return;
    }
    const cells = answer.entries.map(cellOf);
    const digest = foldCells(job.digest, cells);
    job.read = { digest, lastKey: answer.entries.at(-1)?.key ?? job.lastKey };
    job.done = !answer.more;
    const { base, part } = job;
    const wanted = sendPart(replica.state, job.to, { base, part, cells, last: job.done, digest });
    if (!wanted) this.#closeOut(name);
    this.#ports.touch(job.gid);
  }

  /** The other side has staged a part, or not; or nothing was heard: it is sent again. */
  proceed(replica: Replica, to: ReplicaId, part: number, taken: boolean | null): void {
    const name = nameOf(replica.state.gid, to);
    const job = this.#state.outgoing.get(name);
    if (job === undefined || job.part !== part || job.read === null) return;
    if (taken === false) {
      this.#giveUp(name, job);
      return;
    }
    if (taken === true) {
      if (job.done) return;
      ({ digest: job.digest, lastKey: job.lastKey } = job.read);
      job.part++;
    }
    job.read = null;
    this.#read(name, job);
  }

  /** Ends what nobody waits for any more. */
  tidy(): void {
    for (const [name, { gid, to }] of this.#state.outgoing) {
      const replica = this.#ports.replica(gid);
      if (replica === undefined || !isSnapshotWanted(replica.state, to)) this.#closeOut(name);
    }
    for (const [gid, job] of this.#state.incoming) {
      const replica = this.#ports.replica(gid);
      const { staging } = replica?.state ?? { staging: null };
      if (staging === null || staging.index !== job.message.base.index) this.#closeIn(gid);
    }
  }

  /** Ends all: the replicas are read anew. */
  drop(): void {
    for (const name of [...this.#state.outgoing.keys()]) this.#closeOut(name);
    for (const gid of [...this.#state.incoming.keys()]) this.#closeIn(gid);
    for (const { install: staged } of this.#state.ready.values())
      this.#ports.forget(new storage.AbortInstall({ install: staged }));
    this.#state.ready.clear();
  }

  #read(name: string, { gid, view, lastKey, number, part }: Outgoing): void {
    const replica = this.#ports.replica(gid);
    if (view === null || replica === undefined) return;
    const from = lastKey === null ? {} : { from: after(lastKey) };
    const ask = new storage.Scan({
      namespace: tableNamespace(gid),
      view,
      bytesMax: replica.state.settings.partBytesMax,
      ...from,
    });
    this.#ports.scan(ask, { context: { use: "snapshot", name, number, part } });
  }

  #giveUp(name: string, { gid, to }: Outgoing): void {
    const replica = this.#ports.replica(gid);
    if (replica !== undefined) giveUpSnapshot(replica.state, to);
    this.#closeOut(name);
  }

  #closeOut(name: string): void {
    const view = this.#state.outgoing.get(name)?.view ?? null;
    this.#state.outgoing.delete(name);
    if (view !== null) this.#ports.forget(new storage.CloseView({ view }));
  }

  // --- in ----------------------------------------------------------------------------------------

  /** Stages a part. */
  stage(replica: Replica, message: Readonly<PeerMessage & SnapshotPart>): void {
    const { gid } = replica.state;
    let job = this.#state.incoming.get(gid);
    if (message.part === 0) {
      this.#closeIn(gid);
      if (this.#state.incoming.size >= atOnceMax) {
        partStaged(replica.state, message, false);
        return;
      }
      const number = ++this.#state.lastNumber;
      job = { number, gid, message, install: null, cells: new Map(), digest: 1 };
      this.#state.incoming.set(gid, job);
      this.#ports.begin(new storage.BeginInstall({ namespace: tableNamespace(gid) }), {
        context: { use: "snapshot", name: gid, number },
      });
    } else if (job !== undefined && job.install !== null) {
      job.message = message;
      this.#stageCells(job);
    } else partStaged(replica.state, message, false);
  }

  /** The storage is ready to stage. */
  begun(answer: InstallBegun | StorageFailed, { name, number }: StreamContext): void {
    const job = this.#state.incoming.get(name);
    if (job?.number !== number) {
      if (!(answer instanceof StorageFailed))
        this.#ports.forget(new storage.AbortInstall({ install: answer.install }));
      return;
    }
    if (answer instanceof StorageFailed) {
      this.#refuse(job);
      return;
    }
    job.install = answer.install;
    this.#stageCells(job);
  }

  /** A part is staged: say so, or install where it was the last. */
  staged(failed: boolean, { name, number }: StreamContext): void {
    const job = this.#state.incoming.get(name);
    const replica = this.#ports.replica(name);
    if (job?.number !== number || replica === undefined || job.install === null) return;
    const { message } = job;
    // What was read at the other side is what has arrived here, part by part.
    if (failed || job.digest !== message.digest) {
      this.#refuse(job);
      return;
    }
    this.#ports.touch(name);
    if (!message.last) {
      partStaged(replica.state, message, true);
      return;
    }
    const table = tableOf(job.cells, this.#version());
    if (table.applied !== message.base.index || !install(replica.state, message)) {
      this.#refuse(job);
      return;
    }
    this.#state.incoming.delete(name);
    this.#state.ready.set(name, { install: job.install, table });
  }

  /** Takes what is to be installed with the write of this turn. */
  takeReady(gid: string): { readonly install: number; readonly table: Table } | undefined {
    const ready = this.#state.ready.get(gid);
    this.#state.ready.delete(gid);
    return ready;
  }

  #stageCells(job: Incoming): void {
    const { cells } = job.message;
    for (const [key, value] of cells) job.cells.set(key, value);
    job.digest = foldCells(job.digest, cells);
    if (job.install === null) return;
    const entries = cells.map((cell: Cell) => rowOf(cell));
    this.#ports.chunk(new InstallChunk({ install: job.install, entries }), {
      context: { use: "snapshot", name: job.gid, number: job.number },
    });
  }

  #refuse(job: Incoming): void {
    const replica = this.#ports.replica(job.gid);
    this.#closeIn(job.gid);
    if (replica === undefined) return;
    partStaged(replica.state, job.message, false);
    this.#ports.touch(job.gid);
  }

  #closeIn(gid: string): void {
    const installing = this.#state.incoming.get(gid)?.install ?? null;
    this.#state.incoming.delete(gid);
    if (installing !== null) this.#ports.forget(new storage.AbortInstall({ install: installing }));
  }
}

/** The request that makes a staged snapshot the table. */
export function commitOf(installing: number, operations: readonly Operation[]): CommitInstall {
  return new storage.CommitInstall({ install: installing, operations });
}
