import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { requestIdHeader, signatureHeader, unsignedPayload } from "#contract/signature";
import { attachAddress, isAttachPath } from "../attachments/address.ts";
import { type AttachmentDeps, attachToProcess } from "../attachments/attach.ts";
import { HostError } from "../errors.ts";
import { openerIn, portAddress } from "../ports/address.ts";
import { admit } from "../ports/admit.ts";
import { answer } from "../ports/exchange.ts";
import { type Refusal, tunnel, type UpgradingClient } from "../ports/tunnel.ts";
import { problemOf } from "../problem.ts";
import type { PortRouteDeps } from "./ports.ts";
import { assertSigned, type SignedDeps } from "./signed.ts";

export type UpgradeDeps = PortRouteDeps & SignedDeps & AttachmentDeps & { log: Logger };

/** Serves the requests that ask for another protocol, which Node gives out without an answer to write to. */
export function upgradeListener(deps: UpgradeDeps) {
  return (incoming: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Whatever breaks ends the tunnel; there is nobody else to tell.
    socket.on("error", () => socket.destroy());
    upgrade(deps, { incoming, socket, head }).catch((cause: unknown) => {
      if (!(cause instanceof HostError)) deps.log.error({ err: cause }, "an upgrade failed");
      const error =
        cause instanceof HostError
          ? cause
          : new HostError("internal", "Something failed on the host; try again.");
      const body = JSON.stringify(problemOf(error, header(incoming, requestIdHeader)));
      const outgoing = answerTo(incoming, socket);
      outgoing.writeHead(error.status, { "content-type": "application/problem+json" });
      outgoing.end(body);
    });
  };
}

async function upgrade(deps: UpgradeDeps, client: UpgradingClient): Promise<void> {
  const { incoming } = client;
  const url = new URL(incoming.url ?? "/", "http://host");
  // Bytes will follow that nobody signs, so this goes where a streamed body may go.
  if (header(incoming, signatureHeader.bodySha256) !== unsignedPayload)
    throw new HostError("unauthenticated", "The request is not signed by this host's control plane.");
  assertSigned(deps, {
    method: incoming.method ?? "",
    url,
    header: (name) => header(incoming, name),
    body: undefined,
    remoteAddress: incoming.socket.remoteAddress,
  });
  if (isAttachPath(url.pathname)) return attach(deps, url, client);
  const { sandboxId, port, target } = portAddress(url, header(incoming, signatureHeader.sandbox));
  const live = admit(deps.registry, sandboxId, header(incoming, signatureHeader.tenant));
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as const);
  const question = { port, method: "GET", target, headers };
  const opener = openerIn((name) => header(incoming, name));
  const refusal = await tunnel(deps, live, { question, opener }, client);
  const requestId = header(incoming, requestIdHeader);
  deps.log.info({ event: "tunnel", requestId, sandboxId, isOpen: refusal === null });
  if (refusal) await refuse(client, refusal, port);
}

/** @throws HostError as long as nothing has been answered */
function attach(deps: UpgradeDeps, url: URL, client: UpgradingClient): void {
  const { incoming } = client;
  const { sandboxId, name, after } = attachAddress(url, header(incoming, signatureHeader.sandbox));
  const live = deps.registry.find(sandboxId, header(incoming, signatureHeader.tenant));
  const opener = openerIn((name) => header(incoming, name));
  const requestId = header(incoming, requestIdHeader);
  attachToProcess(deps, live, { name, after, opener, requestId }, client);
  deps.log.info({ event: "attach", requestId, sandboxId });
}

async function refuse(
  { incoming, socket }: { incoming: IncomingMessage; socket: Duplex },
  { message, touch }: Refusal,
  port: number,
): Promise<void> {
  await answer(answerTo(incoming, socket), message, port, touch);
}

/** An ordinary answer on a connection that was to be upgraded, and its end. */
function answerTo(incoming: IncomingMessage, socket: Duplex): ServerResponse {
  const outgoing = new ServerResponse(incoming);
  outgoing.shouldKeepAlive = false;
  // A server's sockets are sockets, whatever the type of the event says.
  outgoing.assignSocket(socket as Socket);
  outgoing.once("finish", () => socket.end());
  return outgoing;
}

const header = ({ headers }: IncomingMessage, name: string) => headers[name]?.toString() ?? "";
