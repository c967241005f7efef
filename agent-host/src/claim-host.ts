import { createServer } from "node:net";
import { StartupError } from "./errors.ts";

/**
 * Makes sure that one process only acts as this host: a second one would take the first one's sandboxes for leftovers
 * of a crash, since none of them dials it, and destroy them. The kernel frees the name when the process ends, however.
 * @returns what frees it earlier. @throws StartupError
 */
export function claimHost(hostId: string): Promise<() => void> {
  // Nobody has anything to say here; the listening itself is the claim.
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const isTaken = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
      const sentence = "The agent-host of this data folder runs already; stop it first.";
      reject(isTaken ? new StartupError(sentence, { cause }) : cause);
    });
    server.listen(`\0sandgate-host-${hostId}`, () => resolve(() => void server.close()));
  });
}
