import { array, assert, integer, pre, property, string } from "fast-check";
import { expect, test } from "vitest";
import { Output } from "../../../src/files/sandbox/output.ts";

test("what fits is kept as it came, in whatever pieces", () => {
  assert(
    property(array(string({ unit: "binary" }), { maxLength: 20 }), (pieces) => {
      const output = new Output(10_000);
      for (const piece of pieces) output.add(Buffer.from(piece));
      expect(output.kept()).toEqual({ text: Buffer.from(pieces.join("")).toString(), leftOut: 0 });
    }),
  );
});

test("of what does not fit, head and tail are kept without broken characters, and the rest is counted", () => {
  assert(
    property(
      array(string({ unit: "grapheme", minLength: 1 }), { minLength: 10, maxLength: 40 }),
      integer({ min: 0, max: 40 }),
      (pieces, limit) => {
        const whole = Buffer.from(pieces.join(""));
        pre(whole.length > limit && whole.toString().isWellFormed() && !whole.includes("�"));
        const output = new Output(limit);
        for (const piece of pieces) output.add(Buffer.from(piece));
        const { text, leftOut } = output.kept();
        const gap = `\n[… ${leftOut} bytes left out …]\n`;
        const cut = text.indexOf(gap);
        const [head, tail] = [text.slice(0, cut), text.slice(cut + gap.length)];
        expect(whole.toString().startsWith(head)).toBe(true);
        expect(whole.toString().endsWith(tail)).toBe(true);
        expect(Buffer.byteLength(head) + Buffer.byteLength(tail) + leftOut).toBe(whole.length);
        expect(Buffer.byteLength(head) + Buffer.byteLength(tail)).toBeLessThanOrEqual(limit);
      },
    ),
  );
});
