import { expect } from "chai";
import { octetText } from "./octets.ts";

describe("bytes as characters", () => {
  it("are one for each byte, whatever their number", () => {
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i);
    for (let begin = 0; begin < 20; begin++)
      for (const end of [begin, begin + 1, begin + 7, begin + 8, begin + 9, 256, 300]) {
        const text = octetText(bytes, begin, end);
        expect(text).length(end - begin);
        const codes = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
        expect(codes).deep.equal([...bytes.subarray(begin, end)]);
      }
    expect(octetText(bytes)).length(300);
  });
});
