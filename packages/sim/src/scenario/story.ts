/**
 * A failure as a scenario of its own: the plan written down, in a file that needs nothing but the
 * scenario that it was found with. It is red as long as the bug is there, and a regression test after.
 */

import type { ComponentClass } from "@kith/core";
import type { Plan } from "./plan.ts";
import type { Scenario } from "./scenario.ts";
import type { Failure } from "./watch.ts";

/** What is written down. */
export interface Story {
  readonly name: string;
  readonly about: string;
  readonly plan: Plan;
}

/** The scenario in which just that happens, whatever the seed. */
export function replay<K extends ComponentClass>(
  scenario: Scenario<K>,
  { name, about, plan }: Story,
): Scenario<K> {
  // What is written down reaches no marks, and need not.
  return { ...scenario, name, about, plan, sometimes: [], succeed: { each: 0, mean: 0 } };
}

/**
 * The text of such a file.
 *
 * @param from the module that exports the scenario, as the file imports it
 * @param exported the name under which it does
 */
export function storyFile({
  exported,
  from,
  plan,
  failure,
}: {
  readonly exported: string;
  readonly from: string;
  readonly plan: Plan;
  readonly failure: Failure;
}): string {
  const name = `${exported}-${String(plan.seed)}`.replaceAll(/[^A-Za-z0-9]+/g, "-");
  const about = `${failure.invariant}: ${failure.complaint}`;
  const { faults, operations = [], ...rest } = plan;
  const lines = (list: readonly object[]): string =>
    list.length === 0
      ? "[]"
      : `[\n${list.map((one) => `      ${JSON.stringify(one)},\n`).join("")}    ]`;
  const fields = Object.entries(rest).map(
    ([field, value]) => `    ${field}: ${JSON.stringify(value)},\n`,
  );
  return `/** Found by seed ${String(plan.seed)}, and shrunk. */

import { replay } from "@kith/sim/scenario";
import { ${exported} } from ${JSON.stringify(from)};

export const story = replay(${exported}, {
  name: ${JSON.stringify(name)},
  about: ${JSON.stringify(about)},
  plan: {
${fields.join("")}    faults: ${lines(faults)},
    operations: ${lines(operations)},
  },
});
`;
}
