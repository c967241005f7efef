/**
 * A body, counted as an operation until its last byte. It breaks when it is not as long as was said: what is sent
 * past an answer's length would be read as the next answer on that connection, which may be another tenant's.
 */
export function exactBody(
  body: ReadableStream<Uint8Array>,
  size: number,
  finish: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let leftBytes = size;
  const next = async () => {
    const { done, value } = await reader.read();
    leftBytes -= value?.byteLength ?? 0;
    if (leftBytes < 0 || (done && leftBytes > 0)) throw new Error("The file has another size than was said.");
    return value;
  };
  const giveUp = (cause: unknown) => {
    finish();
    return reader.cancel(cause);
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const value = await next();
          if (value) return controller.enqueue(value);
          finish();
          controller.close();
        } catch (cause) {
          // A body that has broken by itself cannot be cancelled any more.
          await giveUp(cause).catch(() => undefined);
          throw cause;
        }
      },
      cancel: giveUp,
    },
    { highWaterMark: 0 },
  );
}
