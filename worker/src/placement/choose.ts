import type { HostCode } from "#contract/ids";
import type { Host } from "../hosts/directory.ts";

type Ask = { template: string; memoryMiB: number; refused: ReadonlySet<HostCode> };

/** A warm sandbox saves a whole start, so it outweighs any difference in memory. */
const warmWeight = 1;
const roomWeight = 0.1;

/**
 * Power of two choices: of two hosts picked at random, the better one. Random enough that isolates with the same
 * stale view do not all pick the same host. `null` = every host has refused.
 */
export function chooseHost(hosts: readonly Host[], ask: Ask, random: () => number): Host | null {
  const open = hosts.filter((host) => !ask.refused.has(host.code));
  const first = open[Math.floor(random() * open.length)];
  if (!first) return null;
  const others = open.filter((host) => host !== first);
  const second = others[Math.floor(random() * others.length)];
  if (!second) return first;
  return scoreOf(second, ask) > scoreOf(first, ask) ? second : first;
}

function scoreOf(host: Host, ask: Ask): number {
  const pool = host.pools.find((entry) => entry.template === ask.template);
  const warm = Math.min(pool?.available ?? 0, 100);
  const sandboxesOfRoom = Math.max(0, Math.min(host.freeMemoryMiB / ask.memoryMiB, 100));
  return warm * warmWeight + sandboxesOfRoom * roomWeight;
}
