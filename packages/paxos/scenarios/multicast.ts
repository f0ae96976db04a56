/**
 * Group multicast under all faults: clients send at any node, members crash, come back and are removed, and views
 * change all the while. What every member was ever given, also one that has crashed since, has to be a gapless piece of
 * one sequence (V1, V2), each message in a view that has its sender (V3), once and in the order of sending (V4); and
 * what was answered has to be where the answer says (V5).
 */

import {
  AskTimeout,
  Component,
  event,
  KithError,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import type { PeerRef } from "@kith/network";
import {
  exponential,
  Fact,
  isReport,
  Perform,
  Performed,
  scenario,
  type View,
  Workload,
} from "@kith/sim/scenario";
import {
  bytesText,
  Consensus,
  Found,
  GroupGate,
  Refused,
  replicatedGroups,
  textBytes,
} from "../src/index.ts";
import {
  Delivered,
  Expel,
  FallenBehind,
  GroupMulticast,
  Join,
  Multicast,
  multicastSequence,
  type MulticastView,
  type Participant,
  Send,
  Sequenced,
  ViewChanged,
} from "../src/multicast/index.ts";

/** A member was given a message, or a view. */
export class Given extends event("multicast-scenario/Given", Fact)<{
  readonly place: number;
  /** The message; empty for a view. */
  readonly text: string;
  readonly from: string;
  /** The number of a view; 0 for a message. */
  readonly view: number;
  readonly members: readonly string[];
  /** How often this life has become a member. */
  readonly joined: number;
}> {}

/** A sender was told where its message is. */
export class Told extends event("multicast-scenario/Told", Fact)<{
  readonly place: number;
  readonly text: string;
}> {}

/** The component has failed, and not because of its storage. */
export class Broken extends event("multicast-scenario/Broken", Fact)<{ readonly reason: string }> {}

const gid = "m";
class Again extends timeout("multicast-scenario/Again") {}

/** One node: a replica on the first three, and a member everywhere. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly timer = this.requires(Timer);
  readonly consensus = this.requires(Consensus);
  readonly multicast = this.requires(Multicast);
  readonly groups;
  readonly gate;
  readonly provider;
  #view: MulticastView | null = null;
  #joined = 0;
  #isMember = false;
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    if (answer instanceof Refused && answer.reason === "pending") this.#later();
  });
  readonly #join = this.multicast.onAnswer(Join, () => undefined);
  readonly #send = this.multicast.onAnswer(Send, (answer, { payload }, { id }: { id: number }) => {
    const done = (type: "ok" | "fail" | "info", error?: string): void =>
      this.workload.trigger(new Performed({ id, type, ...(error === undefined ? {} : { error }) }));
    if (answer instanceof Sequenced) {
      this.workload.trigger(new Told({ place: answer.place, text: bytesText(payload) }));
      done("ok");
    } else if (answer instanceof AskTimeout || answer.constructor.name === "Unknown") done("info");
    else done("fail", answer.constructor.name);
  });

  constructor({ peers, index }: { readonly peers: readonly PeerRef[]; readonly index: number }) {
    super();
    const replicas = peers.slice(0, 3).map(({ peerId, host, port }) => ({ peerId, host, port }));
    const onFault = ({ cause }: { readonly cause: unknown }): "escalate" => {
      const storage = cause instanceof KithError && cause.code === "KITH_PAXOS_STORAGE";
      if (!storage) this.workload.trigger(new Broken({ reason: String(cause) }));
      return "escalate";
    };
    const settings = {
      heartbeat: 50,
      electionMin: 300,
      electionMax: 600,
      keepEntries: 20,
      cutEntries: 20,
    };
    this.groups = this.create(
      replicatedGroups(multicastSequence(300)),
      { announce: true, settings },
      { name: "groups", onFault },
    );
    this.gate = this.create(GroupGate, {}, { onFault });
    this.provider = this.create(
      GroupMulticast,
      { gid, members: replicas, poll: 300 },
      { name: "multicast", onFault },
    );
    const { consensus } = this.groups.ports;
    this.connect(consensus, this.consensus);
    this.connect(consensus, this.gate.ports.consensus);
    this.connect(consensus, this.provider.ports.consensus);
    this.connect(this.provider.ports.multicast, this.multicast);
    this.multicast.on(ViewChanged, ({ place, view }) => {
      if (!this.#isMember) this.#joined++;
      this.#isMember = true;
      this.#view = view;
      const members = view.members.map(nameOf);
      const joined = this.#joined;
      this.workload.trigger(
        new Given({ place, text: "", from: "", view: view.number, members, joined }),
      );
      const own = view.members.some(({ peerId }) => peerId === peers[index]?.peerId);
      if (!own) this.#isMember = false;
    });
    this.multicast.on(Delivered, ({ place, from, payload }) => {
      const text = bytesText(payload);
      const joined = this.#joined;
      this.workload.trigger(
        new Given({ place, text, from: nameOf(from), view: 0, members: [], joined }),
      );
    });
    this.multicast.on(FallenBehind, () => {
      this.#isMember = false;
    });
    this.workload.on(Perform, ({ id, op, value }) => {
      if (op === "send") {
        // Who was removed joins again.
        if (!this.#isMember) this.#join(new Join());
        // A call that is made again is another message.
        const payload = textBytes(`${String(value)} of call ${id}`);
        this.#send(new Send({ payload }), { timeout: 4000, context: { id } });
        return;
      }
      const { members = [] } = this.#view ?? {};
      const victim = members[Number(value) % Math.max(1, members.length)];
      if (victim !== undefined) this.multicast.trigger(new Expel({ member: victim }));
      this.workload.trigger(new Performed({ id, type: "ok" }));
    });
    this.timer.on(Again, () => {
      if (index < 3) this.#found(new Found({ gid, peers: replicas }));
      this.#join(new Join());
    });
    this.onStart(() => this.#later());
  }

  #later(): void {
    this.timer.trigger(new ScheduleTimeout({ delay: 20, timeout: new Again() }));
  }
}

function nameOf({ peerId, incarnation, joined }: Participant): string {
  return `${peerId}#${incarnation}.${joined}`;
}

type Check = (view: View) => string | undefined;

/** V1, V2: a place holds one thing, whoever is given it, and each is given places without a gap. */
function oneSequence(): Check {
  const places = new Map<number, string>();
  const last = new Map<string, number>();
  return ({ news }) => {
    if (!isReport(news, Given)) return undefined;
    const { place, text, from, view, members, joined } = news.fact;
    const what = view > 0 ? `view ${view} of ${members.join()}` : `${text} of ${from}`;
    const known = places.get(place);
    places.set(place, what);
    if (known !== undefined && known !== what)
      return `Place ${place} is ${known}, and at ${news.node} ${what}.`;
    const member = `${news.node} ${news.life} ${joined}`;
    const before = last.get(member);
    last.set(member, place);
    if (before === undefined)
      return view > 0 ? undefined : `${news.node} was given ${what} before a view.`;
    return place === before + 1 ? undefined : `${news.node} was given ${place} after ${before}.`;
  };
}

/** V3: views follow each other, with each peer once, and a message is given to a member, of a member of that view. */
function inView(): Check {
  const views = new Map<string, { readonly number: number; readonly members: readonly string[] }>();
  const peerOf = (member: string): string => member.split("#")[0] ?? "";
  return ({ news }) => {
    if (!isReport(news, Given)) return undefined;
    const { view: number, members, from, text, joined } = news.fact;
    const name = `${news.node} ${news.life} ${joined}`;
    const before = views.get(name);
    if (number > 0) {
      views.set(name, { number, members });
      if (new Set(members.map(peerOf)).size < members.length)
        return `${news.node} was given view ${number}, in which one peer is twice: ${members.join()}.`;
      return before === undefined || number === before.number + 1
        ? undefined
        : `${news.node} was given view ${number} after ${before.number}.`;
    }
    if (before?.members.some((member) => `n${peerOf(member)}` === news.node) !== true)
      return `${news.node} was given ${text}, and is not in view ${before?.number}.`;
    return before.members.includes(from)
      ? undefined
      : `${news.node} was given ${text} of ${from}, which is not in view ${before.number}.`;
  };
}

/** A member that is in no view any more never is again: what comes back has joined anew. */
function noReturn(): Check {
  const views = new Map<number, readonly string[]>();
  const complain = (view: number): string | undefined => {
    const [before, now] = [views.get(view - 1), views.get(view)];
    if (before === undefined || now === undefined) return undefined;
    for (const member of now) {
      if (before.includes(member)) continue;
      for (const [earlier, members] of views)
        if (earlier < view && members.includes(member))
          return `${member} is back in view ${view}, and was in view ${earlier}.`;
    }
    return undefined;
  };
  return ({ news }) => {
    if (!isReport(news, Given) || news.fact.view === 0 || views.has(news.fact.view))
      return undefined;
    const { view, members } = news.fact;
    views.set(view, members);
    // Who joins is given a view before others are given the ones before it.
    return complain(view) ?? complain(view + 1);
  };
}

/** V4, V5: a message has one place, and that is the one which its sender was told. */
function onePlace(): Check {
  const places = new Map<string, number>();
  return ({ news }) => {
    if (!isReport(news, Given) && !isReport(news, Told)) return undefined;
    const { text, place } = news.fact;
    if (text === "") return undefined;
    const known = places.get(text);
    places.set(text, place);
    return known === undefined || known === place
      ? undefined
      : `Message ${text} is at ${known} and at ${place}.`;
  };
}

/** The scenario of group multicast. */
export const multicast = scenario({
  name: "multicast",
  about:
    "A multicast group of four or five members over a replicated group of three. Clients send at any of them, somebody removes members at random, and everything breaks. All are given the same messages and views in the same order, and who sends is told the place of what it has sent.",
  nodes: { min: 4, max: 5 },
  main: Peer,
  init: ({ peers, index }) => ({ peers, index }),
  transport: "either",
  duration: 8000,
  settle: 20_000,
  swaps: ["/Peer-1/multicast"],
  fault: "crash",
  faults: {
    without: {
      "reused identity":
        "A member is one life of a peer: two lives of one name are one member, and the second has forgotten what it has sent.",
    },
  },
  tolerates: { down: () => 1 },
  processes: [
    {
      name: "client",
      count: 6,
      wait: exponential(80),
      timeout: 4000,
      next: ({ unique }) => ({ op: "send", value: unique() }),
    },
    {
      name: "remover",
      count: 1,
      wait: exponential(1500),
      timeout: 1000,
      next: ({ draw }) => ({ op: "expel", value: draw.below(100) }),
    },
  ],
  closing: () => Array.from({ length: 20 }, (_, i) => ({ op: "send", value: 1_000_000_000 + i })),
  succeed: { each: 5, mean: 60 },
  invariants: [
    { name: "V1, V2: one sequence", inputs: [Given], begin: oneSequence },
    { name: "V3: messages in their view", inputs: [Given], begin: inView },
    { name: "V3: members do not return", inputs: [Given], begin: noReturn },
    { name: "V4, V5: one place", inputs: [Given, Told], begin: onePlace },
    {
      name: "nothing breaks",
      inputs: [Broken],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Broken) ? `${news.node}: ${news.fact.reason}` : undefined,
    },
  ],
  sometimes: [
    {
      name: "a later life joins",
      inputs: [Given],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Given) && news.life > 1,
    },
    {
      name: "a life joins again",
      inputs: [Given],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Given) && news.fact.joined > 1,
    },
    {
      name: "who has no replica is given something",
      inputs: [Given],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Given) && news.fact.view === 0 && Number(news.node.slice(1)) > 3,
    },
  ],
});
