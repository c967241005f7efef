import { Transform } from "node:stream";

export type BodyBounds = { exactBytes?: number | undefined; maxBytes?: number };

/** Passes bytes on and tells that they have passed; breaks when they are more than allowed, or not as many as was said. */
export function meter(touch: () => void, { exactBytes, maxBytes }: BodyBounds = {}): Transform {
  const most = exactBytes ?? maxBytes ?? Number.POSITIVE_INFINITY;
  let bytes = 0;
  const wrong = () => new Error("The body has another length than was said, or is too long.");
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      touch();
      bytes += chunk.length;
      if (bytes > most) done(wrong());
      else done(null, chunk);
    },
    flush(done) {
      done(exactBytes !== undefined && bytes !== exactBytes ? wrong() : null);
    },
  });
}
