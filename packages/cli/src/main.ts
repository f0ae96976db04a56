/** The kith command: reads its arguments, and sets the exit code: 0 only where what was asked for holds. */

import { Command, CommanderError } from "commander";
import {
  declareBench,
  declareClient,
  declareSim,
  declareStart,
  declareUp,
} from "./declarations.ts";
import { cliError } from "./errors.ts";
import { exitCodes, runProgram } from "./failing.ts";
import { versionOf } from "./files.ts";

const out = (text: string): void => void process.stdout.write(`${text}\n`);
const terminal = process.stderr;

const isForPrograms = process.argv.includes("--json");

const program = new Command("kith")
  .description("Composes, runs and tests peer-to-peer services.")
  .version(versionOf(new URL("../package.json", import.meta.url)), "-V, --version")
  .addHelpText(
    "after",
    "\nExit codes: 0 done, 1 failed, 2 a wrong command, 3 nobody can know whether it was done.",
  )
  .showHelpAfterError("(--help says more)")
  // A program that reads JSON is told in JSON what is wrong with its command.
  .configureOutput({ writeErr: (text) => void (isForPrograms || terminal.write(text)) })
  .exitOverride();

declareUp(program, async (options) => {
  const { up } = await import("./peers/up.ts");
  await up(options, terminal, out);
});
declareStart(program, async (options) => {
  const { start } = await import("./peers/start.ts");
  await start(options, terminal, out);
});
const client = async () =>
  new (await import("./peers/client-commands.ts")).PeerClient(terminal, out);
declareClient(program, {
  status: async (options) => (await client()).status(options),
  get: async (key, options) => (await client()).get(key, options),
  put: async (key, value, options) => (await client()).put(key, value, options),
  del: async (keys, options) => (await client()).del(keys, options),
  txn: async (operations, options) => (await client()).txn(operations, options),
  leave: async (options) => (await client()).leave(options),
});
declareBench(program, async (name, options) => {
  const { bench } = await import("./bench/bench-cluster.ts");
  await bench(name, options, terminal, out);
});
declareSim(program, async (name, options) => {
  const { sim } = await import("./sim.ts");
  const holds = await sim(name, options, { out, terminal, folder: process.cwd() });
  if (!holds) process.exitCode = exitCodes.failed;
});

await runProgram(
  async () => {
    try {
      await program.parseAsync();
    } catch (cause) {
      // It has said what is wrong.
      if (!(cause instanceof CommanderError)) throw cause;
      process.exitCode = cause.exitCode === 0 ? exitCodes.done : exitCodes.usage;
      if (cause.exitCode !== 0 && isForPrograms)
        throw cliError("KITH_CLI_ARGUMENT", sentence(cause.message));
    }
  },
  terminal,
  isForPrograms,
);

function sentence(message: string): string {
  const text = message.replace(/^error: /, "");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
