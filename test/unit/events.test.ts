import fc from "fast-check";
import { expect, test } from "vitest";
import { eventFrame, parseEventFrame } from "#contract/events";

test("what was made a frame is read from it as it was, whatever it holds", () => {
  const data = fc.oneof(
    fc.record({ seq: fc.nat(), data: fc.string({ unit: "binary" }), encoding: fc.constant("utf8") }),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.constantFrom("stdout", "exit"), data, fc.option(fc.nat()), (event, value, id) => {
      const sent = JSON.parse(JSON.stringify(value));
      const parsed = parseEventFrame(eventFrame(event, value, id ?? undefined));
      expect(parsed).toEqual({ event, data: sent, ...(id !== null && { id }) });
    }),
  );
});
