import { SandboxId } from "#contract/ids";
import type { PortOrigin } from "#contract/port-headers";
import { PortNumber, routingHeaders } from "#contract/ports";

/** Which port of which sandbox a request is for, read off its host name or its routing headers. */
export type PortAddress =
  | { sandboxId: SandboxId; port: number; origin: PortOrigin }
  /** It is for a sandbox, and says so wrongly; no route of ours may serve it. */
  | { fault: string; sandboxId: string };

/** `<port>-<id>`, and the tail that old E2B clients add. */
const label = /^(\d+)-([a-z0-9]+)(?:-[a-z0-9]+)?$/;
/** No host name of a port can be written so: those have a dash, and nothing else becomes one when a URL is read. */
const plainHost = /^https?:\/\/[a-z0-9.]+(?::\d+)?\//;
const addressOnly = /^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;

/**
 * `null` = the request is not for a sandbox. Routing headers count where the host name is nobody's own: an address,
 * localhost, and `sandbox.<domain>`.
 */
export function portAddressOf(url: string, headers: Headers, domain: string): PortAddress | null {
  const id = headers.get(routingHeaders.sandboxId);
  // Nearly all requests; to read a whole URL would be a twentieth of what a short one costs.
  if (id === null && plainHost.test(url)) return null;
  const { hostname } = new URL(url);
  const first = hostname.endsWith(`.${domain}`) ? hostname.slice(0, -domain.length - 1) : "";
  // A name that begins with a digit and has a dash is meant for a port; the API's own names are not like that.
  if (/^\d[^.]*-/.test(first)) {
    const [, port = "", id = ""] = label.exec(first) ?? [];
    return addressFrom(id, port, "own");
  }
  if (id === null || !(addressOnly.test(hostname) || first === "sandbox")) return null;
  return addressFrom(id, headers.get(routingHeaders.port) ?? "", "shared");
}

function addressFrom(id: string, digits: string, origin: PortOrigin): PortAddress {
  const sandboxId = SandboxId.safeParse(id);
  const port = PortNumber.safeParse(digits);
  if (!sandboxId.success) return { fault: "This is not the id of a sandbox.", sandboxId: "" };
  if (!port.success) return { fault: "A port is a number from 1 to 65535.", sandboxId: sandboxId.data };
  return { sandboxId: sandboxId.data, port: port.data, origin };
}
