/**
 * One client: reads its commands, has them done, and gives the replies in the order of the commands.
 *
 * - Commands on one key are done in their order. Commands on different keys may be done in any order and at the same time,
 *   and each is answered when all before it are.
 * - `EXEC`, `WATCH`, `SCAN` and its like, `HELLO`, `RESET` and `QUIT` are barriers: each begins when all before it are
 *   done, and nothing after it begins before its end.
 * - What waits is bounded: beyond, nothing more is read from the client until something is done.
 *
 * It knows no socket: bytes come in by `receive`, pieces and the end go out over `Line`.
 */

import type { Key } from "@kith/store";
import { isAction, type Action } from "./commands/action.ts";
import { keysFrom, octetsAt, WrongArguments } from "./commands/arguments.ts";
import type { CommandSpec } from "./commands/spec.ts";
import { commandNamed, faultOf } from "./commands/table.ts";
import type { Desk } from "./desk.ts";
import { isReplies, laneKeys, type Outcome, transact, type Watched, type World } from "./errand.ts";
import { mistake, unread } from "./failure.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Encoder } from "./resp/encoder.ts";
import { ProtocolError, type Request, RequestParser } from "./resp/parser.ts";
import { array, err, error, noArray, ok, queued, type Reply } from "./resp/reply.ts";
import { type Errands, errandOf, talk } from "./talk.ts";

/** What a session needs of its surroundings. */
export interface SessionHost extends World, Errands {
  readonly limits: GatewayLimits;
  readonly desk: Desk;
  /** Shared by all sessions: it is empty between two turns of one. */
  readonly encoder: Encoder;
  /** Null where none is asked for. */
  readonly password: string | null;
  /** The time of the calendar, in milliseconds. */
  wall(): number;
  /** Calls `session.flush()` soon. */
  flushSoon(session: Session): void;
  /** Says that something is wrong with the gateway itself. */
  complain(what: string, cause: unknown): void;
  readonly counts: Counts;
}

/** What was counted, by name. */
export interface Counts {
  commands: number;
  errors: number;
  protocolErrors: number;
  unknownOutcomes: number;
  hungUp: number;
  /** Attempts at transactions that others got ahead of. */
  overtaken: number;
}

/** The way to a client. */
export interface Line {
  /** Sends pieces. @returns how many bytes wait to be sent */
  send(pieces: readonly Uint8Array[]): number;
  /** Stops, and goes on, to bring bytes. */
  pause(): void;
  resume(): void;
  /** Ends when all that was sent is gone. */
  end(): void;
  /** Ends at once. */
  destroy(): void;
}

/** Who a client is. */
export interface Identity {
  readonly id: number;
  readonly address: string;
  readonly local: string;
  /** When it came, in milliseconds that only grow. */
  readonly since: number;
}

interface Slot {
  reply: Reply | null;
  /** Of the request while it is not done, then of the reply. */
  bytes: number;
  /** Of the protocol, when it was asked for. */
  version: 2 | 3;
  /** What may be done where there is no room for the reply: a look can be made again, a write has happened; null: there is room for one. */
  readonly kind: Action["kind"] | null;
}

/** Between MULTI and EXEC. */
interface Multi {
  readonly queue: { readonly request: Request; readonly command: CommandSpec }[];
  bytes: number;
  /** Whether something was wrong: then EXEC does nothing. */
  broken: boolean;
}

const nobody: Watched = new Map();
const slotBytes = 16;
const inMultiAtOnce = new Set(["exec", "discard", "multi", "watch", "quit", "reset"]);
const notInMulti = new Set(["scan", "keys", "randomkey", "dbsize", "flushdb", "flushall"]);

/** One client. */
export class Session {
  readonly identity: Identity;
  readonly host: SessionHost;
  readonly #line: Line;
  readonly #parser: RequestParser;
  /** Replies that are due, in the order of the commands. */
  #slots: Slot[] = [];
  #first = 0;
  /** Commands that are not done, and their bytes. */
  #open = 0;
  #openBytes = 0;
  /** Bytes of replies that are there and wait for one before them. */
  #replyBytes = 0;
  /** The value that was answered last: many replies with the same one take its room once. */
  #lastValue: Uint8Array | null = null;
  /** What waits for all others to be done. */
  #barrier: (() => void) | null = null;
  #blocked = false;
  #draining = false;
  #paused = false;
  /** What the line has not sent. */
  #unsent = 0;
  #flushing = false;
  #ending = false;
  #gone = false;
  #ended = false;
  #multi: Multi | null = null;
  #watched: Watched = nobody;
  /** The version of the protocol. */
  version: 2 | 3 = 2;
  trusted: boolean;
  name = "";
  library = "";
  libraryVersion = "";
  /** The last command, and when it came. */
  lastCommand = "";
  lastAt: number;

  constructor(identity: Identity, host: SessionHost, line: Line) {
    this.identity = identity;
    this.host = host;
    this.#line = line;
    this.#parser = new RequestParser(host.limits);
    this.trusted = host.password === null;
    this.#parser.trusted = this.trusted;
    this.lastAt = identity.since;
  }

  /** Whether it ends or has ended. */
  get over(): boolean {
    return this.#ending || this.#gone;
  }

  /** How many commands wait between MULTI and EXEC; -1 outside. */
  get queuedCommands(): number {
    return this.#multi?.queue.length ?? -1;
  }

  /** How many bytes of commands wait to be read. */
  get waitingBytes(): number {
    return this.#parser.waiting;
  }

  /** Takes bytes from the client. */
  receive(chunk: Buffer): void {
    if (this.over) return;
    this.#parser.push(chunk);
    this.#drain();
  }

  /** The line is gone. */
  lost(): void {
    this.#gone = true;
    this.#multi = null;
    this.#watched = nobody;
  }

  /** The client sends nothing more: what it has sent is done and answered, and then it is hung up on. */
  ended(): void {
    this.#ended = true;
    this.#drain();
  }

  /** The line has sent what it had. */
  drained(): void {
    this.#unsent = 0;
    this.flush();
  }

  /** Believes the client, or not any more. */
  trust(trusted: boolean): void {
    this.trusted = trusted;
    this.#parser.trusted = trusted;
  }

  /** Forgets a transaction and what was watched. */
  forget(): void {
    this.#multi = null;
    this.#watched = nobody;
  }

  /** Sends the replies that are due, as many as the line takes at a time: the others when those are gone. */
  flush(): void {
    this.#flushing = false;
    if (this.#gone) return;
    const { encoder } = this.host;
    const room = this.#windowBytes - this.#unsent;
    const slots = this.#slots;
    while (this.#first < slots.length && encoder.length <= room) {
      const slot = slots[this.#first];
      const reply = slot?.reply ?? null;
      if (slot === undefined || reply === null) break;
      encoder.write(reply, slot.version);
      this.#replyBytes -= slot.bytes;
      this.#first++;
    }
    if (this.#first === slots.length) {
      this.#slots = [];
      this.#first = 0;
      this.#lastValue = null;
    } else if (this.#first > 256) {
      this.#slots = slots.slice(this.#first);
      this.#first = 0;
    }
    if (encoder.length > 0) this.#unsent = this.#line.send(encoder.take());
    if (this.#ending && this.#slots.length === 0) {
      this.#gone = true;
      return this.#line.end();
    }
    // A line that waits for the client says so when it goes on.
    const isDue = (slots[this.#first]?.reply ?? null) !== null;
    if (isDue && this.#unsent <= this.#windowBytes) this.#flushLater();
    return this.#drain();
  }

  /** Has a barrier's work done when all before it is, and goes on after it. */
  #alone<T>(begin: (settle: (result: T) => void) => void, done: (result: T) => Reply): void {
    const slot = this.#slot(0);
    this.#whenDone(() =>
      begin((result) => {
        this.#settle(slot, done(result));
        this.#unblock();
      }),
    );
  }

  /** Does something when all before it is done. */
  #inTurn(action: () => Reply): void {
    const slot = this.#slot(0);
    this.#whenDone(() => {
      const reply = action();
      slot.version = this.version;
      this.#settle(slot, reply);
      this.#unblock();
    });
  }

  /** Hangs up when all is answered. */
  hangUp(): void {
    this.#ending = true;
    this.#flushLater();
  }

  /** Reads and begins commands as far as that is allowed. */
  #drain(): void {
    // What ends at once would come back here.
    if (this.#draining) return;
    this.#draining = true;
    try {
      while (this.#mayGoOn()) {
        const request = this.#parser.next();
        if (request === undefined) {
          if (this.#ended) this.hangUp();
          break;
        }
        this.#take(request);
      }
    } catch (cause) {
      if (!(cause instanceof ProtocolError)) throw cause;
      this.host.counts.protocolErrors++;
      this.#answer(err(`Protocol error: ${cause.message}`));
      this.hangUp();
    } finally {
      this.#draining = false;
    }
    this.#throttle();
  }

  #mayGoOn(): boolean {
    const { limits } = this.host;
    return (
      !this.over &&
      !this.#blocked &&
      this.#slots.length - this.#first < limits.pendingMax &&
      this.#openBytes <= limits.requestBytesMax &&
      this.#unsent + this.#replyBytes <= this.#windowBytes
    );
  }

  /** How much may be on its way before it waits for the client. */
  get #windowBytes(): number {
    return this.host.limits.outputBytesMax / 4;
  }

  #throttle(): void {
    if (this.#gone) return;
    const goesOn = this.#mayGoOn();
    if (goesOn === !this.#paused) return;
    this.#paused = !goesOn;
    if (this.#paused) this.#line.pause();
    else this.#line.resume();
  }

  #take(request: Request): void {
    const { host } = this;
    host.counts.commands++;
    const name = octetsAt(request, 0);
    const command = commandNamed(name);
    // A web page that was talked into calling here: nothing of what it sends may be done.
    if (command === undefined && /^(post|host:)$/i.test(name)) return this.#refuse();
    const fault = faultOf(request, command) ?? this.#stranger(command);
    if (fault !== undefined || command === undefined) return this.#fail(command, fault ?? ok);
    this.lastCommand = command.name;
    this.lastAt = host.now();
    if (this.#multi !== null && !inMultiAtOnce.has(command.name))
      return this.#queue(this.#multi, request, command);
    try {
      this.#do(request, command);
    } catch (problem) {
      this.#answer(this.#excuse(problem));
    }
    return undefined;
  }

  #refuse(): void {
    this.host.counts.hungUp++;
    this.#gone = true;
    this.#line.destroy();
  }

  /** Answers what is no command, which a transaction does not survive. */
  #fail(command: CommandSpec | undefined, fault: Reply): void {
    if (this.#multi !== null) this.#multi.broken = true;
    if (command?.name !== "exec" || fault.kind !== "error") return this.#answer(fault);
    this.forget();
    const why = fault.text.replace(/^ERR /, "");
    return this.#answer(error(`EXECABORT Transaction discarded because of: ${why}`));
  }

  #stranger(command: CommandSpec | undefined): Reply | undefined {
    if (this.trusted || command?.flags.includes("no_auth") === true) return undefined;
    return error("NOAUTH Authentication required.");
  }

  #do(request: Request, command: CommandSpec): void {
    const { host } = this;
    if (command.plan !== undefined) {
      const planned = command.plan(request, { wall: host.wall() });
      if (!isAction(planned)) return this.#answer(planned);
      const slot = this.#slot(sizeOf(request), planned.kind);
      return host.desk.do(planned, (reply) => this.#settle(slot, reply));
    }
    switch (command.name) {
      case "multi":
        return this.#begin();
      case "exec":
        return this.#exec();
      case "discard":
        if (this.#multi === null) return this.#answer(err("DISCARD without MULTI"));
        this.forget();
        return this.#answer(ok);
      case "watch":
        return this.#watch(keysFrom(request, 1));
      case "unwatch":
        this.#watched = nobody;
        return this.#answer(ok);
      case "quit":
        this.#inTurn(() => {
          this.hangUp();
          return ok;
        });
        return undefined;
      default: {
        const errand = errandOf(request, command.name, host);
        if (errand !== undefined)
          return this.#alone(
            (settle: (reply: Reply) => void) => host.desk.run(errand, settle),
            (reply) => reply,
          );
        const reply = talk(this, request, command.name, (action) => {
          this.#inTurn(action);
          return undefined;
        });
        return reply === undefined ? undefined : this.#answer(reply);
      }
    }
  }

  // --- transactions ----------------------------------------------------------------------------------

  #begin(): void {
    if (this.#multi !== null) return this.#answer(err("MULTI calls can not be nested"));
    this.#multi = { queue: [], bytes: 0, broken: false };
    return this.#answer(ok);
  }

  #queue(multi: Multi, request: Request, command: CommandSpec): void {
    const { limits } = this.host;
    const refuse = (message: string): void => {
      multi.broken = true;
      this.#answer(err(message));
    };
    if (notInMulti.has(command.name)) return refuse("Command not allowed inside a transaction");
    multi.bytes += sizeOf(request);
    if (multi.queue.length >= limits.queuedMax || multi.bytes > limits.requestBytesMax)
      return refuse("too many commands wait for EXEC");
    // What was received is not kept.
    multi.queue.push({ request: request.map((part) => Buffer.from(part)), command });
    return this.#answer(queued);
  }

  #exec(): void {
    const multi = this.#multi;
    if (multi === null) return this.#answer(err("EXEC without MULTI"));
    const watched = this.#watched;
    this.forget();
    if (multi.broken)
      return this.#answer(error("EXECABORT Transaction discarded because of previous errors."));
    const actions: Action[] = [];
    const replies: (number | (() => Reply))[] = [];
    for (const { request, command } of multi.queue) {
      const planned = this.#planned(request, command);
      if (typeof planned === "function" || !isAction(planned))
        replies.push(typeof planned === "function" ? planned : () => planned);
      else replies.push(actions.push(planned) - 1);
    }
    const { host } = this;
    return this.#alone(
      (settle: (outcome: Outcome) => void) => {
        const errand = transact(actions, watched, host, host.now());
        host.desk.transact(laneKeys(actions, watched), errand, settle);
      },
      (outcome) => {
        if (outcome === "changed") return noArray;
        if (!isReplies(outcome)) return outcome;
        return array(
          replies.map((one) => (typeof one === "number" ? (outcome[one] ?? ok) : one())),
        );
      },
    );
  }

  #planned(request: Request, command: CommandSpec): Action | Reply | (() => Reply) {
    try {
      if (command.plan !== undefined) return command.plan(request, { wall: this.host.wall() });
    } catch (problem) {
      return this.#excuse(problem);
    }
    if (command.name === "unwatch") return ok;
    return () => {
      try {
        return talk(this, request, command.name, (action) => action()) ?? ok;
      } catch (problem) {
        return this.#excuse(problem);
      }
    };
  }

  #watch(keys: readonly Key[]): void {
    if (this.#multi !== null) return this.#answer(err("WATCH inside MULTI is not allowed"));
    const { limits } = this.host;
    if (this.#watched.size + keys.length > limits.queuedMax)
      return this.#answer(err("too many keys are watched"));
    const { desk, past } = this.host;
    return this.#alone(
      (settle: (versions: Watched | Reply) => void) => desk.versionsOf(keys, settle),
      (versions) => {
        if ("kind" in versions) return versions;
        for (const [key, version] of versions) past.saw(key, version);
        // A key that is watched again has to be as it was at first.
        this.#watched = new Map([...versions, ...this.#watched]);
        return ok;
      },
    );
  }

  // --- replies -----------------------------------------------------------------------------------------

  #excuse(problem: unknown): Reply {
    if (problem instanceof WrongArguments) return problem.reply;
    this.host.complain("a command could not be done", problem);
    return mistake;
  }

  #answer(reply: Reply): void {
    if (reply.kind === "error") this.host.counts.errors++;
    const bytes = bytesOf(reply);
    this.#replyBytes += bytes;
    this.#slots.push({ reply, bytes, version: this.version, kind: null });
    this.#flushLater();
  }

  #slot(bytes: number, kind: Action["kind"] | null = null): Slot {
    const slot: Slot = { reply: null, bytes, version: this.version, kind };
    this.#slots.push(slot);
    this.#open++;
    this.#openBytes += bytes;
    return slot;
  }

  /** The reply, where there is room for it. What was written is answered so or not at all. */
  #fitting(slot: Slot, reply: Reply, bytes: number): Reply {
    const { limits } = this.host;
    const room = limits.outputBytesMax - this.#unsent - this.#replyBytes;
    if (slot.kind === null || bytes <= room || bytes <= slotBytes) return reply;
    if (slot.kind === "read") return unread;
    if (!this.#gone) this.#refuse();
    return reply;
  }

  #settle(slot: Slot, given: Reply): void {
    const isSame = given.kind === "bytes" && given.bytes === this.#lastValue;
    if (given.kind === "bytes") this.#lastValue = given.bytes;
    const bytes = isSame ? slotBytes : bytesOf(given);
    const reply = this.#fitting(slot, given, bytes);
    if (reply.kind === "error") {
      this.host.counts.errors++;
      if (reply.text.startsWith("UNKNOWN")) this.host.counts.unknownOutcomes++;
    }
    slot.reply = reply;
    this.#open--;
    this.#openBytes -= slot.bytes;
    slot.bytes = reply === given ? bytes : bytesOf(reply);
    this.#replyBytes += slot.bytes;
    this.#flushLater();
    const barrier = this.#barrier;
    // The slot of the barrier itself is open.
    if (barrier === null || this.#open > 1) return;
    this.#barrier = null;
    barrier();
  }

  #whenDone(action: () => void): void {
    this.#blocked = true;
    if (this.#open === 1) action();
    else this.#barrier = action;
  }

  #unblock(): void {
    this.#blocked = false;
    this.#drain();
  }

  #flushLater(): void {
    if (this.#flushing || this.#gone) return;
    this.#flushing = true;
    this.host.flushSoon(this);
  }
}

/** About how many bytes a reply takes. */
function bytesOf(reply: Reply): number {
  switch (reply.kind) {
    case "bytes":
      return reply.bytes.length + slotBytes;
    case "text":
    case "verbatim":
      return reply.text.length + slotBytes;
    case "array":
    case "set":
      return reply.items.reduce((bytes, item) => bytes + bytesOf(item), slotBytes);
    case "map":
      return reply.pairs.reduce((bytes, [, value]) => bytes + 2 * slotBytes + bytesOf(value), 0);
    case "status":
    case "error":
    case "integer":
    case "null":
    case "no-array":
      return slotBytes;
  }
}

function sizeOf(request: Request): number {
  let bytes = 0;
  for (const part of request) bytes += part.length + 16;
  return bytes;
}
