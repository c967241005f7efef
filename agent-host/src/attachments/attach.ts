import { type WebSocket, WebSocketServer } from "ws";
import { attachProtocol } from "#contract/attach";
import { limits } from "#contract/limits";
import type { ProcessName } from "#contract/process";
import { HostError } from "../errors.ts";
import type { ExecStreams } from "../exec-streams/streams.ts";
import type { CutReason, Opener, OpenPorts } from "../ports/open-ports.ts";
import { handshakeHeaders, type UpgradingClient } from "../ports/tunnel.ts";
import { type ProcessRecord, processesOf } from "../processes/table.ts";
import type { Live } from "../sandboxes/registry.ts";
import { takeInput } from "./input.ts";
import { sendOutput } from "./output.ts";
import { Peer } from "./peer.ts";

export type AttachmentDeps = {
  streams: ExecStreams;
  openPorts: OpenPorts;
  /** How often a client is asked whether it is there. */
  attachPingMs?: number;
};
type Wish = { name: ProcessName; after: number; opener: Opener; requestId: string };

const sockets = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: limits.stdinMaxBytes,
  handleProtocols: (offered) => (offered.has(attachProtocol) ? attachProtocol : false),
});

/**
 * Joins a client's WebSocket to a process: what it prints from an event on, its input, and commands to it. As with its
 * events there is one reader at a time, the newest; leaving ends nothing.
 * @throws HostError as long as nothing has been answered: `invalid_request`, `process_not_found`, `too_many_connections`
 */
export function attachToProcess(deps: AttachmentDeps, live: Live, wish: Wish, client: UpgradingClient): void {
  const { incoming, socket, head } = client;
  handshakeHeaders(incoming);
  const record = processesOf(live).find(wish.name);
  const { sandboxId, tenantId } = live.lease;
  const stream = deps.streams.find(record.id, { sandboxId, tenantId });
  if (!stream) throw new HostError("process_not_found", "What this process printed is not kept any more.");
  let cut: (why: CutReason) => void = () => socket.destroy();
  const open = deps.openPorts.add(live, wish.opener, (why) => cut(why));
  socket.once("close", open.remove);
  sockets.handleUpgrade(incoming, socket, head, (webSocket: WebSocket) => {
    const peer = new Peer(webSocket, wish.requestId);
    cut = (why) => peer.cut(why);
    // What breaks the protocol is answered by its own close code; there is nobody else to tell.
    webSocket.on("error", () => undefined);
    peer.watch(deps.attachPingMs ?? limits.attachPingMs, open.keep);
    takeInput(peer, live, record, open.touch);
    sendOutput(peer, stream, wish.after, factsOf(record)).catch((cause: unknown) => {
      if (cause instanceof HostError) peer.refuse(cause);
      else webSocket.terminate();
    });
  });
}

const factsOf = ({ id, pid, size }: ProcessRecord) => ({ id, pid, ...(size && { pty: size }) });
