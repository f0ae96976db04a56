/**
 * The membership of a group: who holds a replica, and who of them votes.
 *
 * A replica's id is given out once and never again (G8): a peer that comes back is another member. Where the entry that gave
 * one is cut off before it is committed, the id is free again. Its first holder is a learner of nobody then: it answers
 * only leaders in whose membership it is, and there is one of those in a term.
 * Two configurations that follow each other differ by one voter at most (G5), so that any majority
 * of the one meets any majority of the other (Ongaro 2014, §4.1).
 */

import type { ByteReader, ByteWriter } from "./bytes.ts";
import { ensure } from "./errors.ts";

/** Names a replica within its group: an integer from 1 up; 0 where there is none. */
export type ReplicaId = number;

/** Where a peer is found. */
export interface PeerAddress {
  readonly peerId: number;
  readonly host: string;
  readonly port: number;
  /** In which life it was heard of there; left out where it never was, as in a membership. */
  readonly incarnation?: number;
  /** As in `PeerRef`, beside the incarnation. */
  readonly rebirth?: number;
}

/** One replica of a group. */
export interface Member extends PeerAddress {
  readonly replicaId: ReplicaId;
  /** Whether it votes; a learner receives everything and counts for nothing. */
  readonly voter: boolean;
}

/** Who belongs to a group. Plain data. */
export interface Config {
  /** Grows with each change (G7); 0 for a replica that has not heard of its group yet. */
  readonly epoch: number;
  readonly members: readonly Member[];
  /** The id of the next member to come. */
  readonly nextReplicaId: ReplicaId;
}

/** One change of the membership. */
export type Change =
  | { readonly kind: "add-learner"; readonly peer: PeerAddress }
  | { readonly kind: "promote"; readonly replicaId: ReplicaId }
  | { readonly kind: "remove"; readonly replicaId: ReplicaId };

/** The configuration of a replica that knows nothing yet. */
export const noConfig: Config = { epoch: 0, members: [], nextReplicaId: 1 };

/** Whether a group can have this id: it stands in the names of namespaces. */
export function isGroupName(gid: string): boolean {
  return /^[!-~]{1,100}$/.test(gid);
}

/** Why these peers cannot found a group, or come to one; null where they can. */
export function peersProblem(peers: readonly PeerAddress[]): string | null {
  const ids = new Set<number>();
  for (const { peerId, host, port } of peers) {
    if (!(Number.isSafeInteger(peerId) && peerId >= 0))
      return `a peer cannot have the id ${peerId}`;
    if (!(Number.isSafeInteger(port) && port >= 0 && port < 65_536) || host === "")
      return `peer ${peerId} cannot be at ${host}:${port}`;
    // One peer has one replica: the second would put an end to the first.
    if (ids.has(peerId)) return `peer ${peerId} stands there twice`;
    ids.add(peerId);
  }
  return null;
}

/** The configuration with which a group is founded: all of them vote. */
export function foundingConfig(peers: readonly PeerAddress[]): Config {
  return {
    epoch: 1,
    members: peers.map(({ peerId, host, port }, i) => ({
      replicaId: i + 1,
      peerId,
      host,
      port,
      voter: true,
    })),
    nextReplicaId: peers.length + 1,
  };
}

/** The member of that id. */
export function memberOf(config: Config, replicaId: ReplicaId): Member | undefined {
  return config.members.find((member) => member.replicaId === replicaId);
}

/** Whether the replica votes. */
export function isVoter(config: Config, replicaId: ReplicaId): boolean {
  return memberOf(config, replicaId)?.voter === true;
}

/** Those who vote. */
export function votersOf(config: Config): readonly Member[] {
  return config.members.filter(({ voter }) => voter);
}

/** Whether more than half of the voters satisfy a condition. No voters are no majority. */
export function isMajority(config: Config, satisfies: (replicaId: ReplicaId) => boolean): boolean {
  let voters = 0;
  let yes = 0;
  for (const { replicaId, voter } of config.members) {
    if (!voter) continue;
    voters++;
    if (satisfies(replicaId)) yes++;
  }
  return yes * 2 > voters;
}

/** The greatest number that more than half of the voters have reached; 0 without voters. */
export function majorityReached(config: Config, reached: (replicaId: ReplicaId) => number): number {
  // There are few of them, and this is asked with each answer: comparing each with all is cheaper than sorting.
  const counts = ({ voter }: Member): boolean => voter;
  let best = 0;
  for (const one of config.members) {
    const value = counts(one) ? reached(one.replicaId) : 0;
    if (value <= best) continue;
    let voters = 0;
    let there = 0;
    for (const other of config.members) {
      if (!counts(other)) continue;
      voters++;
      if (reached(other.replicaId) >= value) there++;
    }
    if (there * 2 > voters) best = value;
  }
  return best;
}

/** The configuration after a change, or why there is none, in words. */
export function changed(config: Config, change: Change): Config | string {
  const { epoch, members, nextReplicaId } = config;
  const next = { epoch: epoch + 1, nextReplicaId };
  if (change.kind === "add-learner") {
    const { peerId, host, port } = change.peer;
    if (members.some((member) => member.peerId === peerId)) return `peer ${peerId} is a member`;
    const problem = peersProblem([change.peer]);
    if (problem !== null) return problem;
    const learner = { replicaId: nextReplicaId, peerId, host, port, voter: false };
    return { ...next, members: [...members, learner], nextReplicaId: nextReplicaId + 1 };
  }
  const { replicaId } = change;
  const member = memberOf(config, replicaId);
  if (member === undefined) return `there is no replica ${replicaId}`;
  if (change.kind === "promote") {
    if (member.voter) return `replica ${replicaId} votes already`;
    return {
      ...next,
      members: members.map((one) => (one === member ? { ...one, voter: true } : one)),
    };
  }
  if (member.voter && votersOf(config).length === 1) return "the last voter cannot be removed";
  return { ...next, members: members.filter((one) => one !== member) };
}

/** Asserts G5, G7 and G8 between a configuration and the one that follows it. */
export function ensureFollows(before: Config, after: Config): void {
  if (before.epoch === 0) return;
  ensure(after.epoch > before.epoch, "G7", () => `epoch ${after.epoch} follows ${before.epoch}`);
  const old = new Set(votersOf(before).map(({ replicaId }) => replicaId));
  const now = new Set(votersOf(after).map(({ replicaId }) => replicaId));
  const gone = [...old].filter((id) => !now.has(id)).length;
  const come = [...now].filter((id) => !old.has(id)).length;
  ensure(gone + come <= 1, "G5", () => `${gone} voters went and ${come} came at once`);
  for (const { replicaId } of after.members) {
    const known = memberOf(before, replicaId) !== undefined;
    ensure(
      known || replicaId >= before.nextReplicaId,
      "G8",
      () => `replica id ${replicaId} was given out again`,
    );
  }
}

/** A configuration as bytes. */
export function writeConfig(writer: ByteWriter, { epoch, members, nextReplicaId }: Config): void {
  writer.count(epoch).count(nextReplicaId).count(members.length);
  for (const { replicaId, peerId, host, port, voter } of members)
    writer
      .count(replicaId)
      .count(peerId)
      .text(host)
      .count(port)
      .count(voter ? 1 : 0);
}

/** Reads what `writeConfig` wrote. */
export function readConfig(reader: ByteReader): Config {
  const epoch = reader.count();
  const nextReplicaId = reader.count();
  const members: Member[] = [];
  for (let left = reader.count(); left > 0; left--) {
    members.push({
      replicaId: reader.count(),
      peerId: reader.count(),
      host: reader.text(),
      port: reader.count(),
      voter: reader.count() === 1,
    });
  }
  return { epoch, members, nextReplicaId };
}
