import type { Duplex, Writable } from "node:stream";
import { limits } from "#contract/limits";
import { HostError } from "../errors.ts";
import { SandboxdError } from "../sandboxd/error.ts";
import { asHostError } from "../sandboxes/failures.ts";
import type { Live } from "../sandboxes/registry.ts";
import { type Opener, type OpenPort, type OpenPorts, tooManyConnections } from "./open-ports.ts";

/** A connection to a server in a sandbox. It ends with its client, and its client with it when it is cut. */
export type PortConnection = { connection: Duplex; open: OpenPort };

/** @throws HostError `port_closed`, `port_timeout`, `too_many_connections` */
export async function connectTo(
  { openPorts }: { openPorts: OpenPorts },
  live: Live,
  { port, opener }: { port: number; opener: Opener },
  client: Writable,
): Promise<PortConnection> {
  const connection = await dial(live, port);
  const close = () => connection.destroy();
  client.once("close", close);
  if (client.destroyed) close();
  const cut = () => {
    close();
    client.destroy();
  };
  try {
    const open = openPorts.add(live, opener, cut);
    connection.once("close", open.remove);
    return { connection, open };
  } catch (cause) {
    close();
    throw cause;
  }
}

async function dial(live: Live, port: number): Promise<Duplex> {
  try {
    return await live.member.connection.connect({ port, timeoutMs: limits.portConnectMs });
  } catch (cause) {
    throw refusalOf(cause, live);
  }
}

const sentences = {
  portRefused: ["port_closed", "Start a server on this port in the sandbox, then try again."],
  portReset: ["port_closed", "Start a server on this port in the sandbox, then try again."],
  portUnknown: ["port_closed", "This sandbox is older than ports; create a new one."],
  portTimeout: ["port_timeout", "The server takes no connections; look at it in the sandbox."],
} as const;

function refusalOf(cause: unknown, live: Live): unknown {
  if (live.ending || !(cause instanceof SandboxdError)) return asHostError(cause, live);
  if (cause.code === "tooMany") return tooManyConnections(cause);
  const known = Object.entries(sentences).find(([code]) => code === cause.code)?.[1];
  return known ? new HostError(known[0], known[1], { cause }) : asHostError(cause, live);
}
