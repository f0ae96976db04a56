/** A look at a cluster from outside, as a guest of its network. */

import { AskTimeout, Component, run } from "@kith/core";
import { real } from "@kith/node";
import { AskView, ClusterView, Monitor, MonitorGuest } from "@kith/peer";
import { cliError } from "../errors.ts";
import { Reasons } from "./reasons.ts";
import type { Security } from "./security.ts";

/** Whom to ask. */
export interface LookOptions {
  /** `host:port`. */
  readonly peers: readonly string[];
  /** How long, in milliseconds. */
  readonly within: number;
  readonly security: Security;
}

class Looker extends Component {
  readonly monitor = this.requires(Monitor);
  #tell: (view: ClusterView | null) => void = () => undefined;
  readonly #look = this.monitor.onAnswer(AskView, (answer) =>
    this.#tell(answer instanceof AskTimeout ? null : answer),
  );

  constructor({ peers }: { readonly peers: readonly string[] }) {
    super();
    const guest = this.create(MonitorGuest, { peers });
    this.connect(guest.ports.monitor, this.monitor);
  }

  look(tell: (view: ClusterView | null) => void): void {
    this.#tell = tell;
    this.enter(() => this.#look(new AskView(), { timeout: 5000 }));
  }
}

/** Looks until somebody answers. @throws KithError `KITH_CLI_UNREACHABLE` */
export async function viewOf({ peers, within, security }: LookOptions): Promise<ClusterView> {
  const reasons = new Reasons(peers);
  const system = await run(
    Looker,
    { peers },
    real({ ...security, log: (record) => void reasons.note(record) }),
  );
  const until = performance.now() + within;
  try {
    for (;;) {
      const view = await new Promise<ClusterView | null>((resolve) =>
        system.instance.look(resolve),
      );
      // This guest is a process, too, and of no interest.
      const processes = view?.processes.filter(({ process }) => process.port !== 0) ?? [];
      if (view !== null && processes.some(({ silent }) => !silent))
        return new ClusterView({ here: view.here, processes, complete: view.complete });
      if (performance.now() >= until)
        throw cliError("KITH_CLI_UNREACHABLE", `No peer has answered (${reasons.text()}).`);
    }
  } finally {
    await system.stop();
  }
}
