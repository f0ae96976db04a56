/** What a process tells of itself as numbers for Prometheus. */

import type { ProcessReport } from "@kith/peer";
import type { Measure } from "./metrics.ts";

/** The numbers of a process and its peers. */
export function measuresOf({ phase, peers, connections }: ProcessReport): Measure[] {
  const measures: Measure[] = [
    {
      name: "kith_ready",
      help: "Whether the store is founded here.",
      kind: "gauge",
      value: phase === "ready" ? 1 : 0,
    },
    {
      name: "kith_connections",
      help: "Processes that it is connected to.",
      kind: "gauge",
      value: connections,
    },
  ];
  for (const { peer, state, ring, groups, counters } of peers) {
    const labels = { peer: String(peer.peerId) };
    const add = (kind: Measure["kind"], name: string, help: string, value: number): void =>
      void measures.push({ kind, name, help, value, labels });
    add("gauge", "kith_peer_up", "Whether the peer runs.", state === "up" ? 1 : 0);
    add("gauge", "kith_peer_in_ring", "Whether it is in the ring.", ring === "in" ? 1 : 0);
    const led = groups.filter(({ role }) => role === "leader").length;
    add("gauge", "kith_groups", "Groups of which it has a replica.", groups.length);
    add("gauge", "kith_groups_led", "Groups that it leads.", led);
    const lost = groups.filter(({ leader }) => leader === null).length;
    add("gauge", "kith_groups_without_leader", "Groups without a leader that it knows.", lost);
    const halted = groups.filter((group) => group.halted !== null).length;
    add("gauge", "kith_groups_halted", "Groups whose replica here has stopped.", halted);
    const { done, notDone, unknown, open, restarts } = counters;
    for (const [outcome, value] of Object.entries({ done, not_done: notDone, unknown }))
      measures.push({
        name: "kith_store_requests_total",
        help: "Requests of the store that have ended, by their outcome.",
        kind: "counter",
        value,
        labels: { ...labels, outcome },
      });
    add("gauge", "kith_store_requests_open", "Requests of the store under way.", open);
    add("counter", "kith_restarts_total", "Parts that were restarted after a fault.", restarts);
  }
  // Prometheus wants all lines of a name together.
  const names = [...new Set(measures.map(({ name }) => name))];
  return names.flatMap((name) => measures.filter((one) => one.name === name));
}
