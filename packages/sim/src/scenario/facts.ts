/** Invariants and marks about facts of one class, which are most of them: what comes is of that class, and nothing else is asked. */

import type { Fact, FactClass } from "./port.ts";
import type { Invariant, Sometimes } from "./scenario.ts";
import { isReport, type Reported, type View } from "./view.ts";

/**
 * What an invariant has beside its name: it judges each fact of a class as it is stated.
 *
 * @param begin makes the judge of one run, with a state of its own; it says what is wrong, or nothing
 */
export function eachFact<F extends Fact>(
  cls: FactClass<F>,
  begin: () => (report: Reported<F>, view: View) => string | undefined,
): Pick<Invariant, "inputs" | "begin"> {
  return {
    inputs: [cls],
    begin: () => {
      const judge = begin();
      return (view) => (isReport(view.news, cls) ? judge(view.news, view) : undefined);
    },
  };
}

/** What a mark has beside its name: it is reached when such a fact is stated; without `when`, any of the class. */
export function someFact<F extends Fact>(
  cls: FactClass<F>,
  when: (report: Reported<F>) => boolean = () => true,
): Pick<Sometimes, "inputs" | "begin"> {
  return {
    inputs: [cls],
    begin:
      () =>
      ({ news }) =>
        isReport(news, cls) && when(news),
  };
}
