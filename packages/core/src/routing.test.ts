import { expect } from "chai";
import { by, type ChannelOptions, Component, event, port } from "./index.ts";
import { codeOf, start } from "./kit.test.ts";

class Message extends event("test/Message")<{ to?: string | number | bigint; text: string }> {}
class Letter extends event("test/Letter", Message)<{ stamp?: number }> {}
class Status extends event("test/Status")<{ text: string }> {}
class Send extends event("test/Send")<{ text: string }> {}
const Post = port("Post", { requests: [Send], indications: [Message, Status] });

class User extends Component {
  readonly post = this.requires(Post);
  constructor({ name, deaf }: { name: string; deaf?: boolean }) {
    super();
    this.post.on(Message, ({ text }) => void log.push(`${name} ${text}`));
    if (deaf !== true) this.post.on(Status, ({ text }) => void log.push(`${name} ${text}`));
  }
}

let log: string[] = [];

/** A post office with a user behind each of the given channels, in that order. */
function office(
  channels: Readonly<Record<string, ChannelOptions<typeof Post> | undefined>>,
  deaf = false,
) {
  log = [];
  let extracted = 0;
  class Office extends Component {
    readonly post = this.provides(
      Post,
      by(Message, ({ to }) => {
        extracted++;
        return to;
      }),
    );
    readonly users = Object.entries(channels).map(([name, options]) => {
      const user = this.create(User, { name, deaf });
      return this.connect(this.post, user.ports.post, options ?? {});
    });
    get extracted(): number {
      return extracted;
    }
  }
  return start(Office);
}

describe("routing by key", () => {
  it("sends an indication to the channel with its key, and unkeyed channels see everything", () => {
    const run = office({ a: { key: "a" }, b: { key: "b" }, all: undefined });
    run.do(({ post }) => {
      post.trigger(new Message({ to: "a", text: "1" }));
      post.trigger(new Message({ to: "b", text: "2" }));
    });
    expect(log).to.have.members(["a 1", "all 1", "b 2", "all 2"]);
    expect(run.letters).to.deep.equal([]);
  });

  it("serves every channel that has the key", () => {
    const run = office({ a: { key: 1 }, b: { key: 1 }, c: { key: 2 } });
    run.do(({ post }) => post.trigger(new Message({ to: 1, text: "x" })));
    expect(log).to.deep.equal(["a x", "b x"]);
  });

  it("tells keys of different types apart", () => {
    const run = office({ text: { key: "1" }, number: { key: 1 }, bigint: { key: 1n } });
    run.do(({ post }) => {
      for (const to of ["1", 1, 1n]) post.trigger(new Message({ to, text: typeof to }));
    });
    expect(log).to.have.members(["text string", "number number", "bigint bigint"]);
  });

  it("sends what has no key to the unkeyed channels only", () => {
    const run = office({ a: { key: "a" }, rest: { fallback: true }, all: undefined });
    run.do(({ post }) => post.trigger(new Message({ text: "open" })));
    expect(log).to.deep.equal(["all open"]);
  });

  it("sends a key that nobody has to the fallback", () => {
    const run = office({ a: { key: "a" }, rest: { fallback: true } });
    run.do(({ post }) => {
      post.trigger(new Message({ to: "z", text: "1" }));
      post.trigger(new Message({ to: "a", text: "2" }));
    });
    expect(log).to.have.members(["rest 1", "a 2"]);
  });

  it("or to the dead letters, where there is no fallback", () => {
    const run = office({ a: { key: "a" } });
    run.do(({ post }) => {
      post.trigger(new Message({ to: "z", text: "1" }));
      post.trigger(new Message({ text: "2" }));
    });
    expect(run.letters.map(({ reason, port: name }) => `${reason} ${name}`)).to.deep.equal([
      "no-channel post",
      "no-channel post",
    ]);
  });

  it("applies the extractor to subclasses of its root, and to nothing else", () => {
    const run = office({ a: { key: "a" }, all: undefined });
    run.do(({ post }) => {
      post.trigger(new Letter({ to: "a", text: "letter" }));
      post.trigger(new Status({ text: "status" }));
    });
    expect(log).to.have.members(["a letter", "all letter", "all status"]);
    expect(run.system.instance.extracted).to.equal(1);
  });

  it("takes a key away with its channel", () => {
    const run = office({ a: { key: "k" }, b: { key: "k" }, rest: { fallback: true } });
    const send = (): void =>
      run.do(({ post }) => post.trigger(new Message({ to: "k", text: "x" })));
    send();
    run.do(({ users }) => users[0]?.disconnect());
    send();
    run.do(({ users }) => users[1]?.disconnect());
    send();
    expect(log).to.deep.equal(["a x", "b x", "b x", "rest x"]);
  });

  it("lets requests of keyed users pass without a key", () => {
    const seen: string[] = [];
    class Asker extends Component {
      readonly post = this.requires(Post);
      constructor() {
        super();
        this.onStart(() => this.post.trigger(new Send({ text: "up" })));
      }
    }
    class Office extends Component {
      readonly post = this.provides(
        Post,
        by(Message, ({ to }) => to),
      );
      readonly asker = this.create(Asker);
      constructor() {
        super();
        this.connect(this.post, this.asker.ports.post, { key: "a" });
        this.post.on(Send, ({ text }) => void seen.push(text));
      }
    }
    start(Office);
    expect(seen).to.deep.equal(["up"]);
  });

  it("is a fault of the sender where the extractor throws", () => {
    class Office extends Component {
      readonly post = this.provides(
        Post,
        by(Message, () => {
          throw new Error("no key");
        }),
      );
      readonly user = this.create(User, { name: "u" });
      constructor() {
        super();
        this.connect(this.post, this.user.ports.post);
      }
    }
    log = [];
    const run = start(Office);
    run.do(({ post }) => post.trigger(new Message({ text: "x" })));
    expect(run.faults.map(({ path, cause }) => `${path} ${String(cause)}`)).to.deep.equal([
      "/Office-1 Error: no key",
    ]);
    expect(log).to.deep.equal([]);
  });
});

describe("routing by filter", () => {
  it("lets pass what the filter accepts", () => {
    const run = office({
      short: { filter: { indications: (e) => e.text.length < 3 } },
      all: undefined,
    });
    run.do(({ post }) => {
      post.trigger(new Status({ text: "ab" }));
      post.trigger(new Status({ text: "abc" }));
    });
    expect(log).to.have.members(["short ab", "all ab", "all abc"]);
  });

  it("is a dead letter where every filter refuses", () => {
    const run = office({ none: { filter: { indications: () => false } } });
    run.do(({ post }) => post.trigger(new Status({ text: "x" })));
    expect(log).to.deep.equal([]);
    expect(run.letters.map(({ reason }) => reason)).to.deep.equal(["no-channel"]);
  });

  it("filters the other direction apart", () => {
    const seen: string[] = [];
    class Office extends Component {
      readonly post = this.provides(Post);
      readonly own = this.requires(Post);
      constructor() {
        super();
        this.connect(this.post, this.own, { filter: { requests: (e) => e.text !== "no" } });
        this.post.on(Send, ({ text }) => void seen.push(`send ${text}`));
        this.own.on(Status, ({ text }) => void seen.push(`status ${text}`));
      }
    }
    start(Office).do(({ own, post }) => {
      own.trigger(new Send({ text: "no" }));
      own.trigger(new Send({ text: "yes" }));
      post.trigger(new Status({ text: "no" }));
    });
    expect(seen).to.deep.equal(["send yes", "status no"]);
  });

  it("sends to nobody where one filter throws: keyed, unkeyed or plain", () => {
    const boom = (): boolean => {
      throw new Error("boom");
    };
    const run = office({
      a: { key: "a" },
      plain: undefined,
      bad: { filter: { indications: boom } },
    });
    run.do(({ post }) => post.trigger(new Message({ to: "a", text: "x" })));
    expect(log).to.deep.equal([]);
    expect(run.faults.map(({ path, cause }) => `${path} ${String(cause)}`)).to.deep.equal([
      "/Office-1 Error: boom",
    ]);
  });

  it("stands together with a key", () => {
    const run = office({
      a: { key: "a", filter: { indications: (e) => e.text !== "x" } },
      b: { key: "a" },
    });
    run.do(({ post }) => {
      post.trigger(new Message({ to: "a", text: "x" }));
      post.trigger(new Message({ to: "a", text: "y" }));
    });
    expect(log).to.deep.equal(["b x", "a y", "b y"]);
  });
});

describe("receivers", () => {
  it("are those that have a matching handler when the event is triggered", () => {
    const run = office({ deaf: undefined }, true);
    run.do(({ post }) => {
      post.trigger(new Status({ text: "lost" }));
      post.trigger(new Message({ text: "heard" }));
    });
    expect(log).to.deep.equal(["deaf heard"]);
    expect(run.letters.map(({ reason }) => reason)).to.deep.equal(["no-handler"]);
  });

  it("are fixed at trigger: who subscribes later does not get it, who cancels meanwhile makes a dead letter", () => {
    const seen: string[] = [];
    class Pair extends Component {
      readonly post = this.provides(Post);
      readonly own = this.requires(Post);
      readonly subscription = this.own.on(Message, ({ text }) => void seen.push(text));
      constructor() {
        super();
        this.connect(this.post, this.own);
      }
    }
    const run = start(Pair);
    run.do(({ post, own, subscription }) => {
      post.trigger(new Status({ text: "before" }));
      own.on(Status, ({ text }) => void seen.push(text));
      post.trigger(new Status({ text: "after" }));
      post.trigger(new Message({ text: "cancelled" }));
      subscription.cancel();
    });
    expect(seen).to.deep.equal(["after"]);
    expect(
      run.letters.map(({ reason, event: letter }) => `${reason} ${letter?.constructor.name}`),
    ).to.deep.equal(["no-handler Status", "no-handler Message"]);
  });

  it("match their handlers again when the event is executed", () => {
    const seen: string[] = [];
    class Pair extends Component {
      readonly post = this.provides(Post);
      readonly own = this.requires(Post);
      readonly first = this.own.on(Message, () => void seen.push("first"));
      constructor() {
        super();
        this.connect(this.post, this.own);
      }
    }
    start(Pair).do(({ post, own, first }) => {
      post.trigger(new Message({ text: "x" }));
      first.cancel();
      own.on(Message, () => void seen.push("second"));
    });
    expect(seen).to.deep.equal(["second"]);
  });

  it("of one event are all the users of a provider", () => {
    const run = office({ a: undefined, b: undefined, c: undefined });
    run.do(({ post }) => post.trigger(new Status({ text: "x" })));
    expect(log).to.deep.equal(["a x", "b x", "c x"]);
  });

  it("do not include a port that nobody has connected", () => {
    class Alone extends Component {
      readonly post = this.provides(Post);
    }
    const run = start(Alone);
    run.do(({ post }) => post.trigger(new Status({ text: "x" })));
    expect(run.letters).to.have.length(1);
    expect(run.letters[0]).to.include({ reason: "no-channel", path: "/Alone-1", port: "post" });
    expect(codeOf(() => undefined)).to.equal("");
  });
});
