/**
 * Group multicast under all faults: fresh seeds of the scenario, and bugs planted into copies, each of which the scenario
 * finds. `KITH_PAXOS_PLANTED=all` plants all of them, `search` looks for them from the first seed on.
 */

import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { seedChecks } from "@kith/sim/scenario";
import { Copies } from "@kith/testing/planting";
import { expect } from "chai";
import { multicast } from "../../scenarios/multicast.ts";

interface Bug {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** The first seed that finds it. */
  readonly seed: number;
}

const bugs: readonly Bug[] = [
  {
    what: "a late copy of a join brings back who has left",
    file: "src/multicast/sequence.ts",
    text: "if (last === null || compareLives(last, member) < 0) {",
    planted: "if (known === undefined || last === null) {",
    seed: 1,
  },
  {
    what: "a copy of a message gets a place of its own",
    file: "src/multicast/sequence.ts",
    text: "if (first + i !== known.sent + 1) continue;",
    planted: "",
    seed: 1,
  },
  {
    what: "an earlier life stays a member beside the later one",
    file: "src/multicast/sequence.ts",
    text: "change([...others, { member, sent: 0 }]);",
    planted: "change([...state.members, ...others.slice(0, 0), { member, sent: 0 }]);",
    seed: 1,
  },
  {
    what: "who is no member any more still sends",
    file: "src/multicast/sequence.ts",
    text: "const known = state.members.find((one) => sameParticipant(one.member, member));",
    planted:
      "const known = state.members.find((one) => sameParticipant(one.member, member)) ?? (asked.kind === 'send' ? { member, sent: asked.first - 1 } : undefined);",
    seed: 2,
  },
  {
    what: "what was missed is skipped",
    file: "src/multicast/group-multicast.ts",
    text: "} else if (one.place < next) return;",
    planted: "} else if (one.place < next) return;\n    else state.next = one.place;",
    seed: 1,
  },
  {
    what: "who was removed goes on listening",
    file: "src/multicast/group-multicast.ts",
    text: "if (!isIn) return this.#end((token) => this.multicast.reply(token, new NotMember()));",
    planted: "",
    seed: 1,
  },
  {
    what: "a sender does not count what it was given",
    file: "src/multicast/group-multicast.ts",
    text: "state.first++;",
    planted: "",
    seed: 1,
  },
];

/** How many seeds a bug may survive. */
const seedsMax = 500;
const number = Number(process.env["KITH_FRESH"] ?? Date.now());
const folder = fileURLToPath(new URL("../..", import.meta.url));
// `KITH_PAXOS_PLANTED` runs all; some of them are enough to see that the tests still find what they are there for.
const all = process.env["KITH_PAXOS_PLANTED"] !== undefined;
const planted = bugs.filter((_, i) => all || i % 3 === 0);

describe("group multicast under all faults", function () {
  this.timeout(300_000);
  let copies: Copies;
  before(() => {
    copies = new Copies(folder, path.resolve(folder, "../.."));
  });
  after(() => copies.remove());

  for (const { name, check } of seedChecks(multicast, { number })) it(name, check);

  it("can be planted, each of them", () => {
    for (const bug of bugs) copies.check(bug);
  });

  for (const bug of planted)
    it(`shows it where ${bug.what}`, async () => {
      const file = path.join(copies.make(bug), "scenarios/multicast.ts");
      const copy = (await import(
        pathToFileURL(file).href
      )) as typeof import("../../scenarios/multicast.ts");
      // The same way as the copy, so that both have the same framework.
      const { runSeed: runCopy } = await import("@kith/sim/scenario");
      const search = process.env["KITH_PAXOS_PLANTED"] === "search";
      let seed = search ? 1 : bug.seed;
      const last = seed + seedsMax;
      let { failure } = runCopy(copy.multicast, seed);
      while (failure === null && seed < last) ({ failure } = runCopy(copy.multicast, ++seed));
      if (process.env["KITH_PAXOS_MARKS"] !== undefined)
        console.log(
          `      seed ${seed}: ${failure?.invariant} ${failure?.complaint.slice(0, 120)}`,
        );
      expect(failure).not.equal(null);
    });
});
