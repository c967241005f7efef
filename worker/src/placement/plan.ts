import { AppError } from "../errors.ts";
import type { Directory, Host } from "../hosts/directory.ts";
import { chooseHost } from "./choose.ts";
import { hostsFor } from "./place.ts";

type Deps = { directory: Directory; random: () => number };

/**
 * A first host for each of many sandboxes, spread as if one were placed after the other.
 * @throws AppError `no_capacity` while there is no host, `invalid_request` when none is large enough
 */
export async function planHosts(
  deps: Deps,
  ask: { template: string; cpu: number; memoryMiB: number },
  count: number,
): Promise<Host[]> {
  const hosts = await hostsFor(deps, ask);
  // Counted on copies: what comes of a placement is counted when it has been made.
  const originals = new Map(hosts.map((host) => [host.code, host]));
  const copies = hosts.map((host) => ({ ...host, pools: host.pools.map((pool) => ({ ...pool })) }));
  const planned: Host[] = [];
  while (planned.length < count) {
    const copy = chooseHost(copies, { ...ask, refused: new Set() }, deps.random);
    const host = copy && originals.get(copy.code);
    if (!host) throw new AppError("no_capacity", "There is no host at the moment. Try again soon.");
    copy.freeMemoryMiB -= ask.memoryMiB;
    const pool = copy.pools.find(({ template }) => template === ask.template);
    if (pool) pool.available -= 1;
    planned.push(host);
  }
  return planned;
}
