import type { Included, PriceSheet } from "#contract/plan";
import { priceOf, unitsPerPrice } from "#contract/price";
import { type Quantities, quantityNames } from "#contract/usage";

type Unit = {
  name: keyof Quantities;
  /** In `holds` and `usage_months`; in `holds` there is `used_...` too. */
  column: string;
  price: (typeof priceOf)[keyof Quantities];
  /** How much of it one price is for. */
  per: number;
  /** What a month has free of charge, and how much of the quantity one of those is. */
  included?: { of: keyof Included; per: number };
};

const columns: Record<keyof Quantities, string> = {
  cpuMs: "cpu_ms",
  memoryMiBSeconds: "memory_mib_seconds",
  diskMiBSeconds: "disk_mib_seconds",
  egressKiB: "egress_kib",
  pausedMiBSeconds: "paused_mib_seconds",
};
const free: Partial<Record<keyof Quantities, Unit["included"]>> = {
  cpuMs: { of: "cpuSeconds", per: 1000 },
  memoryMiBSeconds: { of: "memoryGibSeconds", per: 1024 },
  diskMiBSeconds: { of: "diskGibSeconds", per: 1024 },
  egressKiB: { of: "egressGib", per: 1024 * 1024 },
};

/** Each quantity with its column, its price and what is included of it. */
export const units: readonly Unit[] = quantityNames.map((name) => ({
  name,
  column: columns[name],
  price: priceOf[name],
  per: unitsPerPrice[name],
  ...(free[name] && { included: free[name] }),
}));

export const ofEach = (amount: (unit: Unit) => number): Quantities =>
  Object.fromEntries(units.map((unit) => [unit.name, amount(unit)])) as Quantities;

/** What is free of charge in a month, as quantities. */
export const includedOf = (sheet: PriceSheet): Quantities =>
  ofEach(({ included }) => (included ? sheet.included[included.of] * included.per : 0));

type Used = Record<`used${Capitalize<keyof Quantities>}`, number>;

/** What was metered of a row of `holds`. */
export const ofUsed = (hold: Used): Quantities => ({
  cpuMs: hold.usedCpuMs,
  memoryMiBSeconds: hold.usedMemoryMiBSeconds,
  diskMiBSeconds: hold.usedDiskMiBSeconds,
  egressKiB: hold.usedEgressKiB,
  pausedMiBSeconds: hold.usedPausedMiBSeconds,
});
