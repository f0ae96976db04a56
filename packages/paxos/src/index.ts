/** Consensus: the replicated group. */

export { Bundle, bundled, messagesIn, type WireAppend, type WireMessage } from "./bundle.ts";
export { bytesText, ByteReader, ByteWriter, octetBytes, octetsOf, textBytes } from "./bytes.ts";
export { GroupClient, type GroupClientInit } from "./client/group-client.ts";
export { heardOf, met, type PeerBook, sharing } from "./decide/peer-book.ts";
export { type Asked, type Caller, Gate, type GateBatches, GroupGate } from "./client/group-gate.ts";
export { GroupCalls, GroupReplies } from "./client/messages.ts";
export { Execute, Executed, Inquire, Know, Replicated, Turned } from "./client/port.ts";
export type { Change, Config, Member, PeerAddress, ReplicaId } from "./config.ts";
export type { PaxosErrorCode } from "./errors.ts";
export { type GroupsInit, ReplicatedGroups, replicatedGroups } from "./host.ts";
export {
  type Applying,
  type Machine,
  type Querying,
  type TableReader,
  type TableWriter,
  utf8Key,
} from "./machine.ts";
export {
  Applied,
  AskGroups,
  AskStatus,
  Busy,
  Changed,
  ChangeMembers,
  Consensus,
  ConsensusAnswer,
  Done,
  Follow,
  Found,
  Founded,
  GroupHalted,
  GroupLeft,
  GroupsHere,
  GroupSpawned,
  LeaderChanged,
  MembersChanged,
  NotLeader,
  PeerAt,
  Peek,
  Propose,
  Query,
  Refused,
  type Standing,
  Status,
  TransferLeadership,
  Transferring,
  Unknown,
  Upgrade,
} from "./port.ts";
export {
  inSession,
  openSession,
  type SessionCommand,
  type SessionOptions,
  type SessionResult,
  sessionResult,
  withSessions,
} from "./sessions.ts";
export { defaultSettings, type GroupSettings, type LeaseSettings, quietTick } from "./settings.ts";
