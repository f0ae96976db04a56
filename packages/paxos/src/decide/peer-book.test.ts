/** A book of peers: later lives win, and one of a process tells of all that it hosts. */

import { formatLife, parsePeer, type PeerRef } from "@kith/network";
import { expect } from "chai";
import { heardOf, met, type PeerBook, sharing } from "./peer-book.ts";

function known(book: PeerBook, peerId: number): PeerRef {
  const peer = book.get(peerId);
  if (peer === undefined) throw new Error(`${peerId} is not in the book`);
  return peer;
}

describe("a book of peers", () => {
  const begin = (): PeerBook => {
    const book: PeerBook = new Map();
    for (const peerId of [11, 12]) heardOf(book, { peerId, host: "a", port: 7000 });
    heardOf(book, { peerId: 21, host: "b", port: 7000 });
    return book;
  };

  it("learns the life of all peers of a process from one of them", () => {
    const book = begin();
    met(book, parsePeer("1@a:7000#5"));
    expect(book.get(11)?.incarnation).equal(5);
    expect(book.get(12)?.incarnation).equal(5);
    expect(book.get(21)?.incarnation).equal(1);
  });

  it("never goes back to an earlier life", () => {
    const book = begin();
    met(book, parsePeer("11@a:7000#5"));
    met(book, parsePeer("12@a:7000#4"));
    met(book, parsePeer("11@a:7000#3"));
    expect([...book.values()].map(({ incarnation }) => incarnation)).deep.equal([5, 5, 1]);
  });

  it("knows the lives that a peer has within one of its process, which the next one ends", () => {
    const book = begin();
    met(book, parsePeer("11@a:7000#5.1"));
    met(book, parsePeer("11@a:7000#5"));
    expect([11, 12].map((peerId) => formatLife(known(book, peerId)))).deep.equal(["5.1", "5"]);
    met(book, parsePeer("12@a:7000#6"));
    expect([11, 12].map((peerId) => formatLife(known(book, peerId)))).deep.equal(["6", "6"]);
  });

  it("believes nobody but a peer that it lives", () => {
    const book: PeerBook = new Map();
    heardOf(book, parsePeer("11@a:7000#2"));
    met(book, parsePeer("11@a:7000#1"));
    heardOf(book, parsePeer("11@a:7000#3"));
    expect(book.get(11)?.incarnation).equal(1);
  });

  it("knows who shares a process", () => {
    const book = begin();
    expect([...sharing(book, parsePeer("1@a:7000#5"))].toSorted((x, y) => x - y)).deep.equal([
      1, 11, 12,
    ]);
    expect([...sharing(book, parsePeer("3@c:7000#1"))]).deep.equal([3]);
  });
});
