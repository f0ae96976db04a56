/** What members and clients of a store say to each other, for whoever stands between them and a Network that carries more. */

import { Bundle, GroupCalls, GroupReplies } from "@kith/paxos";
import { TxAsk, TxTold } from "./status-messages.ts";
import { WatchAsk, WatchNews } from "./watch-messages.ts";

/** The classes of all messages that a member or a client handles under its own identity. */
export const storeMessages = [
  Bundle,
  GroupCalls,
  GroupReplies,
  TxAsk,
  TxTold,
  WatchAsk,
  WatchNews,
] as const;
