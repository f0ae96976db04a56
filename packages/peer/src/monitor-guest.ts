/** The monitor for a process that is of no cluster: it finds one by an address, and shows that. */

import { Component } from "@kith/core";
import { Cluster } from "./cluster.ts";
import { MonitorServer } from "./monitor-server.ts";
import { Switchboard } from "./peer-network.ts";

/** Belongs to no cluster. */
class NoCluster extends Component {
  readonly cluster = this.provides(Cluster);
}

/** Provides Monitor to a guest of the network. In its views `here` says nothing; `processes` is empty where nobody has answered. */
export class MonitorGuest extends Component {
  readonly monitor;

  /** @param init the addresses to begin with, `host:port` */
  constructor({ peers }: { readonly peers: readonly string[] }) {
    super();
    const none = this.create(NoCluster);
    const board = this.create(Switchboard);
    const server = this.create(MonitorServer, { seeds: peers }, { name: "Monitor" });
    this.connect(none.ports.cluster, server.ports.cluster);
    this.connect(board.ports.connections, server.ports.connections);
    this.monitor = this.exposes(server.ports.monitor);
  }
}
