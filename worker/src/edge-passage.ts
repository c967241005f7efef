import type { Passage } from "./sandboxes/ports.ts";

/** Workerd's own: what goes through it breaks unless it is as long as it was said to be. */
declare const FixedLengthStream: new (bytes: number) => TransformStream<Uint8Array, Uint8Array>;

/** Of workerd: it makes the handshakes itself, and joins a socket that nobody has accepted to the client's own. */
export const edgePassage: Passage = {
  handshake: (headers) => {
    const protocol = headers.get("sec-websocket-protocol");
    return { upgrade: "websocket", ...(protocol !== null && { "sec-websocket-protocol": protocol }) };
  },
  sized: (body, bytes) => body.pipeThrough(new FixedLengthStream(bytes)),
  handOn: (answer, headers) => {
    const protocol = headers.get("sec-websocket-protocol");
    for (const name of [...headers.keys()]) if (name.startsWith("sec-websocket-")) headers.delete(name);
    if (protocol !== null) headers.set("sec-websocket-protocol", protocol);
    // Workerd's own member of both, which the types of the web do not know.
    const { webSocket } = answer as { webSocket?: unknown };
    return new Response(null, { status: 101, headers, webSocket } as ResponseInit);
  },
};
