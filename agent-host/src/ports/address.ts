import { KeyId, SandboxId } from "#contract/ids";
import { PortNumber, portHeader } from "#contract/ports";
import { HostError } from "../errors.ts";
import type { Opener } from "./open-ports.ts";

const portPath = /^\/v1\/sandboxes\/([a-z0-9]+)\/ports\/([1-9]\d*)(\/.*)?$/;

export const isPortPath = (pathname: string) => portPath.test(pathname);

/**
 * What a signed address says of a request to a port: the part behind the port is the server's to understand.
 * @throws HostError `sandbox_not_found`, `invalid_request`
 */
export function portAddress({ pathname, search }: URL, signedSandbox: string) {
  const [, id, digits, path = "/"] = portPath.exec(pathname) ?? [];
  const sandboxId = SandboxId.safeParse(id);
  if (!sandboxId.success || sandboxId.data !== signedSandbox)
    throw new HostError("sandbox_not_found", "Check the sandbox id.");
  const port = PortNumber.safeParse(digits);
  if (!port.success) throw new HostError("invalid_request", "A port is a number from 1 to 65535.");
  return { sandboxId: sandboxId.data, port: port.data, target: path + search };
}

/** What a connection stands and falls with, as the control plane says; nothing for who came without a key. */
export function openerIn(header: (name: string) => string | undefined): Opener {
  const until = header(portHeader.untilMs) ?? "";
  return {
    keyId: KeyId.safeParse(header(portHeader.keyId)).data ?? null,
    untilMs: /^\d{1,15}$/.test(until) ? Number(until) : null,
  };
}

export function bodyBytesIn(headers: Headers): number | undefined {
  const said = headers.get(portHeader.bodyLength) ?? "";
  return /^\d{1,15}$/.test(said) ? Number(said) : undefined;
}

/** A path for the log: what is behind a port's number is the tenant's own. */
export const loggablePath = (pathname: string) => pathname.replace(/(\/ports\/[^/]*)\/.*/, "$1");
