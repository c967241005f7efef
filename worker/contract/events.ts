/** Server-sent events, as every stream of ours is written: one line of JSON per event. */

export const eventStreamType = "text/event-stream";
export const execIdHeader = "x-sandgate-exec-id";

/** What keeps a connection alive that has nothing to say. */
export const keepAliveComment = ": keep-alive\n\n";

/**
 * Line ends for somebody: JSON leaves these as they are, and readers that split text by Unicode's rules would see a
 * frame where a tenant printed one. A byte order mark and DEL go with them.
 */
const lineEndsOfOthers = /[\u007f-\u009f\u2028\u2029\ufeff]/g;

/** What `eventFrame` was given. */
export function parseEventFrame(frame: string): { event: string; data: unknown; id?: number } {
  const [, event = "", , id, data = "null"] = /^event: (.*)\n(id: (.*)\n)?data: (.*)\n\n$/.exec(frame) ?? [];
  return { event, data: JSON.parse(data), ...(id !== undefined && { id: Number(id) }) };
}

/** One frame. JSON has no raw line end and no control character, so nothing in `data` can end the frame. */
export function eventFrame(event: string, data: unknown, id?: number): string {
  const json = JSON.stringify(data).replace(
    lineEndsOfOthers,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`;
}
