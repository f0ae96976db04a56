/** The order of writes: where one is refused, none behind it can be taken, and nothing more is written. */

import { type CommitInstall, StorageFailed, type Write } from "@kith/storage";
import { expect } from "chai";
import { noWrites, orderLog, Writes } from "./writes.ts";

describe("the writes of a process", () => {
  const setUp = () => {
    const asked: (Write | CommitInstall)[] = [];
    const state = noWrites();
    const writes = new Writes(() => state, {
      write: (ask) => void asked.push(ask),
      install: (ask) => void asked.push(ask),
    });
    const commit = (): void => {
      const batch = writes.begin();
      if (batch === null) return;
      batch.operations.push({ kind: "put", key: new Uint8Array(), value: new Uint8Array() });
      writes.commit(batch);
    };
    const places = (): number[] =>
      asked.flatMap(({ operations }) =>
        operations.flatMap((one) =>
          one.kind === "append" && one.namespace === orderLog ? [one.index] : [],
        ),
      );
    return { asked, state, writes, commit, places };
  };
  const failed = (code: ConstructorParameters<typeof StorageFailed>[0]["code"]): StorageFailed =>
    new StorageFailed({ code, detail: "no" });

  it("each have a place in a log, which has no gap: a storage takes none without those before it", () => {
    const { commit, writes, places } = setUp();
    commit();
    commit();
    writes.install(1, [], new Map());
    commit();
    expect(places()).deep.equal([1, 2, 3, 4]);
  });

  it("stop with the first that is refused for want of room, and those behind it are no news", () => {
    const { commit, writes, asked, state } = setUp();
    for (let i = 0; i < 3; i++) commit();
    expect(writes.refuse(failed("KITH_STORAGE_FULL"))).equal(true);
    expect(writes.refuse(failed("KITH_STORAGE_ARGUMENT"))).equal(true);
    commit();
    expect(asked).length(3);
    expect(state.refused).equal("no");
  });

  it("do not go on where the storage is broken, or does not understand", () => {
    const { writes } = setUp();
    expect(writes.refuse(failed("KITH_STORAGE_ARGUMENT"))).equal(false);
    expect(writes.refuse(failed("KITH_STORAGE_FLUSH"))).equal(false);
  });
});
