/** What the suite of Multicast needs of a world, and the component that takes part in it. */

import { AskTimeout, Component } from "@kith/core";
import type { Harness } from "@kith/testing/compliance";
import { bytesText, textBytes } from "../bytes.ts";
import {
  Delivered,
  Expel,
  FallenBehind,
  Join,
  Leave,
  Multicast,
  type MulticastView,
  type Participant,
  Send,
  Sequenced,
  ViewChanged,
} from "../multicast/port.ts";

/** How a provider of Multicast is put to the test: four processes, numbered from 0; any of them may be gone for good. */
export interface MulticastHarness extends Harness {
  /** Lets something happen in the turn of a process's main component, now or soon. */
  enter(index: number, action: (peer: MulticastPeer) => void): void;
  /** Ends a process without a word. */
  readonly crash?: (index: number) => void;
  /** Starts one that has ended, on its data. */
  readonly restart?: (index: number) => void;
  /** Cuts processes off from all others. */
  readonly isolate?: (...indices: readonly number[]) => void;
  /** Ends that. */
  readonly mend?: () => void;
  /** Replaces the provider of a process. */
  readonly swap?: (index: number) => void;
}

/** How many places a group keeps in the suite. */
export const keepPlaces = 200;

/** What a member was given, in order. */
export interface Given {
  readonly place: number;
  /** A message, or the members of a view. */
  readonly what: string;
  readonly from: Participant | null;
  readonly view: MulticastView | null;
}

/** Takes part, and keeps what it is given. Its subclass wires the provider under test. */
export abstract class MulticastPeer extends Component {
  readonly multicast = this.requires(Multicast);
  /** What was given since each time that it became a member. */
  readonly given: Given[][] = [];
  /** The names of answers, in order. */
  readonly answers: string[] = [];
  /** By message that was sent: its place, or the name of another answer. */
  readonly sent = new Map<string, string>();
  isMember = false;
  behind = 0;
  readonly #join = this.multicast.onAnswer(Join, (answer) => this.#took(answer));
  readonly #leave = this.multicast.onAnswer(Leave, (answer) => this.#took(answer));
  readonly #send = this.multicast.onAnswer(Send, (answer, { payload }) => {
    const what = answer instanceof Sequenced ? `${answer.place}` : answer.constructor.name;
    this.sent.set(bytesText(payload), what);
  });

  constructor() {
    super();
    this.multicast.on(ViewChanged, ({ place, view }) => {
      const what = `view ${view.number}: ${view.members.map(nameOf).join(" ")}`;
      if (!this.isMember) this.given.push([]);
      this.isMember = true;
      this.given.at(-1)?.push({ place, what, from: null, view });
    });
    this.multicast.on(Delivered, ({ place, from, payload }) => {
      this.given.at(-1)?.push({ place, what: bytesText(payload), from, view: null });
    });
    this.multicast.on(FallenBehind, () => {
      this.behind++;
      this.isMember = false;
    });
  }

  join(): void {
    this.#join(new Join());
  }
  leave(): void {
    this.#leave(new Leave());
  }
  send(text: string): void {
    this.sent.set(text, "waits");
    this.#send(new Send({ payload: textBytes(text) }));
  }
  expel(member: Participant): void {
    this.multicast.trigger(new Expel({ member }));
  }
  /** The messages it was given, of all times. */
  get messages(): string[] {
    return this.given.flat().flatMap(({ what, from }) => (from === null ? [] : [what]));
  }
  /** The last view it was given. */
  get view(): MulticastView | null {
    return this.given.at(-1)?.findLast(({ view }) => view !== null)?.view ?? null;
  }
  #took(answer: object): void {
    if (answer instanceof AskTimeout) return;
    this.answers.push(answer.constructor.name);
    if (answer.constructor.name === "NotMember") this.isMember = false;
  }
}

/** A participant as text. */
export function nameOf({ peerId, incarnation, joined }: Participant): string {
  return `${peerId}#${incarnation}.${joined}`;
}

/**
 * What contradicts the port's promises in what members were given; null where nothing does.
 *
 * @param all what each member was given from its first view on, of all processes and lives
 */
export function multicastComplaint(all: readonly (readonly Given[])[]): string | null {
  const places = new Map<number, string>();
  for (const given of all) {
    let before = 0;
    let view: MulticastView | null = null;
    for (const { place, what, from, view: now } of given) {
      if (before > 0 && place !== before + 1) return `V1: place ${place} follows ${before}`;
      before = place;
      const known = places.get(place);
      places.set(place, what);
      if (known !== undefined && known !== what)
        return `V1: place ${place} is ${known}, and ${what}`;
      if (now !== null) {
        if (view !== null && now.number !== view.number + 1)
          return `V1: view ${now.number} follows ${view.number}`;
        view = now;
      } else if (
        from !== null &&
        view?.members.some((one) => nameOf(one) === nameOf(from)) !== true
      )
        return `V3: ${what} is of ${nameOf(from)}, which is no member`;
    }
  }
  const seen = new Map<string, number>();
  for (const [place, what] of places) {
    const other = seen.get(what);
    if (other !== undefined) return `V4: ${what} is at ${other} and at ${place}`;
    seen.set(what, place);
  }
  return null;
}
