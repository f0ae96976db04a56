/**
 * A node of `store-chaos`: a member of the groups that are placed upon it, a guest with a client of the store, and those who use
 * that client. It says `fail` only where it was told that nothing was done.
 */

import {
  Component,
  KithError,
  type Millis,
  type ProvidedRef,
  SchedulePeriodic,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import {
  Applied as Announced,
  Bundle,
  messagesIn,
  bytesText,
  Consensus,
  Found,
  GroupClient,
  GroupGate,
  GroupHalted,
  type GroupSettings,
  LeaderChanged,
  type PeerAddress,
  Propose,
  ReplicatedGroups,
} from "@kith/paxos";
import { Perform, Performed, Workload } from "@kith/sim/scenario";
import {
  Applied,
  Apply,
  Caretaker,
  Delete,
  encodeCommand,
  Entries,
  type Entry,
  Get,
  Got,
  type KnownGroup,
  type Operator,
  Put,
  Refused,
  Scan,
  StoreClient,
  StoreOperator,
  type StoreClientInit,
  storeMachine,
  WatchGate,
  Written,
} from "../src/index.ts";
import { keyAt } from "../src/position.ts";
import { metaRow, rowKeys, valueRow } from "../src/rows.ts";
import { Beside } from "./beside.ts";
import { Broken, Leads, type Left, Managed, Standing, Step } from "./facts.ts";
import { isWatched, lists } from "./keys.ts";
import { Onlooker, onlookers } from "./onlooker.ts";
import { Splitter } from "./operator.ts";
import {
  byKey,
  type Ended,
  listBytes,
  listOf,
  notDone,
  numberBytes,
  numberOf,
  StoreUser,
  within,
} from "./user.ts";

/** How the groups of a run are in the beginning. */
export interface Layout {
  readonly ordered: boolean;
  /** Whether leaders answer reads without asking anybody. */
  readonly leases: boolean;
  readonly groups: readonly KnownGroup[];
}

/** What a node is told. */
export interface ChaosInit {
  readonly index: number;
  readonly peers: readonly PeerAddress[];
  readonly layout: Layout;
  /** When its life begins, in simulated milliseconds. */
  readonly time: Millis;
  /** Whether it does nothing by itself, and its groups have the usual settings; default false. */
  readonly plain?: boolean;
}

class Look extends timeout("store-chaos/Look") {}

// --- the groups, and a view into them ------------------------------------------------------------

/** The groups; says every now and then how its replicas stand. */
export class WatchedGroups extends ReplicatedGroups {
  readonly workload = this.requires(Workload);
  protected override readonly machine = storeMachine;
  readonly #seen = new Map<string, { applied: number; leads: boolean }>();

  constructor(init: ConstructorParameters<typeof ReplicatedGroups>[0]) {
    super(init);
    this.timer.on(Look, () => this.#look());
    this.network.on(Bundle, (bundle) => {
      if (messagesIn(bundle).some(({ kind }) => kind === "snapshot")) this.#look();
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 200, timeout: new Look() })),
    );
  }

  #look(): void {
    for (const [gid, { state, table }] of this.state.replicas) {
      const { applied, hash } = table;
      const leads = state.role === "leader";
      const seen = this.#seen.get(gid);
      if (seen?.applied === applied && seen.leads === leads) continue;
      this.#seen.set(gid, { applied, leads });
      // The log begins behind what was applied: a snapshot has come.
      const jumped = seen !== undefined && state.log.base > seen.applied && !leads;
      let locks = 0;
      let registers = 0;
      for (const key of table.cells.values.keys()) {
        if (key.startsWith("l")) locks++;
        else if (key.startsWith("t")) registers++;
      }
      const installed = jumped ? locks : null;
      const stand = { gid, applied, hash, leads, locks, registers, installed };
      this.workload.trigger(new Standing(stand));
    }
  }
}

/** The client; says what its manager has to tell. */
export class WatchedClient extends StoreClient {
  readonly workload = this.requires(Workload);
  #told = "";

  constructor(init: StoreClientInit) {
    super(init);
    this.timer.on(Look, () => {
      const { jobs, recovered, reread } = this.state.manager;
      const told = `${jobs.size} ${recovered} ${reread}`;
      if (told === this.#told) return;
      this.#told = told;
      this.workload.trigger(new Managed({ jobs: jobs.size, recovered, reread }));
    });
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 200, timeout: new Look() })),
    );
  }
}

// --- those who call --------------------------------------------------------------------------------

type Call = readonly ["r" | "append", string, unknown];

/** Performs what the processes of the scenario ask for. */
export class Caller extends StoreUser {
  readonly workload = this.requires(Workload);
  readonly #ordered: boolean;

  constructor({ ordered }: { readonly ordered: boolean }) {
    super();
    this.#ordered = ordered;
    this.workload.on(Perform, (perform) => this.#perform(perform));
  }

  #perform({ id, op, key = "", value }: Perform): void {
    const end = ({ type, error }: Ended, seen?: unknown): void =>
      this.workload.trigger(
        new Performed({ id, type, ...(seen === undefined ? {} : { value: seen }), error }),
      );
    if (op === "read")
      return this.ask(new Get({ key, within }), (answer) =>
        answer instanceof Got
          ? end({ type: "ok" }, numberOf(answer.entry))
          : end(certain(notDone(answer))),
      );
    if (op === "txn") return this.#transaction(callsOf(value), end);
    if (op === "cas") return this.#compareAndSet(key, value, end);
    const write =
      value === null
        ? new Delete({ key, within })
        : new Put({ key, value: numberBytes(Number(value)), within });
    return this.ask(write, (answer) =>
      end(answer instanceof Written ? { type: "ok" } : notDone(answer)),
    );
  }

  #compareAndSet(key: string, value: unknown, end: (ended: Ended) => void): void {
    const [from = 0, to = 0]: number[] = Array.isArray(value) ? value.map(Number) : [];
    const when = { kind: "value", value: numberBytes(from) } as const;
    const updates = [{ kind: "put", key, value: numberBytes(to), when } as const];
    this.ask(new Apply({ updates, within }), (answer) => {
      if (answer instanceof Applied) end({ type: "ok" });
      else if (answer instanceof Refused) end({ type: "fail", error: "refused" });
      else end(notDone(answer));
    });
  }

  #transaction(calls: readonly Call[], end: (ended: Ended, seen?: unknown) => void): void {
    const keys = [...new Set(calls.map(([, key]) => key))];
    const told = (ended: Ended): void => {
      if (ended.type === "ok") end(ended, stepsSeen(calls, ended.entries ?? new Map()));
      else end(calls.every(([kind]) => kind === "r") ? certain(ended) : ended);
    };
    if (!calls.every(([kind]) => kind === "r")) {
      return this.transact(
        {
          keys,
          writes: (entries) =>
            keys.flatMap((key) => {
              const more = calls.filter(([kind, at]) => kind === "append" && at === key);
              if (more.length === 0) return [];
              const list = [...listOf(entries.get(key)), ...more.map(([, , one]) => Number(one))];
              return [{ key, write: { kind: "put", value: listBytes(list), expiry: "never" } }];
            }),
        },
        told,
      );
    }
    // All of them: also as a scan, where keys are ordered.
    if (this.#ordered && keys.length === lists.length)
      return this.ask(new Scan({ from: "l", to: "m", within }), (answer) =>
        told(answer instanceof Entries ? { type: "ok", entries: byKey(answer) } : notDone(answer)),
      );
    return this.look(keys, told);
  }
}

/** What does not change anything certainly has not. */
function certain(ended: Ended): Ended {
  return ended.type === "info" ? { ...ended, type: "fail" } : ended;
}

function callsOf(value: unknown): Call[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((step: unknown): Call[] => {
    const [kind, key, what]: unknown[] = Array.isArray(step) ? step : [];
    return [[kind === "append" ? "append" : "r", String(key), what]];
  });
}

/** The steps, with what each has read: what those before it have appended, too. */
function stepsSeen(calls: readonly Call[], entries: ReadonlyMap<string, Entry>): unknown[] {
  const now = new Map<string, number[]>();
  return calls.map(([kind, key, value]) => {
    const list = now.get(key) ?? listOf(entries.get(key));
    if (kind === "append") {
      now.set(key, [...list, Number(value)]);
      return [kind, key, value];
    }
    now.set(key, list);
    return [kind, key, list];
  });
}

// --- the node --------------------------------------------------------------------------------------

class Turn extends timeout("store-chaos/Turn") {}

/** One node. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly timer = this.requires(Timer);
  readonly consensus = this.requires(Consensus);
  readonly groups;
  readonly gate = this.create(GroupGate, {}, { name: "gate" });
  readonly guest;
  readonly client;
  readonly #own: readonly KnownGroup[];
  readonly #founding = new Set<string>();
  readonly #ordered: boolean;
  readonly #found = this.consensus.onAnswer(Found, () => undefined);
  readonly #propose = this.consensus.onAnswer(Propose, () => undefined);

  constructor({ index, peers, layout, time, plain = false }: ChaosInit) {
    super();
    const { groups, ordered } = layout;
    const self = peers[index]?.peerId;
    this.#ordered = ordered;
    this.#own = groups.filter(({ members }) => members.some(({ peerId }) => peerId === self));
    for (const { descriptor } of this.#own) this.#founding.add(descriptor.gid);
    this.groups = this.create(
      WatchedGroups,
      plain
        ? { announce: true, tick: 50 }
        : { announce: true, twice: index === 0, settings: settingsOf(index, layout) },
      {
        name: "groups",
        onFault: ({ cause }) => {
          // A storage that fails is a crash. Anything else is a defect.
          if (!(cause instanceof KithError && cause.code === "KITH_PAXOS_STORAGE"))
            this.workload.trigger(new Broken({ reason: String(cause) }));
          return "escalate";
        },
      },
    );
    const known = Object.fromEntries(
      groups.map(({ descriptor, members }) => [descriptor.gid, members]),
    );
    const guest = { groups: known, sessions: false, ...(plain ? {} : { retry: 300 }) };
    this.guest = this.create(GroupClient, guest, { name: "guest" });
    const hasty = {
      commitMs: 800,
      pushMs: 400,
      cancelMs: 2500,
      idleMs: 1500,
      askMs: 200,
      forgetMs: 1500,
    };
    const init = { groups, ordered, ...(plain ? {} : { settings: hasty }) };
    this.client = this.create(WatchedClient, init, { name: "client" });
    const caller = this.create(Caller, { ordered }, { name: "caller" });
    const caring = plain ? {} : { period: 300, doubt: 1500, idle: 4000 };
    const caretaker = this.create(Caretaker, caring, { name: "caretaker" });
    const operator = this.create(StoreOperator, {}, { name: "operator" });
    this.connect(this.groups.ports.consensus, this.consensus);
    this.connect(this.groups.ports.consensus, this.gate.ports.consensus);
    this.connect(this.guest.ports.replicated, this.client.ports.replicated);
    this.connect(this.guest.ports.replicated, operator.ports.replicated);
    this.connect(this.groups.ports.consensus, caretaker.ports.consensus);
    this.connect(this.client.ports.recovery, caretaker.ports.recovery);
    this.connect(this.client.ports.store, caller.ports.store);
    if (!plain) this.#ownWork(index, layout, time, operator.ports.operator);
    this.#listen();
  }

  /** What a node does by itself. */
  #ownWork(
    index: number,
    layout: Layout,
    time: Millis,
    operator: ProvidedRef<typeof Operator>,
  ): void {
    const { ordered } = layout;
    const beside = this.create(Beside, { index, time }, { name: "beside" });
    this.connect(this.client.ports.store, beside.ports.store);
    const splitter = this.create(Splitter, { ...layout, time }, { name: "splitter" });
    this.connect(this.guest.ports.replicated, splitter.ports.replicated);
    this.connect(operator, splitter.ports.operator);
    const watching = this.create(
      WatchGate,
      { kept: index % 2 === 0 ? 4 : 64 },
      { name: "watching" },
    );
    this.connect(this.groups.ports.consensus, watching.ports.consensus);
    if (index >= onlookers) return;
    const onlooker = this.create(Onlooker, { ordered }, { name: "onlooker" });
    this.connect(this.client.ports.store, onlooker.ports.store);
  }

  #listen(): void {
    this.consensus.on(LeaderChanged, ({ gid, term, here }) => {
      if (!here) return;
      this.workload.trigger(new Leads({ gid, term }));
      const one = this.#own.find(({ descriptor }) => descriptor.gid === gid);
      if (one === undefined) return;
      const found = { kind: "found", ordered: this.#ordered, ...one.descriptor } as const;
      this.#propose(new Propose({ gid, command: encodeCommand(found) }));
    });
    this.consensus.on(Announced, ({ gid, index, command, result, written }) =>
      this.workload.trigger(
        new Step({ gid, index, command, result, left: leftBy(written, this.#ordered) }),
      ),
    );
    this.consensus.on(GroupHalted, ({ gid, reason }) =>
      this.workload.trigger(new Broken({ reason: `${gid}: ${reason}` })),
    );
    this.timer.on(Turn, () => {
      for (const { descriptor, members } of this.#own)
        if (this.#founding.delete(descriptor.gid))
          this.#found(new Found({ gid: descriptor.gid, peers: members }));
    });
    this.onStart(() => this.timer.trigger(new ScheduleTimeout({ delay: 20, timeout: new Turn() })));
  }
}

/** How the keys that are watched are after a command. */
function leftBy(written: Announced["written"], ordered: boolean): Left[] {
  const left: Left[] = [];
  for (const [row, bytes] of written) {
    if (!row.startsWith("k")) continue;
    const key = keyAt(row.slice(1), ordered);
    if (!isWatched(key)) continue;
    if (bytes === null) {
      const meta = written.find(([name]) => name === rowKeys.meta)?.[1] ?? null;
      if (meta !== null) left.push({ key, version: metaRow.decode(meta).version, value: null });
    } else {
      const { version, value } = valueRow.decode(bytes);
      left.push({ key, version, value: bytesText(value) });
    }
  }
  return left;
}

/** What only its own replica goes by may be different at each: how much of the log is kept and sent at once. */
function settingsOf(index: number, { leases }: Layout): Partial<GroupSettings> {
  const sizes: Partial<GroupSettings>[] = [
    { keepEntries: 0, cutEntries: 1 },
    { keepEntries: 30, cutEntries: 20, batchBytesMax: 200, inflightMax: 2 },
    { keepEntries: 5, cutEntries: 50 },
    { keepEntries: 100, cutEntries: 100 },
  ];
  return {
    heartbeat: 50,
    electionMin: 250,
    electionMax: 500,
    quietAfter: 600,
    quietHeartbeat: 250,
    lease: leases ? { drift: 0.0011, margin: 1 } : false,
    ...sizes[index % sizes.length],
  };
}
