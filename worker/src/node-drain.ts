import type { Server } from "node:http";
import type { Duplex } from "node:stream";

/**
 * Watches a server's requests from its start on. The function it returns takes no new connections, lets the requests
 * under way end, at most for `boundMs`, and closes what is open: a connection that never asked anything is no reason
 * to wait, and no call of Node's tells it from one whose request is just arriving.
 */
export function watchRequests(server: Server): (boundMs: number) => Promise<void> {
  let underWay = 0;
  const tunnels = new Set<Duplex>();
  let onQuiet: (() => void) | undefined;
  server.on("request", (_request, response) => {
    underWay++;
    response.once("close", () => {
      underWay--;
      if (underWay === 0) onQuiet?.();
    });
  });
  server.on("upgrade", (_request, socket: Duplex) => {
    // One that went on in HTTP may offer another protocol again.
    if (tunnels.has(socket)) return;
    tunnels.add(socket);
    socket.once("close", () => tunnels.delete(socket));
  });
  return async (boundMs) => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    let timer: NodeJS.Timeout | undefined;
    const quiet = new Promise<void>((resolve) => {
      onQuiet = resolve;
      timer = setTimeout(resolve, boundMs);
      if (underWay === 0) resolve();
    });
    await quiet;
    clearTimeout(timer);
    server.closeAllConnections();
    // Node does not count what has left HTTP, and nobody can say when it would end.
    for (const socket of tunnels) socket.destroy();
    await closed;
  };
}
