/** The cases that are small enough to be walked through: three rounds, two values, three and four acceptors. */

import { fastRule } from "../fast/fast-rule.ts";
import { singleRule } from "../single/single-rule.ts";
import type { Case } from "./explore.test.ts";

export { explore } from "./explore.test.ts";

/** By name. */
export const smallCases: readonly (readonly [string, Case])[] = [
  ["single-decree Paxos, 3 acceptors", singleCase(3, 3)],
  ["single-decree Paxos, 4 acceptors", singleCase(4, 3)],
  ["Fast Paxos, 3 acceptors, fast classic classic", fastCase(3, true, false, false)],
  ["Fast Paxos, 4 acceptors, fast classic classic", fastCase(4, true, false, false)],
  ["Fast Paxos, 3 acceptors, fast fast classic", fastCase(3, true, true, false)],
  ["Fast Paxos, 4 acceptors, fast fast classic", fastCase(4, true, true, false)],
  ["Fast Paxos, 3 acceptors, fast classic fast", fastCase(3, true, false, true)],
  ["Fast Paxos, 4 acceptors, fast classic fast", fastCase(4, true, false, true)],
];

/** Fast Paxos, with these of its rounds being fast. */
function fastCase(acceptors: number, ...fast: readonly boolean[]): Case {
  const isFast = (round: number): boolean => fast[round] ?? false;
  const rule = fastRule(({ round }) => isFast(round));
  return { rule, acceptors, rounds: fast.length, fast: isFast };
}

/** Single-decree Paxos, with so many ballots; the first one has an owner and needs no promises. */
function singleCase(acceptors: number, rounds: number): Case {
  return { rule: singleRule, acceptors, rounds, fast: () => false };
}
