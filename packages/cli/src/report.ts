/** What a suite came to, as text for people. */

import { allKinds, type Failure, type SuiteResult } from "@kith/sim/scenario";

/** A few lines: what was run, what struck, what was reached, and what is wrong. */
export function suiteText(result: SuiteResult): string {
  const { scenario, seeds, operations, checked, injected, reached, without, unstruck, cold } =
    result;
  const { invoked, ok, fail, info } = operations;
  const struck = allKinds
    .filter((kind) => injected[kind] > 0)
    .map((kind) => `${kind} ${injected[kind]}`);
  const lines = [
    `${scenario}: ${seeds} ${seeds === 1 ? "seed" : "seeds"}, ${Math.round(result.time / 1000)} simulated seconds, ${result.steps} steps`,
    `  operations   ${invoked}: ${ok} ok, ${fail} failed, ${info} unknown`,
    `  checked      ${Object.entries(checked)
      .map(([name, times]) => `${name} ${times}`)
      .join(", ")}`,
    `  injected     ${struck.length === 0 ? "nothing" : struck.join(", ")}`,
  ];
  // In a few runs most of them do not come up.
  if (seeds >= 200 && unstruck.length > 0) lines.push(`  not injected ${unstruck.join(", ")}`);
  const reasons = new Map<string, string[]>();
  for (const [kind, why] of Object.entries(without))
    reasons.set(why, [...(reasons.get(why) ?? []), kind]);
  const excluded = [...reasons].map(([why, kinds]) => `${kinds.join(", ")} (${why})`);
  if (excluded.length > 0) lines.push(`  excluded     ${excluded.join("; ")}`);
  const marks = Object.entries(reached).map(([name, runs]) => `${name} ${runs}`);
  if (marks.length > 0) lines.push(`  reached      ${marks.join(", ")}`);
  const paths = Object.entries(cold).map(([name, count]) => `${name} ${count}`);
  if (paths.length > 0) lines.push(`  cold paths   ${paths.join(", ")}`);
  return lines.join("\n");
}

/** A failure, with what led to it and how to see it again. */
export function failureText(
  seed: number | string,
  { invariant, complaint, time }: Failure,
  slice: readonly string[],
  command: string,
): string {
  return [
    `Seed ${seed} fails at ${time} ms: ${invariant}`,
    `  ${complaint}`,
    "What led to it:",
    ...slice.map((line) => `  ${line}`),
    "Again:",
    `  ${command}`,
  ].join("\n");
}
