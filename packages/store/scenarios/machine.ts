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
  apply: ({ command, table, index, time, spawn }) =>
    encodeResult(applyCommand({ table, index, time }, decodeCommand(command), spawn)),
  query: ({ query, table, time, index }) =>
    encodeAnswer(answer(table, decodeQuery(query), { time, index })),
};
