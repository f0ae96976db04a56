/** The kith command: reads its arguments, and sets the exit code: 0 only where what was asked for holds. */

import { KithError } from "@kith/core";
import { Command } from "commander";
import { sim, type SimOptions } from "./sim.ts";

const program = new Command("kith")
  .description("Composes, runs and tests peer-to-peer services.")
  .showHelpAfterError();

program
  .command("sim")
  .description("Runs a scenario in the simulator: whether it holds, and what was tried.")
  .argument("[scenario]", "its name, as --list gives it, or the path of a file")
  .option("--seed <seed>", "one seed")
  .option("--seeds <A..B>", "a range of seeds, on all cores; default 1..100")
  .option("--jobs <n>", "how many processes; default one per core")
  .option("--peers <n>", "so many simulated nodes, instead of those that a seed draws")
  .option("--json", "the result for programs")
  .option(
    "--history <file>",
    "writes the history of the failing seed, or of the first, as JSON lines",
  )
  .option("--trace <file>", "writes that run for ShiViz")
  .option("--shrink [file]", "shrinks the failing seed to a scenario file of its own")
  .option("--list", "lists the scenarios, with a paragraph for each")
  .action(async (name: string | undefined, options: SimOptions) => {
    const holds = await sim(name, options, {
      out: (text) => void process.stdout.write(`${text}\n`),
      terminal: process.stderr,
      folder: process.cwd(),
    });
    if (!holds) process.exitCode = 1;
  });

try {
  await program.parseAsync();
} catch (cause) {
  if (!(cause instanceof KithError)) throw cause;
  process.stderr.write(`${cause.message}\n`);
  process.exitCode = 1;
}
