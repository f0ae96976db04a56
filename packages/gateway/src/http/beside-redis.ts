/** HTTP beside a Redis port, whose numbers it tells among its own metrics. */

import { AskTimeout } from "@kith/core";
import { AskTraffic, Listener } from "../listening.ts";
import { HttpServer } from "./http-server.ts";
import { type Measure, redisMeasures } from "./metrics.ts";

interface Telling {
  readonly call: number;
  readonly measures: readonly Measure[];
}

const patienceMs = 1000;

/** An HTTP server whose port `redis` is connected to the Redis port of the same peer. */
export class HttpServerBesideRedis extends HttpServer {
  readonly redis = this.requires(Listener);
  readonly #traffic = this.redis.onAnswer(AskTraffic, (answer, _, { call, measures }: Telling) => {
    const counts = answer instanceof AskTimeout ? {} : answer.counts;
    this.tell(call, [...measures, ...redisMeasures(counts)]);
  });

  protected override collect(call: number, measures: readonly Measure[]): void {
    this.#traffic(new AskTraffic(), { context: { call, measures }, timeout: patienceMs });
  }
}
