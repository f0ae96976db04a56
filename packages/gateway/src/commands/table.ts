/** The table of commands: what each is called, how many words it has, where its keys stand, what it does. */

import type { Request } from "../resp/parser.ts";
import { err, type Reply } from "../resp/reply.ts";
import { octetsAt, quoted } from "./arguments.ts";
import { keyCommands } from "./keys.ts";
import { type CommandSpec, spec } from "./spec.ts";
import { stringCommands } from "./strings.ts";

const quick = "noscript loading stale fast";
const admin = "admin noscript loading stale";

const sessionCommands: readonly CommandSpec[] = [
  spec("transactions", "multi", 1, "none", quick, "Begins a transaction."),
  spec(
    "transactions",
    "exec",
    1,
    "none",
    "noscript loading stale",
    "Does what was queued, at one instant.",
  ),
  spec("transactions", "discard", 1, "none", quick, "Forgets what was queued."),
  spec(
    "transactions",
    "watch",
    -2,
    "all",
    quick,
    "Lets EXEC do nothing where one of these keys has changed.",
  ),
  spec("transactions", "unwatch", 1, "none", quick, "Watches nothing any more."),
  spec("connection", "ping", -1, "none", "fast", "Says PONG, or what it was given."),
  spec("connection", "echo", 2, "none", "fast", "Says what it was given."),
  spec(
    "connection",
    "select",
    2,
    "none",
    "loading stale fast",
    "Takes a database: there is number 0.",
  ),
  spec("connection", "quit", -1, "none", `${quick} no_auth`, "Says OK and hangs up."),
  spec(
    "connection",
    "reset",
    1,
    "none",
    `${quick} no_auth`,
    "Makes the connection as if it were new.",
  ),
  spec(
    "connection",
    "hello",
    -1,
    "none",
    `${quick} no_auth`,
    "Chooses RESP2 or RESP3, gives a password and a name.",
  ),
  spec("connection", "auth", -2, "none", `${quick} no_auth`, "Gives the password."),
  spec(
    "connection",
    "client",
    -2,
    "none",
    "noscript loading stale",
    "About this connection and others.",
  ),
  spec("server", "command", -1, "none", "loading stale", "Lists the commands."),
  spec("server", "info", -1, "none", "loading stale", "Tells of the gateway."),
  spec("server", "config", -2, "none", admin, "Tells of settings."),
  spec(
    "server",
    "time",
    1,
    "none",
    "loading stale fast",
    "Tells the time of the calendar at this peer.",
  ),
  spec("generic", "scan", -2, "none", "readonly", "Goes through all keys, page by page."),
  spec("generic", "keys", 2, "none", "readonly", "Gives all keys that match a pattern."),
  spec("generic", "randomkey", 1, "none", "readonly", "Gives some key."),
  spec("server", "dbsize", 1, "none", "readonly fast", "Counts the keys."),
  spec("server", "flushdb", -1, "none", "write", "Deletes all keys, one after the other."),
  spec("server", "flushall", -1, "none", "write", "The same."),
];

/** All commands, in the order of their names. */
export const commands: readonly CommandSpec[] = [
  ...stringCommands,
  ...keyCommands,
  ...sessionCommands,
].toSorted((a, b) => (a.name < b.name ? -1 : 1));

const byName = new Map(commands.map((command) => [command.name, command]));
/** By names as clients write them, so that few are turned into small letters. Bounded by the ways to write a name. */
const asWritten = new Map<string, CommandSpec>();
const asWrittenMax = 1024;

/** A command by its name in any letters. */
export function commandNamed(octets: string): CommandSpec | undefined {
  const known = asWritten.get(octets);
  if (known !== undefined) return known;
  const found = byName.get(octets.toLowerCase());
  if (found !== undefined && asWritten.size < asWrittenMax) asWritten.set(octets, found);
  return found;
}

const quotedMax = 128;

/** How many words what is below a command has, the two first among them. */
const below: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  client: {
    id: 2,
    getname: 2,
    setname: 3,
    setinfo: 4,
    info: 2,
    list: -2,
    "no-evict": 3,
    "no-touch": 3,
    reply: 3,
    tracking: -3,
    help: 2,
  },
  command: { count: 2, list: -2, info: -2, docs: -2, getkeys: -4, help: 2 },
  config: { get: -3, set: -4, resetstat: 2, rewrite: 2, help: 2 },
};

/** The names of what is below a command. */
export function belowNames(name: string): string[] {
  return Object.keys(below[name] ?? {});
}

/** What is wrong with a command before it is looked at: its name, or how many words it has. */
export function faultOf(request: Request, command: CommandSpec | undefined): Reply | undefined {
  if (command === undefined) return unknown(request);
  const { length } = request;
  const { arity, name } = command;
  if ((arity > 0 && length !== arity) || length < -arity)
    return err(`wrong number of arguments for '${name}' command`);
  const subs = below[name];
  if (subs === undefined || length === 1) return undefined;
  const sub = octetsAt(request, 1).toLowerCase();
  const words = Object.hasOwn(subs, sub) ? subs[sub] : undefined;
  if (words === undefined) {
    const asked = quoted(octetsAt(request, 1)).slice(0, quotedMax);
    return err(`unknown subcommand '${asked}'. Try ${name.toUpperCase()} HELP.`);
  }
  if ((words > 0 && length !== words) || length < -words)
    return err(`wrong number of arguments for '${name}|${sub}' command`);
  return undefined;
}

function unknown(request: Request): Reply {
  let words = "";
  for (let at = 1; at < request.length && words.length < quotedMax; at++)
    words += `'${quoted(octetsAt(request, at).slice(0, quotedMax - words.length))}' `;
  const name = quoted(octetsAt(request, 0)).slice(0, quotedMax);
  return err(`unknown command '${name}', with args beginning with: ${words}`);
}
