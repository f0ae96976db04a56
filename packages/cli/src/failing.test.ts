import { KithError } from "@kith/core";
import { expect } from "chai";
import { readArguments, wholeNumber, place } from "./arguments.ts";
import { paintFor } from "./colours.ts";
import { cliError } from "./errors.ts";
import { exitCodeOf, failureJson, failureOf, runProgram } from "./failing.ts";

const plain = paintFor({});

describe("a command that fails", () => {
  it("says what is wrong, why, and what to do next, without a stack", () => {
    const cause = new Error("connect ECONNREFUSED", { cause: new Error("no route") });
    const error = new KithError("KITH_X", "Nobody is there.", "Go on.", { cause });
    expect(failureOf(error, plain)).equal(
      "Nobody is there.\n  because: connect ECONNREFUSED\n  because: no route\n  Go on.\n  KITH_X",
    );
    expect(failureJson(error)).deep.equal({
      error: {
        code: "KITH_X",
        next: "Go on.",
        message: "Nobody is there.",
        causes: ["connect ECONNREFUSED", "no route"],
      },
    });
  });

  it("says a cause once", () => {
    const error = new KithError("KITH_X", "It failed: no route.", "Go on.", {
      cause: new Error("no route"),
    });
    expect(failureOf(error, plain)).not.match(/because/);
  });

  it("shows a stack for an error of its own only", () => {
    const system = Object.assign(new Error("EACCES: no"), { syscall: "open" });
    expect(failureOf(system, plain)).equal("EACCES: no");
    expect(failureOf(new TypeError("x is not a function"), plain)).match(
      /^x is not a function\n[^]* at [^]*error of kith itself/,
    );
    expect(failureOf("a text", plain)).match(/a text/);
  });

  it("has an exit code for a wrong command, for a failure, and for what nobody knows", () => {
    const unknown = Object.assign(new KithError("KITH_X", "a", "b"), { outcome: "unknown" });
    expect(exitCodeOf(cliError("KITH_CLI_ARGUMENT", "a"))).equal(2);
    expect(exitCodeOf(cliError("KITH_CLI_FILE", "a"))).equal(1);
    expect(exitCodeOf(unknown)).equal(3);
    expect(exitCodeOf(new Error("a"))).equal(1);
  });

  it("sets the exit code and ends nothing", async () => {
    const before = process.exitCode;
    let told = "";
    await runProgram(() => Promise.reject(cliError("KITH_CLI_ARGUMENT", "Wrong.")), {
      write: (text: string) => (told += text),
    });
    const after = process.exitCode;
    process.exitCode = before ?? 0;
    expect(told).match(/^Wrong\.\n/);
    expect(after).equal(2);
  });

  it("says so as one line of JSON where a program reads it", async () => {
    const before = process.exitCode;
    let told = "";
    const terminal = { write: (text: string) => (told += text) };
    await runProgram(() => Promise.reject(cliError("KITH_CLI_ABSENT", "Gone.")), terminal, true);
    process.exitCode = before ?? 0;
    expect(told).match(/^\{.*\}\n$/);
    expect(JSON.parse(told).error).include({ code: "KITH_CLI_ABSENT", message: "Gone." });
  });
});

describe("arguments", () => {
  const codeOf = (body: () => unknown): unknown => {
    try {
      body();
    } catch (error) {
      return error instanceof KithError ? `${error.code}: ${error.message}` : error;
    }
    return null;
  };

  it("are numbers within bounds", () => {
    expect(wholeNumber("5", "a number", 1, 5)).equal(5);
    for (const text of ["0", "6", "-1", "1e1", "", " 1", "x"])
      expect(
        codeOf(() => wholeNumber(text, "a number of peers", 1, 5)),
        text,
      ).match(/KITH_CLI_ARGUMENT: .*is not a number of peers from 1 to 5/);
  });

  it("are ports of loopback or addresses", () => {
    expect(place("6379", "where to listen")).deep.equal({ host: "127.0.0.1", port: 6379 });
    expect(place("[::1]:80", "where to listen")).deep.equal({ host: "::1", port: 80 });
    for (const text of ["65536", "host", "host:", ":80:", "host:99999"])
      expect(
        codeOf(() => place(text, "where to listen")),
        text,
      ).match(/KITH_CLI_ARGUMENT/);
  });

  it("that are unknown, or lack a value, are told with those that there are", () => {
    const options = { seeds: { type: "string" } } as const;
    expect(codeOf(() => readArguments({ args: ["--sed", "1"], options }))).match(
      /Unknown option '--sed'\. The options are --seeds\./,
    );
    expect(codeOf(() => readArguments({ args: ["--seeds"], options }))).match(
      /'--seeds <value>' argument missing/,
    );
  });

  it("are coloured on terminals only, and where nobody minds", () => {
    expect(paintFor({}, {}).red("a")).equal("a");
    expect(paintFor({ isTTY: true }, {}).red("a")).equal("\u001B[31ma\u001B[39m");
    expect(paintFor({ isTTY: true }, { NO_COLOR: "1" }).red("a")).equal("a");
    expect(paintFor({ isTTY: true }, { TERM: "dumb" }).red("a")).equal("a");
  });
});
