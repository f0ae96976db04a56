import { expect } from "chai";
import { applyEntry, emptyTable } from "../table.ts";
import { multicastSequence, readSequel, type Sequel, sequenceCommand } from "./sequence.ts";

describe("the machine of a multicast group", () => {
  it("answers what is no command, and is not stopped by it", () => {
    const table = emptyTable(1);
    const machine = multicastSequence();
    const apply = (data: Uint8Array): Sequel => {
      const place = { index: table.applied + 1, term: 1, time: 0 };
      const { result } = applyEntry(table, machine, { kind: "command", data, ...place }, true);
      return readSequel(result ?? new Uint8Array());
    };
    const member = { peerId: 1, incarnation: 1, joined: 1 };
    const join = sequenceCommand({ kind: "join", member });
    const send = sequenceCommand({ kind: "send", member, first: 1, payloads: [new Uint8Array(3)] });
    expect(apply(join).isMember).equal(true);
    for (const whole of [join, send])
      for (let length = 0; length < whole.length; length++)
        expect(apply(whole.slice(0, length))).deep.include({
          isMember: false,
          next: 2,
          placed: [],
        });
    expect(apply(Uint8Array.of(9, 1, 1, 0, 1)).placed).deep.equal([]);
    expect(apply(send).placed).length(1);
  });
});
