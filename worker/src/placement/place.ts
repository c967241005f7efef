import type { HostCode } from "#contract/ids";
import { limits } from "#contract/limits";
import { AppError } from "../errors.ts";
import type { Directory, Host } from "../hosts/directory.ts";
import { chooseHost } from "./choose.ts";

type Deps = { directory: Directory; random: () => number };
type Ask = { template: string; cpu: number; memoryMiB: number };

/**
 * Offers the work to one host after the other, each at most once, until one takes it. `attempt` throws
 * `no_capacity` when its host is full, `invalid_request` when it is too small even when empty; what is neither, nor a
 * host that cannot be reached at all, ends the search.
 * @param first the host to begin with, where that was decided before
 * @throws AppError `no_capacity`; `invalid_request` when no host is large enough
 */
export async function place<T>(
  deps: Deps,
  ask: Ask,
  attempt: (host: Host) => Promise<T>,
  first?: Host,
): Promise<T> {
  const hosts = await hostsFor(deps, ask);
  const refused = new Set<HostCode>();
  const refusals: AppError[] = [];
  while (refused.size < limits.placementHostsMax) {
    const isFirst = refused.size === 0;
    const host = (isFirst && first) || chooseHost(hosts, { ...ask, refused }, deps.random);
    if (!host) break;
    try {
      const placed = await attempt(host);
      deps.directory.notePlaced(host.code, ask);
      return placed;
    } catch (error) {
      if (!(error instanceof AppError) || !isRefusal(error)) throw error;
      refused.add(host.code);
      refusals.push(error);
    }
  }
  const last = refusals.at(-1);
  if (last && refusals.every(({ code }) => code === "invalid_request")) throw last;
  throw noRoom(refusals);
}

/** The caller comes back when the first of the hosts that were asked expects to have room. */
function noRoom(refusals: readonly AppError[]): AppError {
  const waits = refusals.map(({ facts }) => Number(facts?.retryAfterSeconds ?? Number.NaN));
  const retryAfterSeconds = Math.min(...waits.filter(Number.isFinite));
  const last = refusals.at(-1);
  return new AppError("no_capacity", "No host has room for this sandbox at the moment. Try again soon.", {
    ...(last && { cause: last }),
    ...(Number.isFinite(retryAfterSeconds) && { facts: { retryAfterSeconds } }),
  });
}

/** Hosts that may get this work. @throws AppError `invalid_request` when none has as many cores. */
export async function hostsFor(deps: Pick<Deps, "directory">, ask: Pick<Ask, "cpu">): Promise<Host[]> {
  const heard = await deps.directory.placeable();
  const hosts = heard.filter((host) => host.cores >= ask.cpu);
  if (heard.length > 0 && hosts.length === 0) throw tooManyCores(heard);
  return hosts;
}

/** The host has certainly not taken it, and another one might. */
function isRefusal(error: AppError): boolean {
  if (error.code === "host_unreachable") return !error.isOutcomeUnknown;
  return error.code === "no_capacity" || error.code === "invalid_request";
}

function tooManyCores(heard: readonly Host[]): AppError {
  const most = Math.max(...heard.map((host) => host.cores));
  return new AppError("invalid_request", "No host has as many cores.", {
    issues: [{ path: "cpu", message: `must be at most ${most}` }],
  });
}
