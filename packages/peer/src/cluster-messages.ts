/** What processes say to each other about their cluster. They speak as processes, not as one of their peers. */

import { message } from "@kith/network";
import type { Genesis } from "./cluster.ts";
import type { ProcessReport } from "./monitor.ts";

/** Which cluster do you belong to? */
export class AskCluster extends message("peer/AskCluster") {}

/** To this one. */
export class TellCluster extends message("peer/TellCluster")<{
  /** Empty where it belongs to none. */
  readonly clusterId: string;
  readonly genesis: Genesis | null;
}> {}

/** Found the replicas that this places at you. Comes from the founder, until it was answered. */
export class Place extends message("peer/Place")<{
  readonly genesis: Genesis;
  /** The storage on which they were placed; another one does not found them. */
  readonly disk: string;
}> {}

/** Those of these peers are founded, or never will be here. */
export class Placed extends message("peer/Placed")<{
  readonly clusterId: string;
  readonly peerIds: readonly number[];
}> {}

/** How are you? */
export class AskProcess extends message("peer/AskProcess") {}

/** So. */
export class TellProcess extends message("peer/TellProcess")<{
  readonly report: ProcessReport;
}> {}
