/** All suites, by name. The first case of a suite is what the others are compared with. */

import { clientSuites } from "./client/cases.ts";
import { codecSuites } from "./codec/cases.ts";
import { checkerSuites } from "./checkers/cases.ts";
import { suites as coreSuites } from "./core/cases.ts";
import { gatewaySuites } from "./gateway/cases.ts";
import type { Case } from "./harness.ts";
import { networkSuites } from "./network/cases.ts";
import { paxosSuites } from "./paxos/cases.ts";
import { familySuites } from "./paxos/family.ts";
import { overlaySuites } from "./overlay/cases.ts";
import { simSuites } from "./sim/cases.ts";
import { storageSuites } from "./storage/cases.ts";
import { storeSuites } from "./store/cases.ts";
import { simulatedSuites } from "./store/simulated.ts";

/** Suites and their cases. */
export const suites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  ...coreSuites,
  ...paxosSuites,
  ...familySuites,
  ...simSuites,
  ...codecSuites,
  ...storageSuites,
  ...storeSuites,
  ...clientSuites,
  ...gatewaySuites,
  ...simulatedSuites,
  ...networkSuites,
  ...checkerSuites,
  ...overlaySuites,
};
