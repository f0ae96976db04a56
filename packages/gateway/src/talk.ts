/** Commands that are not about keys: the connection, the gateway, and those that go through all keys. */

import { createHash, timingSafeEqual } from "node:crypto";
import { hintsMax } from "@kith/store";
import { integerAt, octetsAt, optionAt, quoted, wrong } from "./commands/arguments.ts";
import { glob } from "./commands/glob.ts";
import { integerOf } from "./commands/numbers.ts";
import { belowNames, commandNamed, commands } from "./commands/table.ts";
import type { CommandSpec } from "./commands/spec.ts";
import {
  allKeys,
  countKeys,
  deleteAll,
  type Errand,
  randomKey,
  scan,
  type World,
} from "./errand.ts";
import type { Request } from "./resp/parser.ts";
import { array, err, error, integer, nothing, ok, pong, type Reply, text } from "./resp/reply.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Session } from "./session.ts";

/** What is told of the gateway and its clients. */
export interface Errands {
  readonly limits: GatewayLimits;
  sessions(): Iterable<Session>;
  /** Lines of INFO by section: names and values. */
  information(): Readonly<Record<string, Readonly<Record<string, string | number>>>>;
}

/** The version of Redis whose replies are given. */
export const redisVersion = "7.0.15";

/** The errand of a command that goes through all keys; undefined for others. */
export function errandOf(
  request: Request,
  name: string,
  host: World & Errands,
): Errand | undefined {
  switch (name) {
    case "scan":
      return scanOf(request, host);
    case "keys":
      return allKeys(glob(octetsAt(request, 1)), host.limits.outputBytesMax / 4, host);
    case "dbsize":
      return countKeys(host);
    case "randomkey":
      return randomKey(hintsMax, host);
    case "flushdb":
    case "flushall": {
      const mode = optionAt(request, 1);
      if (request.length > 2 || !["", "ASYNC", "SYNC"].includes(mode)) wrong("syntax error");
      return deleteAll(host);
    }
    default:
      return undefined;
  }
}

const countDefault = 10;
const countMax = 1000;

function scanOf(request: Request, world: World): Errand {
  const cursor = octetsAt(request, 1);
  // As Redis reads it, but for signs.
  if (!/^[0-9]{0,20}$/.test(cursor) || BigInt(cursor) >= 2n ** 64n) wrong("invalid cursor");
  let count = countDefault;
  let matches: (key: string) => boolean = () => true;
  let type = "string";
  for (let at = 2; at < request.length; at += 2) {
    const option = optionAt(request, at);
    if (at + 1 >= request.length) wrong("syntax error");
    if (option === "COUNT") {
      count = integerAt(request, at + 1);
      if (count < 1) wrong("syntax error");
    } else if (option === "MATCH") matches = glob(octetsAt(request, at + 1));
    else if (option === "TYPE") type = octetsAt(request, at + 1).toLowerCase();
    else wrong("syntax error");
  }
  const from = Number(cursor);
  if (from >= hintsMax) return fixed(array([text("0"), array([])]));
  return scan(from, Math.min(count, countMax), (key) => type === "string" && matches(key), world);
}

// oxlint-disable-next-line require-yield -- an errand that asks for nothing
function* fixed(reply: Reply): Errand {
  return reply;
}

/**
 * Does a command about the connection or the gateway.
 *
 * @param inTurn does something when all before it is done, and gives the reply then
 */
export function talk(
  session: Session,
  request: Request,
  name: string,
  inTurn: (action: () => Reply) => Reply | undefined,
): Reply | undefined {
  switch (name) {
    case "ping":
      return ping(request);
    case "echo":
      return text(octetsAt(request, 1));
    case "select":
      return select(integerAt(request, 1));
    case "auth":
      return auth(session, request);
    case "hello":
      return hello(session, request, inTurn);
    case "reset":
      return inTurn(() => reset(session));
    case "client":
      return client(session, request);
    case "command":
      return command(request);
    case "config":
      return config(session, request);
    case "info":
      return info(session, request);
    case "time": {
      const now = session.host.wall();
      const micros = Math.floor((now % 1000) * 1000);
      return array([text(String(Math.floor(now / 1000))), text(String(micros))]);
    }
    default:
      return err(`'${name}' cannot be done here`);
  }
}

function select(index: number): Reply {
  if (index < -(2 ** 31) || index >= 2 ** 31)
    return err("value is out of range, value must between -2147483648 and 2147483647");
  return index === 0 ? ok : err("DB index is out of range");
}

function ping(request: Request): Reply {
  if (request.length > 2) return err("wrong number of arguments for 'ping' command");
  return request.length === 1 ? pong : text(octetsAt(request, 1));
}

function reset(session: Session): Reply {
  session.forget();
  session.version = 2;
  session.name = "";
  session.trust(session.host.password === null);
  return { kind: "status", text: "RESET" };
}

// --- who is there ------------------------------------------------------------------------------------

const wrongPass = error("WRONGPASS invalid username-password pair or user is disabled.");

function auth(session: Session, request: Request): Reply {
  if (request.length > 3) return err("syntax error");
  const { password } = session.host;
  if (password === null && request.length === 2)
    return err(
      "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
    );
  const user = request.length === 3 ? octetsAt(request, 1) : "default";
  return enter(session, user, octetsAt(request, request.length - 1)) ? ok : wrongPass;
}

/** Lets a client in that knows the password. Where none is asked for, every one is right, as in Redis. */
function enter(session: Session, user: string, given: string): boolean {
  const { password } = session.host;
  const right = user === "default" && (password === null || isSame(given, password));
  if (right) session.trust(true);
  return right;
}

/** Compares in a time that tells nothing. */
function isSame(given: string, password: string): boolean {
  const digest = (secret: string): Buffer =>
    createHash("sha256").update(Buffer.from(secret, "latin1")).digest();
  return timingSafeEqual(digest(given), digest(Buffer.from(password).toString("latin1")));
}

const needsAuth = error(
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);

function hello(
  session: Session,
  request: Request,
  inTurn: (action: () => Reply) => Reply | undefined,
): Reply | undefined {
  let { version } = session;
  let at = 1;
  if (request.length > 1) {
    const asked = octetsAt(request, at++);
    if (!/^-?[0-9]{1,18}$/.test(asked))
      return err("Protocol version is not an integer or out of range");
    if (asked !== "2" && asked !== "3") return error("NOPROTO unsupported protocol version");
    version = asked === "3" ? 3 : 2;
  }
  let name: string | undefined;
  let credentials: readonly [string, string] | undefined;
  for (; at < request.length; at++) {
    const option = optionAt(request, at);
    const more = request.length - 1 - at;
    if (option === "AUTH" && more >= 2) {
      credentials = [octetsAt(request, at + 1), octetsAt(request, at + 2)];
      at += 2;
    } else if (option === "SETNAME" && more >= 1) {
      name = octetsAt(request, ++at);
      if (!isName(name)) return badName;
    } else return err(`Syntax error in HELLO option '${quoted(octetsAt(request, at))}'`);
  }
  if (credentials !== undefined && !enter(session, ...credentials)) return wrongPass;
  if (!session.trusted) return needsAuth;
  if (name !== undefined) session.name = name;
  return inTurn(() => {
    session.version = version;
    return {
      kind: "map",
      pairs: [
        ["server", text("redis")],
        ["version", text(redisVersion)],
        ["proto", integer(version)],
        ["id", integer(session.identity.id)],
        ["mode", text("standalone")],
        ["role", text("master")],
        ["modules", array([])],
      ],
    };
  });
}

const badName = err("Client names cannot contain spaces, newlines or special characters.");

function isName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

// --- CLIENT ------------------------------------------------------------------------------------------

/** The name of what is asked for below a command. */
function belowOf(request: Request): string {
  return octetsAt(request, 1).toLowerCase();
}

function client(session: Session, request: Request): Reply {
  const sub = belowOf(request);
  switch (sub) {
    case "id":
      return integer(session.identity.id);
    case "getname":
      return session.name === "" ? nothing : text(session.name);
    case "setname": {
      const name = octetsAt(request, 2);
      if (!isName(name)) return badName;
      session.name = name;
      return ok;
    }
    case "setinfo":
      return setInfo(session, request);
    case "info":
      return { kind: "verbatim", text: `${lineOf(session)}\n` };
    case "list":
      return list(session, request);
    case "help":
      return help("client");
    case "reply":
      return optionAt(request, 2) === "ON" ? ok : err("only CLIENT REPLY ON is possible here");
    case "tracking":
      return optionAt(request, 2) === "OFF" ? ok : err("CLIENT TRACKING is not possible here");
    default: {
      const choice = optionAt(request, 2);
      return choice === "ON" || choice === "OFF" ? ok : err("syntax error");
    }
  }
}

/** All clients, those of a type (all are normal ones), or those of these numbers. */
function list(session: Session, request: Request): Reply {
  let isListed: (one: Session) => boolean = () => true;
  const option = request.length > 2 ? optionAt(request, 2) : "";
  if (option === "TYPE" && request.length === 4) {
    const type = octetsAt(request, 3).toLowerCase();
    if (!["normal", "master", "replica", "slave", "pubsub"].includes(type))
      return err(`Unknown client type '${quoted(octetsAt(request, 3))}'`);
    isListed = () => type === "normal";
  } else if (option === "ID" && request.length > 3) {
    const ids = new Set<number>();
    for (let at = 3; at < request.length; at++) {
      const id = integerOf(octetsAt(request, at));
      if (id === undefined || id < 1) return err("Invalid client ID");
      ids.add(id);
    }
    isListed = ({ identity }) => ids.has(identity.id);
  } else if (option !== "") return err("syntax error");
  const lines = [...session.host.sessions()].filter(isListed).map((one) => `${lineOf(one)}\n`);
  return { kind: "verbatim", text: lines.join("") };
}

/** What an error about a subcommand says to try. */
function help(name: string): Reply {
  const title = `${name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`;
  const names = belowNames(name).map((one) => one.toUpperCase());
  return array([title, ...names].map((line) => ({ kind: "status", text: line })));
}

function setInfo(session: Session, request: Request): Reply {
  const what = octetsAt(request, 2).toLowerCase();
  const value = octetsAt(request, 3);
  if (what !== "lib-name" && what !== "lib-ver")
    return err(`Unrecognized option '${quoted(octetsAt(request, 2))}'`);
  if (!isName(value)) return err(`${what} cannot contain spaces, newlines or special characters.`);
  if (what === "lib-name") session.library = value;
  else session.libraryVersion = value;
  return ok;
}

function lineOf(session: Session): string {
  const { identity, name, lastAt, lastCommand, version, host } = session;
  const seconds = (since: number): number => Math.floor((host.now() - since) / 1000);
  const fields = {
    id: identity.id,
    addr: identity.address,
    laddr: identity.local,
    fd: identity.id,
    name,
    age: seconds(identity.since),
    idle: seconds(lastAt),
    flags: session.queuedCommands >= 0 ? "x" : "N",
    db: 0,
    multi: session.queuedCommands,
    qbuf: session.waitingBytes,
    cmd: lastCommand === "" ? "NULL" : lastCommand,
    user: "default",
    resp: version,
    "lib-name": session.library,
    "lib-ver": session.libraryVersion,
  };
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

// --- COMMAND, CONFIG, INFO ---------------------------------------------------------------------------

function command(request: Request): Reply {
  if (request.length === 1) return array(commands.map(describe));
  const names = (): string[] => request.slice(2).map((_, i) => octetsAt(request, i + 2));
  switch (belowOf(request)) {
    case "count":
      return integer(commands.length);
    case "help":
      return help("command");
    case "list":
      return listed(request);
    case "info": {
      if (request.length === 2) return array(commands.map(describe));
      return array(
        names().map((name) => {
          const found = commandNamed(name);
          return found === undefined ? nothing : describe(found);
        }),
      );
    }
    case "docs": {
      const found =
        request.length === 2 ? commands : names().flatMap((name) => commandNamed(name) ?? []);
      return { kind: "map", pairs: found.map((one) => [one.name, docsOf(one)]) };
    }
    default:
      return keysIn(request);
  }
}

function listed(request: Request): Reply {
  let isListed: (name: string) => boolean = () => true;
  if (request.length > 2) {
    const kind = optionAt(request, Math.min(3, request.length - 1));
    if (request.length !== 5 || optionAt(request, 2) !== "FILTERBY") return err("syntax error");
    // There are no modules, and no categories.
    if (kind === "PATTERN") isListed = glob(octetsAt(request, 4).toLowerCase());
    else if (kind === "MODULE" || kind === "ACLCAT") isListed = () => false;
    else return err("syntax error");
  }
  return array(commands.filter(({ name }) => isListed(name)).map(({ name }) => text(name)));
}

function docsOf({ summary, group }: CommandSpec): Reply {
  return {
    kind: "map",
    pairs: [
      ["summary", text(summary)],
      ["since", text("1.0.0")],
      ["group", text(group)],
      ["complexity", text("")],
    ],
  };
}

function describe({ name, arity, flags, keys }: CommandSpec): Reply {
  const none = array([]);
  return array([
    text(name),
    integer(arity),
    { kind: "set", items: flags.map((flag) => ({ kind: "status", text: flag })) },
    integer(keys.first),
    integer(keys.last),
    integer(keys.step),
    { kind: "set", items: [] },
    none,
    none,
    none,
  ]);
}

function keysIn(request: Request): Reply {
  const found = commandNamed(octetsAt(request, 2));
  const length = request.length - 2;
  if (found === undefined) return err("Invalid command specified");
  const { arity, keys } = found;
  if (keys.first === 0) return err("The command has no key arguments");
  if ((arity > 0 && length !== arity) || length < -arity)
    return err("Invalid number of arguments specified for command");
  const last = keys.last < 0 ? length + keys.last : keys.last;
  const names: Reply[] = [];
  for (let at = keys.first; at <= last; at += keys.step)
    names.push(text(octetsAt(request, at + 2)));
  return array(names);
}

function config(session: Session, request: Request): Reply {
  const { limits } = session.host;
  const settings: Readonly<Record<string, string>> = {
    appendonly: "yes",
    databases: "1",
    maxclients: String(limits.clientsMax),
    maxmemory: "0",
    "maxmemory-policy": "noeviction",
    "proto-max-bulk-len": String(limits.requestBytesMax),
    save: "",
    timeout: "0",
  };
  switch (belowOf(request)) {
    case "get": {
      const tests = request.slice(2).map((_, i) => glob(octetsAt(request, i + 2).toLowerCase()));
      const found = Object.entries(settings).filter(([name]) => tests.some((test) => test(name)));
      return { kind: "map", pairs: found.map(([name, value]) => [name, text(value)]) };
    }
    case "help":
      return help("config");
    case "resetstat":
      return ok;
    default:
      return err("settings are given where the gateway is started, and do not change");
  }
}

function info(session: Session, request: Request): Reply {
  const all = session.host.information();
  const asked = request.slice(1).map((_, i) => octetsAt(request, i + 1).toLowerCase());
  const isAll = asked.length === 0 || asked.some((one) => /^(default|all|everything)$/.test(one));
  const chosen = Object.entries(all).filter(([name]) => isAll || asked.includes(name));
  const sections = chosen.map(([name, lines]) => {
    const title = `# ${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    return [title, ...Object.entries(lines).map(([key, value]) => `${key}:${value}`), ""].join(
      "\r\n",
    );
  });
  return { kind: "verbatim", text: sections.join("\r\n") };
}
