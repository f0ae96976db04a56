/** The store's machine, as the groups of the scenario have it. */

import type { Machine } from "@kith/paxos";
import {
  answer,
  applyCommand,
  decodeCommand,
  decodeQuery,
  encodeAnswer,
  encodeResult,
} from "../src/index.ts";

export const storeMachine: Machine = {
  versions: [1],
  apply: ({ command, table, index, time }) =>
    encodeResult(
      applyCommand({ table, index, time }, decodeCommand(command), () => {
        throw new Error("nothing is split here");
      }),
    ),
  query: ({ query, table, time }) =>
    encodeAnswer(answer(table, decodeQuery(query), { time, index: 1 })),
};
