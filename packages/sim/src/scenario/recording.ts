/**
 * A recording of a run: what was sent, handled and stated at every node, with causes, over the network
 * too. Of it two things are made: the causal slice that led to a failure, as text, and the whole run as
 * a log with vector clocks, which ShiViz reads (bestchai.bitbucket.io/shiviz describes the format).
 *
 * It is taken from the kernel's stream of records; a message that arrives is joined with the one that
 * was sent where the codec makes the one of the other.
 */

import { type Event, type InspectionRecord, SchedulePeriodic, type System } from "@kith/core";
import { type Codec, Message, type PeerRef, PlainCodec, type UnknownTag } from "@kith/network";
import { Fact, Perform, Performed } from "./port.ts";

/** Something that happened at a node. */
interface Happening {
  readonly index: number;
  readonly node: string;
  readonly time: number;
  readonly text: string;
  /** What a slice shows: not what the providers of a world do among themselves. */
  readonly shown: boolean;
  /** The path of the component whose doing it was. */
  readonly path: string;
  /** What led to it: the happening in whose handler it was done. */
  readonly cause: number;
  /** The message whose arrival it is was sent there; -1 for anything else. */
  readonly sent: number;
  /** Whether it goes on causing something again and again: that says nothing of why it is so now. */
  readonly periodic: boolean;
}

const providers: ReadonlySet<string> = new Set(["/Timer", "/Network", "/Storage", "/Workload"]);
const sliceMax = 30;
/** From so many happenings a slice goes back. */
const startsMax = 3;

/** Takes down what happens. */
export class Recording {
  readonly #happenings: Happening[] = [];
  /** Which happening an event of a life is, by life and the event's number. */
  readonly #byEvent = new Map<string, number>();
  readonly #sendings = new WeakMap<object, number>();
  readonly #origins = new WeakMap<object, object>();
  #lives = 0;
  /** What the scenario was told: facts and outcomes, in order. */
  readonly #told: number[] = [];
  /** The calls, by their ids; and what the outcomes are about: that is what was asked, too. */
  readonly #calls = new Map<number, string>();
  readonly #outcomes = new Map<number, string>();
  /** What was wrong, where it was not the last thing told that was wrong. */
  #complaint = "";

  /** A codec that passes messages on, and remembers which message has become which. */
  codec(): Codec {
    return new Joining(new PlainCodec(), this.#origins);
  }

  /** Takes down what happens in a life, from now on. */
  attach(system: System, node: string, now: () => number): void {
    const life = ++this.#lives;
    this.note(node, now(), "a life begins");
    system.inspect((record) => this.#take(record, node, life, now()));
  }

  /** Takes down something that no component did. */
  note(node: string, time: number, text: string): void {
    const nobody = { path: "", cause: -1, sent: -1, periodic: false };
    this.#add({ node, time, text, shown: true, ...nobody });
  }

  /**
   * Takes down that the run has failed.
   *
   * @param complaint what was wrong, where it is no fault of what the scenario was told last; else nothing
   */
  failed(complaint: string): void {
    this.#complaint = complaint;
  }

  #take(record: InspectionRecord, node: string, life: number, time: number): void {
    const { kind, path, event, id } = record;
    const cause = this.#byEvent.get(`${life} ${record.cause}`) ?? -1;
    const place = { node, time, path, cause };
    if (kind === "trigger" && event !== undefined) {
      const arrived = event instanceof Message && path === "/Network";
      const sent = arrived ? this.#sentAs(event) : -1;
      const text = arrived ? `gets ${show(event)}` : `${path} ${verb(event)} ${show(event)}`;
      const shown = arrived || !providers.has(path) || event instanceof Perform;
      const periodic = event instanceof SchedulePeriodic;
      const index = this.#add({ ...place, text, shown, sent, periodic });
      this.#byEvent.set(`${life} ${id}`, index);
      if (event instanceof Perform) this.#calls.set(event.id, text);
      if (event instanceof Performed) this.#outcomes.set(index, this.#calls.get(event.id) ?? "");
      if (event instanceof Message && !arrived) this.#sendings.set(event, index);
    } else if (kind === "handle" && path === "/Workload") {
      const told = this.#byEvent.get(`${life} ${id}`);
      if (told !== undefined) this.#told.push(told);
    } else if (kind === "fault" || kind === "killed" || kind === "swapped") {
      const text = `${path} ${kind} ${record.detail}`;
      this.#add({ ...place, text, shown: true, sent: -1, periodic: false });
    }
  }

  #sentAs(event: Event): number {
    return this.#sendings.get(this.#origins.get(event) ?? event) ?? -1;
  }

  #add(what: Omit<Happening, "index">): number {
    const index = this.#happenings.length;
    this.#happenings.push({ index, ...what });
    return index;
  }

  /**
   * What led to the failure, back from what a component told the scenario: the last thing, or where that is not what was
   * wrong, what the complaint names (nodes, values). Its causes, over messages, and where they are not known what the
   * same node had done before.
   */
  slice(): string[] {
    const starts = this.#named();
    if (starts.length === 0) starts.push(this.#told.at(-1) ?? this.#happenings.length - 1);
    const chosen = new Set<number>();
    for (const start of starts) this.#back(start, Math.floor(sliceMax / starts.length), chosen);
    return [...chosen]
      .sort((a, b) => a - b)
      .flatMap((index) => {
        const at = this.#happenings[index];
        return at === undefined
          ? []
          : [`${at.time.toFixed(3).padStart(12)} ms  ${at.node}  ${at.text}`];
      });
  }

  /** Chooses what led to a happening, the latest first. */
  #back(start: number, max: number, chosen: Set<number>): void {
    const enough = chosen.size + max;
    const seen = new Set<number>();
    const queue = [start];
    while (queue.length > 0 && chosen.size < enough) {
      queue.sort((a, b) => a - b);
      const at = this.#happenings[queue.pop() ?? 0];
      if (at === undefined || seen.has(at.index)) continue;
      seen.add(at.index);
      if (at.shown) chosen.add(at.index);
      for (const before of [this.#causeOf(at), at.sent]) if (before >= 0) queue.push(before);
    }
  }

  /** What was told of that the complaint names: first what is about its values and little else, and as late as possible. */
  #named(): number[] {
    // Times are no values; and what has one digit stands for anything.
    const names = this.#complaint.replace(/\d+ ms|\[\d+–\d*\]/g, "").match(/\bn\d+\b|\d{2,}/g);
    const missing = new Set(names);
    const starts: number[] = [];
    while (missing.size > 0 && starts.length < startsMax) {
      let best = { index: -1, values: 0, others: 0, has: new Array<string>() };
      for (const index of this.#told) {
        const { node = "", text = "" } = this.#happenings[index] ?? {};
        const numbers = `${text} ${this.#outcomes.get(index) ?? ""}`.match(/\d{2,}/g);
        const words = [...new Set(numbers)];
        const found = words.filter((word) => missing.has(word));
        const has = missing.has(node) ? [...found, node] : found;
        const [values, others] = [found.length, words.length - found.length];
        const isBetter =
          values > best.values ||
          (values === best.values && (values === 0 || others <= best.others));
        if (has.length > 0 && isBetter) best = { index, values, others, has };
      }
      if (best.index < 0) break;
      starts.push(best.index);
      for (const one of best.has) missing.delete(one);
    }
    return starts;
  }

  /** What caused it; where that says nothing, what was shown of the same node before. */
  #causeOf({ index, node, path, cause, sent }: Happening): number {
    if (cause >= 0 && this.#happenings[cause]?.periodic !== true) return cause;
    if (sent >= 0 || path === "") return -1;
    for (let i = index - 1; i >= Math.max(0, index - 10_000); i--) {
      const other = this.#happenings[i];
      if (other !== undefined && other.node === node && other.shown) return i;
    }
    return -1;
  }

  /** The whole run for ShiViz: a regular expression, an empty line, and two lines for each event. */
  shiviz(): string {
    const clocks = new Map<string, Map<string, number>>();
    const sent = new Map<number, ReadonlyMap<string, number>>();
    const lines = ["(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)", ""];
    for (const { index, node, text, time, shown, sent: origin } of this.#happenings) {
      if (!shown) continue;
      const clock = clocks.get(node) ?? new Map<string, number>();
      clocks.set(node, clock);
      for (const [other, count] of sent.get(origin) ?? [])
        if (other !== node) clock.set(other, Math.max(clock.get(other) ?? 0, count));
      clock.set(node, (clock.get(node) ?? 0) + 1);
      sent.set(index, new Map(clock));
      lines.push(`${node} ${JSON.stringify(Object.fromEntries(clock))}`, `${time} ms: ${text}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

/** Passes messages through another codec, and joins what comes out with what went in. */
class Joining implements Codec {
  readonly #inner: Codec;
  readonly #origins: WeakMap<object, object>;

  constructor(inner: Codec, origins: WeakMap<object, object>) {
    this.#inner = inner;
    this.#origins = origins;
  }

  get name(): string {
    return this.#inner.name;
  }

  get bytes(): number {
    return this.#inner.bytes;
  }

  encode(message: Message, from?: PeerRef): Uint8Array {
    return this.#inner.encode(message, from);
  }

  decode(bytes: Uint8Array): Message | UnknownTag {
    return this.#inner.decode(bytes);
  }

  pass(message: Message, from?: PeerRef): Message | UnknownTag {
    const passed = this.#inner.pass(message, from);
    this.#origins.set(passed, message);
    return passed;
  }

  digest(): number {
    return this.#inner.digest();
  }

  fingerprint(): string {
    return this.#inner.fingerprint();
  }
}

function verb(event: Event): string {
  if (event instanceof Message) return "sends";
  if (event instanceof Fact) return "states";
  if (event instanceof Perform) return "is asked for";
  return event instanceof Performed ? "answers" : "triggers";
}

const shownMax = 120;

/** An event in one line. */
function show(event: Event): string {
  const all = new Map<string, unknown>(Object.entries(event));
  const [from, to] = [all.get("from"), all.get("to")];
  all.delete("from");
  all.delete("to");
  const fields = Object.fromEntries(all);
  const ends = [peerName(" from", from), peerName(" to", to)].join("");
  const text = JSON.stringify(fields, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  const cut = text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
  return `${event.constructor.name} ${cut}${ends}`;
}

function peerName(word: string, peer: unknown): string {
  if (typeof peer !== "object" || peer === null || !("host" in peer)) return "";
  return `${word} ${String(peer.host)}`;
}
