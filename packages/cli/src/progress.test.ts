import { expect } from "chai";
import { Progress } from "./progress.ts";

describe("the progress bar", () => {
  const written: string[] = [];
  const draw = (isTTY: boolean): string => {
    written.length = 0;
    const terminal = { isTTY, columns: 80, write: (text: string) => written.push(text) };
    const progress = new Progress(terminal, 4);
    progress.advance(false);
    progress.advance(true);
    progress.clear();
    return written.join("");
  };

  it("is drawn on a terminal, and taken away", () => {
    const text = draw(true);
    expect(text).to.match(/█+░+ 2 of 4 seeds, 1 failed/);
    expect(text.endsWith("\r\u001B[2K")).to.equal(true);
  });

  it("is not drawn anywhere else", () => {
    expect(draw(false)).to.equal("");
  });
});
