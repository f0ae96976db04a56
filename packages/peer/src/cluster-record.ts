/**
 * What a process keeps of its cluster, durably: who it is, what was founded, and how far the founding is here. As text, because a
 * person may have to read it one day.
 */

import type { KnownGroup } from "@kith/store";
import type { Founders, Genesis } from "./cluster.ts";
import { peerError } from "./errors.ts";

/** The record. Plain data. */
export interface ClusterRecord {
  readonly clusterId: string;
  /** Drawn with the record: tells this storage from one that was put in its place. */
  readonly disk: string;
  /** At the founder: how it was to be founded. */
  readonly create: Founders | null;
  readonly genesis: Genesis | null;
  /** At the founder: on which storage each process has its replicas, by address. No other one is told to found them. */
  readonly disks: Readonly<Record<string, string>>;
  /** At the founder: the peers whose replicas are founded. */
  readonly placed: readonly number[];
  /** Whether this process was told to found its replicas, and whether it has. */
  readonly told: boolean;
  readonly settled: boolean;
}

/** Where it lies in the storage of the process. */
export const recordNamespace = "kith.cluster";

/** A record of a cluster of which nothing else is known. */
export function recordOf(
  clusterId: string,
  disk: string,
  create: Founders | null = null,
): ClusterRecord {
  const nothing = { genesis: null, disks: {}, placed: [], told: false, settled: false };
  return { clusterId, disk, create, ...nothing };
}

/** The record as text. */
export function writeRecord(record: ClusterRecord): string {
  return JSON.stringify({ format: 1, ...record });
}

/** The record out of its text. @throws KithError `KITH_PEER_RECORD` */
export function readRecord(text: string): ClusterRecord {
  try {
    const all = fieldsOf(JSON.parse(text));
    if (all["format"] !== 1) throw new Error(`its format is ${String(all["format"])}`);
    const { clusterId, disk, create, genesis, disks, placed, told, settled } = all;
    if (typeof told !== "boolean" || typeof settled !== "boolean")
      throw new Error("a mark is missing");
    return {
      clusterId: textOf(clusterId),
      disk: textOf(disk),
      create: create === null ? null : foundersOf(create),
      genesis: genesis === null ? null : genesisOf(genesis),
      disks: Object.fromEntries(
        Object.entries(fieldsOf(disks)).map(([address, one]) => [address, textOf(one)]),
      ),
      placed: listOf(placed, numberOf),
      told,
      settled,
    };
  } catch (cause) {
    throw peerError("KITH_PEER_RECORD", "The record of the cluster cannot be read.", cause);
  }
}

function foundersOf(value: unknown): Founders {
  const { peers, groups, replicas, ordered } = fieldsOf(value);
  return {
    peers: numberOf(peers),
    ...(groups === undefined ? {} : { groups: numberOf(groups) }),
    ...(replicas === undefined ? {} : { replicas: numberOf(replicas) }),
    ...(ordered === undefined ? {} : { ordered: ordered === true }),
  };
}

function genesisOf(value: unknown): Genesis {
  const { clusterId, ordered, groups } = fieldsOf(value);
  return {
    clusterId: textOf(clusterId),
    ordered: ordered === true,
    groups: listOf(groups, groupOf),
  };
}

function groupOf(value: unknown): KnownGroup {
  const { descriptor, members } = fieldsOf(value);
  const { gid, epoch, lo, hi } = fieldsOf(descriptor);
  return {
    descriptor: {
      gid: textOf(gid),
      epoch: numberOf(epoch),
      lo: textOf(lo),
      hi: hi === null ? null : textOf(hi),
    },
    members: listOf(members, (one) => {
      const { peerId, host, port } = fieldsOf(one);
      return { peerId: numberOf(peerId), host: textOf(host), port: numberOf(port) };
    }),
  };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error("a part is missing");
  return { ...value };
}

function listOf<T>(value: unknown, item: (value: unknown) => T): T[] {
  if (!Array.isArray(value)) throw new Error("a list is missing");
  return value.map((one: unknown) => item(one));
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error("a text is missing");
  return value;
}

function numberOf(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value))
    throw new Error("a number is missing");
  return value;
}
