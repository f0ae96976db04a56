/** The desk on a store that a test plays: what becomes of others when something goes wrong with one. */

import { Applied, Apply, Entries, Read, type StoreAnswer } from "@kith/store";
import { expect } from "chai";
import { Desk } from "./desk.ts";
import type { Errand } from "./errand.ts";
import { mistakeLater } from "./failure.ts";
import { Past } from "./past.ts";
import { ok, type Reply } from "./resp/reply.ts";

describe("the desk", () => {
  it("tells one client of a defect, and goes on for all others", () => {
    const problems: unknown[] = [];
    const asked: (() => void)[] = [];
    const desk = new Desk({
      withinMs: 1000,
      requestsMax: 10,
      now: () => 0,
      draw: () => 0,
      overtaken: () => undefined,
      past: new Past(),
      ask: (request, settle) => void asked.push(() => settle(answerTo(request))),
      mistaken: (problem) => {
        problems.push(problem);
        return mistakeLater;
      },
      soon: () => undefined,
      after: () => undefined,
    });
    const replies: Reply[] = [];
    const done = (reply: Reply): void => void replies.push(reply);
    desk.run(broken(), done);
    // On several keys, so that it is an errand, for which others wait.
    desk.do({ kind: "change", keys: ["a", "b"], run: () => raise() }, done);
    desk.do({ kind: "update", updates, blind: false, reply: () => ok }, done);
    for (let round = 0; round < 5; round++) {
      desk.work();
      for (const answer of asked.splice(0)) answer();
    }
    expect(replies).deep.equal([mistakeLater, mistakeLater, ok]);
    expect(String(problems[0])).match(/out of order/);
    expect(desk.underWay).equal(0);
  });
});

const updates = [{ kind: "delete", key: "a" }] as const;

function* broken(): Errand {
  yield new Apply({ updates });
  raise();
  return ok;
}

function raise(): never {
  throw new Error("out of order");
}

function answerTo(request: object): StoreAnswer {
  if (!(request instanceof Read)) return new Applied({ updated: [{ version: 1 }] });
  const entries = request.keys.map((key) => ({ key, value: null, version: 0, expiresIn: null }));
  return new Entries({ entries, next: null });
}
