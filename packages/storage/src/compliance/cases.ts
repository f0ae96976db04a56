/** What must hold for every provider of Storage, one case each. */

import type { Case } from "@kith/testing/compliance";
import { durabilityCases } from "./durability.ts";
import type { StorageHarness } from "./harness.ts";
import { keyCases } from "./key-cases.ts";
import { logCases } from "./log-cases.ts";
import { snapshotCases } from "./snapshot-cases.ts";
import { batchCases } from "./batch-cases.ts";

/** The cases of the suite. */
export const storageCases: readonly Case<StorageHarness>[] = [
  ...keyCases,
  ...logCases,
  ...batchCases,
  ...snapshotCases,
  ...durabilityCases,
];
