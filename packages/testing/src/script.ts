/**
 * Scripts: what a component has to do, stated as it is read, and then run against it.
 *
 * A script is a value. Each statement returns a new one, nothing happens before `run`, and `run`
 * builds everything anew; so a script may be kept, continued in several ways, and run again with the
 * same result. What may follow a statement is in its type.
 */

import type {
  AnyPort,
  ComponentClass,
  EmptyFields,
  Event,
  EventClass,
  InitArguments,
  Request,
  RequiredRef,
} from "@kith/core";
import { Acting } from "./block.ts";
import type { Among, AskedAt, DrivenPorts, PortName } from "./direction.ts";
import { Requested, type Response, responseTo } from "./expecting.ts";
import type { Assembly } from "./harness.ts";
import { instanceOf } from "./kernel.ts";
import { type Match, matcher } from "./match.ts";
import { type Action, extend, newTrail, nextStatement, type Trail, trailOf } from "./node.ts";
import { show } from "./show.ts";
import { type DriveOptions, Stage } from "./stage.ts";
import type { Transcript } from "./transcript.ts";

/** What a script is about. */
interface Subject<K extends ComponentClass> {
  readonly cls: K;
  readonly options: DriveOptions;
  readonly assembly: Assembly;
}

/** A name that is not taken yet; else an explanation. */
export type Fresh<N extends string, Taken> = N extends Taken
  ? { readonly error: "this name is taken already"; readonly taken: Taken }
  : N;

/** A table without one of its names. */
export type Without<T, N> = { readonly [M in keyof T as M extends N ? never : M]: T[M] };

/**
 * A script: all statements, and `run`.
 *
 * `K` is the class under test, `P` the table of its ports, `L` the requests whose replies come later,
 * by the names that the script gave them.
 */
export class Script<K extends ComponentClass, P, L> extends Acting<P, Script<K, P, L>> {
  protected readonly subject: Subject<K>;

  /** @internal */
  constructor(subject: Subject<K>, trail: Trail) {
    super(trail);
    this.subject = subject;
  }

  /**
   * Expects that the component asks a request as the next thing that leaves it, and leads on to what
   * becomes of it: `reply`, `replyLater`, or `noReply`.
   */
  override expectRequest<N extends PortName<P>, Q extends EventClass<Request>>(
    port: N,
    cls: Q & Among<Q, AskedAt<P[N]>>,
    match?: Match<Q["prototype"]>,
  ): RequestedInScript<K, P, L, Q["prototype"]> {
    const trail = this.requested(port, matcher<Q>(cls, match));
    return new RequestedInScript<K, P, L, Q["prototype"]>(this.subject, trail);
  }

  /** Answers a request that was kept with `replyLater`. */
  replyTo<N extends keyof L & string>(
    name: N,
    response: Response<Extract<L[N], Event>>,
  ): Script<K, P, Without<L, N>> {
    const text = typeof response === "function" ? "(function)" : show(response);
    const action: Action = {
      ...this.next("replyTo", `${show(name)}, ${text}`),
      kind: "action",
      perform: (stage) => {
        const request = stage.kept.get(name);
        if (request === undefined) throw new Error(`No request was kept as ${show(name)}.`);
        stage.kept.delete(name);
        stage.reply(request, responseTo<Extract<L[N], Event>>(request.event, response));
      },
    };
    return new Script<K, P, Without<L, N>>(this.subject, extend(this[trailOf], [action]));
  }

  /** Looks at the component itself; what `look` throws, such as an assertion, fails the script. */
  check(look: (component: InstanceType<K>) => void): Script<K, P, L> {
    const { cls } = this.subject;
    return this.act("check", "…", (stage) => look(instanceOf(stage.subject, cls)));
  }

  /**
   * Runs the script against a new component.
   *
   * @throws KithError that tells which statement does not hold, and what came instead
   */
  run(): Transcript {
    return new Stage(this.subject.assembly, this.subject.options).run(this[trailOf].nodes);
  }

  protected override grown(trail: Trail): Script<K, P, L> {
    return new Script<K, P, L>(this.subject, trail);
  }
}

/** After an expected request in a script, where its answer may also come later. */
export class RequestedInScript<K extends ComponentClass, P, L, Q extends Event> extends Requested<
  Q,
  Script<K, P, L>
> {
  readonly #subject: Subject<K>;

  /** @internal */
  constructor(subject: Subject<K>, trail: Trail) {
    super(trail, (grown) => new Script<K, P, L>(subject, grown));
    this.#subject = subject;
  }

  /** Keeps it under a name, to be answered by `replyTo` further down. */
  replyLater<const N extends string>(
    name: N & Fresh<N, keyof L>,
  ): Script<K, P, L & { readonly [M in N]: Q }> {
    const key: string = name;
    const action: Action = {
      ...nextStatement(this.trail, this, "replyLater", show(key)),
      kind: "action",
      perform: (stage, last) => {
        if (last?.kind === "request") stage.kept.set(key, last);
      },
    };
    return new Script<K, P, L & { readonly [M in N]: Q }>(
      this.#subject,
      extend(this.trail, [action]),
    );
  }
}

/** A script without statements, in which the world around the component can still be furnished. */
export class Opening<K extends ComponentClass, P> extends Script<K, P, EmptyFields> {
  /**
   * Offers a port to the component's whole subtree, and drives it like a required port of the
   * component: what its users trigger and ask leaves there.
   *
   * @param name names it in this script
   */
  offering<const N extends string, T extends AnyPort>(
    name: N & Fresh<N, keyof P>,
    type: T,
  ): Opening<K, P & { readonly [M in N]: RequiredRef<T> }> {
    const { assembly } = this.subject;
    const offers = new Map<string, AnyPort>([...assembly.offers, [name, type]]);
    return new Opening<K, P & { readonly [M in N]: RequiredRef<T> }>(
      { ...this.subject, assembly: { ...assembly, offers } },
      this[trailOf],
    );
  }
}

/**
 * Begins the script for one component.
 *
 * ```ts no-run
 * drive(Pinger, { rounds: 2 })
 *   .expect("pp", Ping, { n: 1 })
 *   .inject("pp", new Pong({ n: 1 }))
 *   .expect("pp", Ping, { n: 2 })
 *   .run();
 * ```
 *
 * @param cls the component's class
 * @param args its init where it wants one, then options
 */
export function drive<K extends ComponentClass>(
  cls: K,
  ...args: InitArguments<K, DriveOptions>
): Opening<K, DrivenPorts<InstanceType<K>>> {
  const options: DriveOptions = args[1] ?? {};
  const assembly: Assembly = {
    className: cls.name,
    create: (parent) => parent.make(cls, ...args),
    offers: new Map(),
    policy: options.faultPolicy ?? (() => "resume"),
  };
  return new Opening({ cls, options, assembly }, newTrail());
}
