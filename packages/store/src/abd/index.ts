/** The store on consistent quorums: registers without a leader (algorithms.md §6.2). */

export { AbdReplica, type AbdReplicaInit } from "./abd-replica.ts";
export { AbdStore, type AbdStoreInit } from "./abd-store.ts";
export { followersOf, majorityOf, type View, type ViewChange, viewName } from "./view.ts";
export { ChangeView, ListViews, ViewChanged, ViewList, Views } from "./views-port.ts";
