import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { limits } from "#contract/limits";
import { headersFromPort, headersToPort } from "#contract/port-headers";
import { portHeader } from "#contract/ports";
import { HostError } from "../errors.ts";
import type { OpenPort } from "./open-ports.ts";

/** A request for a server in a sandbox, as the control plane has signed it. */
export type PortQuestion = {
  port: number;
  method: string;
  /** Path and query as the server is to see them. */
  target: string;
  headers: readonly (readonly [string, string])[];
  /** What the request says about itself: the length of its body, or that it is a handshake. */
  own: Record<string, string>;
};
export type PortReply = { message: IncomingMessage; tunnel?: { guest: Duplex; head: Buffer } };
export type AskDeps = {
  now: () => number;
  /** `limits.portAnswerMs`, but for tests. */
  portAnswerMs?: number;
};

const forwarded = ["x-forwarded-host", "x-forwarded-proto", "x-forwarded-prefix"];
const statusMin = 200;
const statusMax = 599;

/**
 * Asks a server in a sandbox over a connection of its own. Node's parser reads what comes back, so that nothing is
 * passed on that it has not understood: it refuses contradictory lengths, and more headers than are allowed.
 * The reply rejects with HostError `port_failed`, or `port_timeout` when no byte has moved for too long.
 */
export function ask(
  deps: AskDeps,
  { connection, open }: { connection: Duplex; open: OpenPort },
  question: PortQuestion,
): { request: ClientRequest; reply: Promise<PortReply> } {
  const { method, target: path } = question;
  const maxHeaderSize = limits.portAnswerHeadersMaxBytes;
  const createConnection = () => connection;
  const headers = requestHeaders(question);
  const request = httpRequest({ createConnection, method, path, headers, setHost: false, maxHeaderSize });
  const answerMs = deps.portAnswerMs ?? limits.portAnswerMs;
  let timer: NodeJS.Timeout;
  const reply = new Promise<PortReply>((resolve, reject) => {
    const check = () => {
      const quietMs = deps.now() - open.lastByteAtMs();
      if (quietMs < answerMs) timer = setTimeout(check, answerMs - quietMs);
      else
        reject(new HostError("port_timeout", "The server took the request and did not answer it in time."));
    };
    timer = setTimeout(check, answerMs);
    request.once("response", (message) => {
      const status = message.statusCode ?? 0;
      if (status >= statusMin && status <= statusMax) resolve({ message });
      else reject(failed());
    });
    // Without a listener Node refuses an upgrade that nobody has asked for.
    if (question.own.upgrade !== undefined)
      request.once("upgrade", (message, guest, head) => resolve({ message, tunnel: { guest, head } }));
    request.on("error", (cause) => reject(failed(cause)));
    request.once("close", () => reject(failed()));
  });
  reply.catch(() => request.destroy()).finally(() => clearTimeout(timer));
  return { request, reply };
}

function requestHeaders({ port, headers, own }: PortQuestion): Record<string, string> {
  const sent = Object.fromEntries(headers);
  const ours = Object.fromEntries(forwarded.flatMap((name) => (sent[name] ? [[name, sent[name]]] : [])));
  // Below a prefix a server has no name of its own; on its name it may compare that with the origin of a page.
  const isPrefixed = ours["x-forwarded-prefix"] !== undefined;
  const host = (isPrefixed ? undefined : ours["x-forwarded-host"]) ?? `localhost:${port}`;
  const passed = Object.fromEntries(headersToPort(headers, "own"));
  return { ...passed, ...ours, host, connection: "close", ...own };
}

/** The headers of a server's answer as the control plane gets them, and that they are a server's. */
export function replyHeaders(message: IncomingMessage, port: number): string[] {
  const { rawHeaders } = message;
  const pairs = rawHeaders.flatMap((name, i) =>
    i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ""] as const] : [],
  );
  // What acts on an origin is for the control plane to take out: it knows which origin it is.
  return [...headersFromPort(pairs, "own", () => null), [portHeader.answer, String(port)] as const].flat();
}

function failed(cause?: unknown): HostError {
  const sentence = "Look at the server in the sandbox: it broke off, or what it says is not HTTP.";
  return new HostError("port_failed", sentence, { cause });
}
