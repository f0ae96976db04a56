/**
 * Blocks, and the statements that take them.
 *
 * What may stand in a block is a type. `AnyOrder` takes expectations only. A block whose turn depends
 * on what comes (a repetition, an alternative) begins with an expectation: `Begin`, which leads on to
 * `Block`, where everything may stand but what belongs to the script as a whole.
 */

import type { Event, EventClass, Given, Millis, Request } from "@kith/core";
import type {
  Among,
  AnsweredAt,
  AnswersAt,
  Arriving,
  AskedAt,
  Leaving,
  PortName,
} from "./direction.ts";
import { testError } from "./errors.ts";
import { Expecting, type StandingResponse, standingResponseTo } from "./expecting.ts";
import { isOf } from "./kernel.ts";
import { type Match, matcher } from "./match.ts";
import {
  type Action,
  closed,
  extend,
  newTrail,
  nextStatement,
  type Node,
  type Statement,
  type Trail,
  trailOf,
} from "./node.ts";
import { show } from "./show.ts";
import type { Stage } from "./stage.ts";

/** A block that begins with an expectation, because what comes decides whether it is entered. */
export type Body<P> = (block: Begin<P>) => Block<P>;

/** Expectations, single ones and those that are made of blocks. */
export abstract class Choosing<P, Self> extends Expecting<P, Self> {
  /** Expects everything in the block, in any order, and nothing between. */
  anyOrder(block: (block: AnyOrder<P>) => AnyOrder<P>): Self {
    const statement = this.next("anyOrder", "…");
    const trail = block(new AnyOrder<P>(newTrail(`${statement.place}.`)));
    const items: Node[][] = [];
    for (const node of returned(trail, statement).nodes) {
      // A reply belongs to the expectation before it.
      if (node.kind === "action") items.at(-1)?.push(node);
      else items.push([node]);
    }
    return this.grown(extend(this[trailOf], [{ ...statement, kind: "any-order", items }]));
  }

  /**
   * Expects one of the blocks: the first that fits what comes, up to its first action.
   */
  either(first: Body<P>, second: Body<P>, ...more: readonly Body<P>[]): Self {
    const statement = this.next("either", "…");
    const blocks = [first, second, ...more].map((body, i) =>
      this.body(body, statement, `${statement.place}.${i + 1}.`),
    );
    return this.grown(extend(this[trailOf], [{ ...statement, kind: "either", blocks }]));
  }

  /** Expects the block as often as it comes, or not at all. */
  anyNumber(body: Body<P>): Self {
    return this.loop("anyNumber", "…", 0, Infinity, body);
  }

  /** Expects the block at least `times` times, and then as often as it comes. */
  atLeast(times: number, body: Body<P>): Self {
    return this.loop("atLeast", `${times}, …`, times, Infinity, body);
  }

  /** Expects the block once or not at all. */
  optional(body: Body<P>): Self {
    return this.loop("optional", "…", 0, 1, body);
  }

  /** What the next statement knows of itself. */
  protected next(verb: string, source: string): Statement {
    return nextStatement(this[trailOf], this, verb, source);
  }

  private loop(verb: string, source: string, min: number, max: number, body: Body<P>): Self {
    const statement = this.next(verb, source);
    const nodes = this.body(body, statement, `${statement.place}.`);
    return this.grown(
      extend(this[trailOf], [{ ...statement, kind: "loop", min, max, body: nodes }]),
    );
  }

  private body(body: Body<P>, statement: Statement, prefix: string): readonly Node[] {
    const trail = returned(body(new Begin<P>(newTrail(prefix))), statement);
    return closed(trail, statement);
  }
}

/** Expectations, and actions between them. */
export abstract class Acting<P, Self> extends Choosing<P, Self> {
  /**
   * Puts events in at a port; with several, all of them wait before the component handles the first.
   * The component then works until nothing is left to do.
   */
  inject<N extends PortName<P>>(
    port: N,
    event: Arriving<P[N]>,
    ...more: readonly Arriving<P[N]>[]
  ): Self {
    const events: readonly Event[] = [event, ...more];
    const source = [show(port), ...events.map(show)].join(", ");
    return this.act("inject", source, (stage) => stage.inject(port, events));
  }

  /** Asks the component a request; see `expectAnswer`. */
  ask<N extends PortName<P>>(port: N, request: AnsweredAt<P[N]>): Self {
    const asked: Request = request;
    return this.act("ask", `${show(port)}, ${show(asked)}`, (stage) => stage.ask(port, asked));
  }

  /** Moves the manual time; timeouts that come due on the way come at their time. */
  advance(duration: Millis): Self {
    return this.act("advance", String(duration), (stage) => stage.advance(duration));
  }

  /**
   * Answers, from here to the end of the block, every request of a class at once. Such requests need
   * not be expected. A newer rule goes before an older one.
   *
   * @param response a response, or a function that makes it, or leaves the request to others by
   *   returning undefined
   */
  answerEvery<N extends PortName<P>, K extends EventClass<Request>>(
    port: N,
    cls: K & Among<K, AskedAt<P[N]>>,
    response: StandingResponse<K["prototype"]>,
  ): Self {
    const wanted = matcher<K>(cls, undefined);
    const statement = this.next("answerEvery", `${show(port)}, ${wanted.source}, …`);
    return this.rule(statement, (stage) =>
      stage.addRule({
        ...statement,
        kind: "answer",
        scope: this[trailOf].scope,
        port,
        covers: (event) => isOf<K>(event, cls),
        answer: (request) => standingResponseTo<K["prototype"]>(request, response),
      }),
    );
  }

  /**
   * Lets events leave the component without being expected, from here to the end of the block. An
   * expectation may still take them.
   */
  allow<N extends PortName<P>, K extends EventClass>(
    port: N,
    cls: K & Among<K, Leaving<P[N]> | AskedAt<P[N]> | AnswersAt<P[N]>>,
    match?: Match<K["prototype"]>,
  ): Self {
    return this.verdict("allow", port, cls, match);
  }

  /**
   * Fails as soon as such an event leaves the component, from here to the end of the block. What
   * nobody expects fails anyway: this is for exceptions from what is allowed, and for saying it.
   */
  forbid<N extends PortName<P>, K extends EventClass>(
    port: N,
    cls: K & Among<K, Leaving<P[N]> | AskedAt<P[N]> | AnswersAt<P[N]>>,
    match?: Match<K["prototype"]>,
  ): Self {
    return this.verdict("forbid", port, cls, match);
  }

  /** Expects that nothing has come that was not expected. */
  expectNothing(): Self {
    const statement = this.next("expectNothing", "");
    return this.grown(extend(this[trailOf], [{ ...statement, kind: "nothing" }]));
  }

  /** Statements in order, at whose end the rules that are made in them end too. */
  block(body: (block: Block<P>) => Block<P>): Self {
    const statement = this.next("block", "…");
    const trail = returned(body(new Block<P>(newTrail(`${statement.place}.`))), statement);
    return this.grown(extend(this[trailOf], closed(trail, statement)));
  }

  /** The block exactly `times` times. @param body is told which time it is, from 0 */
  exactly(times: number, body: (block: Block<P>, index: number) => Block<P>): Self {
    const statement = this.next("exactly", `${times}, …`);
    const nodes: Node[] = [];
    for (let index = 0; index < times; index++) {
      const block = new Block<P>(newTrail(`${statement.place}.${index + 1}.`));
      nodes.push(...closed(returned(body(block, index), statement), statement));
    }
    return this.grown(extend(this[trailOf], nodes));
  }

  /** Stops the component, and all below it. */
  stop(): Self {
    return this.act("stop", "", (stage) => stage.stopSubject());
  }

  /** Starts the component again after a stop. It starts by itself at the beginning. */
  start(): Self {
    return this.act("start", "", (stage) => stage.startSubject());
  }

  /** Gives a setting another value, for the component and all below it. */
  configure(given: Given): Self {
    const source = `${given.name}: ${show(given.value)}`;
    return this.act("configure", source, (stage) => stage.giveSetting(given));
  }

  /** Adds an action. */
  protected act(verb: string, source: string, perform: Action["perform"]): Self {
    const action: Action = { ...this.next(verb, source), kind: "action", perform };
    return this.grown(extend(this[trailOf], [action]));
  }

  private rule(statement: Statement, perform: (stage: Stage) => void): Self {
    return this.grown(extend(this[trailOf], [{ ...statement, kind: "action", perform }], true));
  }

  private verdict<K extends EventClass>(
    kind: "allow" | "forbid",
    port: string,
    cls: K,
    match: Match<K["prototype"]> | undefined,
  ): Self {
    const wanted = matcher<K>(cls, match);
    const statement = this.next(kind, `${show(port)}, ${wanted.source}`);
    const covers = (event: Event): boolean => wanted.refuses(event) === undefined;
    return this.rule(statement, (stage) =>
      stage.addRule({ ...statement, kind, scope: this[trailOf].scope, port, covers }),
    );
  }
}

/** A block whose expectations hold in any order. */
export class AnyOrder<P> extends Expecting<P, AnyOrder<P>> {
  protected override grown(trail: Trail): AnyOrder<P> {
    return new AnyOrder<P>(trail);
  }
}

/** The beginning of a block that has to begin with an expectation. */
export class Begin<P> extends Choosing<P, Block<P>> {
  protected override grown(trail: Trail): Block<P> {
    return new Block<P>(trail);
  }
}

/** A block of statements in order. */
export class Block<P> extends Acting<P, Block<P>> {
  protected override grown(trail: Trail): Block<P> {
    return new Block<P>(trail);
  }
}

/** The statements of a block; code without types may have returned anything. */
function returned<P, Self>(block: Expecting<P, Self>, { place, text }: Statement): Trail {
  if (block instanceof Expecting) return block[trailOf];
  throw testError(
    "KITH_TEST_BLOCK",
    `The block of statement ${place}, ${text}, returned no statements.`,
  );
}
