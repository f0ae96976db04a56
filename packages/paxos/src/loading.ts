/** What a host reads of its storage when it starts: the replicas that were there, and the tombstones. */

import {
  type Entries,
  type Entry as Row,
  ListNamespaces,
  type LogBounds,
  type LogRecords,
  type Namespaces,
  ReadBounds,
  ReadLog,
  Scan,
  StorageFailed,
  after,
} from "@kith/storage";
import type { ReplicaId } from "./config.ts";
import { paxosError } from "./errors.ts";
import {
  cellOf,
  groupOf,
  logOf,
  recoveredOf,
  tableNamespace,
  tombstoneOf,
  tombstones,
} from "./records.ts";
import type { Durable } from "./state.ts";
import { type Table, tableOf } from "./table.ts";
import { orderLog } from "./writes.ts";

/** What was read of a group so far. Plain data. */
export interface Loading {
  readonly rows: Row[];
  readonly records: Uint8Array[];
  readonly cells: Map<string, Uint8Array>;
}

/** What an answer of the storage is about. */
export interface LoadContext {
  readonly use: "tombstones" | "rows" | "records" | "table";
  readonly gid: string;
}

/** What is filled: a part of the host's state. */
export interface Loadable {
  ready: boolean;
  readonly loading: Map<string, Loading>;
  readonly tombs: Map<string, ReplicaId>;
}

/** What loading needs of the host. */
export interface LoadPorts {
  readonly bounds: (ask: ReadBounds) => void;
  /** The last write had that number. @returns whether to go on */
  readonly numbered: (last: number) => boolean;
  readonly list: (ask: ListNamespaces) => void;
  readonly scan: (ask: Scan, options: { context: LoadContext }) => void;
  readonly log: (ask: ReadLog, options: { context: LoadContext }) => void;
  readonly version: () => number;
  readonly loaded: (gid: string, self: ReplicaId, durable: Durable, table: Table) => void;
  /** A group's data are there and cannot be understood: it must not come back as an empty one. */
  readonly broken: (gid: string, reason: string) => void;
}

/** Reads everything, group by group, each in parts. */
export class Loader {
  readonly #state: Loadable;
  readonly #ports: LoadPorts;

  constructor(state: Loadable, ports: LoadPorts) {
    this.#state = state;
    this.#ports = ports;
  }

  /** Begins. */
  begin(): void {
    this.#ports.bounds(new ReadBounds({ namespace: orderLog }));
  }

  /** The number of the last write is known. */
  bounded(answer: LogBounds | StorageFailed): void {
    if (answer instanceof StorageFailed) this.#failed(answer, () => this.begin());
    else if (this.#ports.numbered(answer.last)) this.#ports.list(new ListNamespaces());
  }

  /** The namespaces are known. */
  listed(answer: Namespaces | StorageFailed): void {
    if (answer instanceof StorageFailed) {
      this.#failed(answer, () => this.#ports.list(new ListNamespaces()));
      return;
    }
    for (const name of answer.names) {
      const gid = groupOf(name);
      if (gid !== undefined)
        this.#state.loading.set(gid, { rows: [], records: [], cells: new Map() });
    }
    this.#ports.scan(new Scan({ namespace: tombstones }), {
      context: { use: "tombstones", gid: "" },
    });
  }

  /** Rows were read. */
  scanned(answer: Entries | StorageFailed, ask: Scan, context: LoadContext): void {
    const again = (from?: Uint8Array): void => {
      const bounds = from === undefined ? {} : { from };
      this.#ports.scan(new Scan({ namespace: ask.namespace, ...bounds }), { context });
    };
    if (answer instanceof StorageFailed) {
      this.#failed(answer, () => again());
      return;
    }
    const { entries, more } = answer;
    const group = this.#state.loading.get(context.gid);
    if (context.use === "tombstones")
      for (const row of entries) this.#state.tombs.set(...tombstoneOf(row));
    else if (context.use === "rows") group?.rows.push(...entries);
    else for (const row of entries) group?.cells.set(...cellOf(row));
    const last = entries.at(-1);
    if (more && last !== undefined) again(after(last.key));
    else this.#next(context);
  }

  /** Records were read. */
  logged(answer: LogRecords | StorageFailed, ask: ReadLog, context: LoadContext): void {
    const again = (from: number): void =>
      this.#ports.log(new ReadLog({ namespace: ask.namespace, from }), { context });
    if (answer instanceof StorageFailed) {
      this.#failed(answer, () => again(ask.from));
      return;
    }
    const { records, from, more } = answer;
    this.#state.loading.get(context.gid)?.records.push(...records);
    if (more) again(from + records.length);
    else this.#next(context);
  }

  #next({ use, gid }: LoadContext): void {
    if (use === "rows")
      this.#ports.log(new ReadLog({ namespace: logOf(gid), from: 1 }), {
        context: { use: "records", gid },
      });
    else if (use === "records")
      this.#ports.scan(new Scan({ namespace: tableNamespace(gid) }), {
        context: { use: "table", gid },
      });
    else {
      if (use === "table") this.#recover(gid);
      this.#nextGroup();
    }
  }

  #nextGroup(): void {
    const [gid] = this.#state.loading.keys();
    if (gid === undefined) this.#state.ready = true;
    else this.#ports.scan(new Scan({ namespace: logOf(gid) }), { context: { use: "rows", gid } });
  }

  #recover(gid: string): void {
    const group = this.#state.loading.get(gid);
    this.#state.loading.delete(gid);
    if (group === undefined) return;
    try {
      const { self, durable } = recoveredOf(gid, group.rows, group.records);
      const table = tableOf(group.cells, this.#ports.version());
      this.#ports.loaded(gid, self, { ...durable, applied: table.applied }, table);
    } catch (cause) {
      this.#ports.broken(gid, cause instanceof Error ? cause.message : String(cause));
    }
  }

  #failed({ code, detail }: StorageFailed, again: () => void): void {
    if (code === "KITH_STORAGE_READ" || code === "KITH_STORAGE_BUSY") again();
    else
      throw paxosError(
        "KITH_PAXOS_STORAGE",
        `What was stored cannot be read: ${detail} (${code}).`,
      );
  }
}
