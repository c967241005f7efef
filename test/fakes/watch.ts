import { eventFrame } from "#contract/events";
import type { WatchEventName } from "#contract/watch";

export type Watcher = (event: WatchEventName, path: string) => void;

/** What is told of a path and of what is in it, until the stream's reader goes. */
export function watchFake(watchers: Set<Watcher>, watched: string): ReadableStream<Uint8Array> {
  let seq = 0;
  let watcher: Watcher = () => undefined;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (event: WatchEventName, data: object) => {
        seq++;
        controller.enqueue(new TextEncoder().encode(eventFrame(event, { seq, ...data }, seq)));
      };
      watcher = (event, path) => {
        if (path === watched || path.startsWith(`${watched}/`)) send(event, { path, isFolder: false });
      };
      watchers.add(watcher);
      send("ready", { path: watched });
    },
    cancel: () => void watchers.delete(watcher),
  });
}
