import type { Prices } from "./plan.ts";
import type { Quantities } from "./usage.ts";

/** How much of a quantity one price is for. The SQL of `worker/src/quota` divides by the same numbers. */
export const unitsPerPrice = {
  cpuMs: 3_600_000,
  memoryMiBSeconds: 1024 * 3600,
  diskMiBSeconds: 1024 * 3600,
  egressKiB: 1024 * 1024,
  pausedMiBSeconds: 1024 * 3600,
} as const satisfies Record<keyof Quantities, number>;

export const priceOf = {
  cpuMs: "cpuHourMicros",
  memoryMiBSeconds: "memoryGibHourMicros",
  diskMiBSeconds: "diskGibHourMicros",
  egressKiB: "egressGibMicros",
  pausedMiBSeconds: "pausedGibHourMicros",
} as const satisfies Record<keyof Quantities, keyof Prices>;

/** Micro-dollars of one quantity, rounded up: what is held or compared with a cap must never be too little. */
export function microsUp(quantity: number, priceMicros: number, unit: number): number {
  const product = BigInt(quantity) * BigInt(priceMicros);
  return Number((product + BigInt(unit) - 1n) / BigInt(unit));
}

/** Micro-dollars of one quantity, rounded down: what a bill says. */
export function microsDown(quantity: number, priceMicros: number, unit: number): number {
  return Number((BigInt(quantity) * BigInt(priceMicros)) / BigInt(unit));
}

/** What these quantities cost at most, each rounded up, before included amounts. */
export function costMicros(quantities: Quantities, prices: Prices): number {
  let sum = 0;
  for (const name of Object.keys(unitsPerPrice) as (keyof Quantities)[]) {
    sum += microsUp(quantities[name], prices[priceOf[name]], unitsPerPrice[name]);
  }
  return sum;
}

/** Rounded up, and in the very words of `worker/src/quota`, where SQL does it. */
const millicores = (cpu: number): number => Math.round(cpu * 1000 + 0.4995);

/** The most that a sandbox of this size can use in this time, with no way out to the internet. */
export function worstCase(
  size: { cpu: number; memoryMiB: number; diskMiB: number },
  lifetimeSeconds: number,
): Quantities {
  return {
    cpuMs: millicores(size.cpu) * lifetimeSeconds,
    memoryMiBSeconds: size.memoryMiB * lifetimeSeconds,
    diskMiBSeconds: size.diskMiB * lifetimeSeconds,
    egressKiB: 0,
    pausedMiBSeconds: 0,
  };
}
