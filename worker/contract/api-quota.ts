import type { ApiRow } from "./api-row.ts";
import { Quota } from "./quota.ts";

const none = { used: 0, held: 0 };
const noBudget = {
  capMicros: null,
  spentMicros: 0,
  heldMicros: 0,
  remainingMicros: null,
  resetsAt: "2026-02-01T00:00:00.000Z",
};
const exampleQuota = {
  plan: "free",
  concurrentSandboxes: { limit: 5, used: 2, held: 0, remaining: 3, resetsAt: null },
  concurrentRuns: { limit: 5, ...none, remaining: 5, resetsAt: null },
  createsPerDay: { limit: 1000, used: 17, held: 0, remaining: 983, resetsAt: "2026-01-31T00:00:00.000Z" },
  cpuSeconds: { limit: 36_000, used: 412, held: 1800, remaining: 33_788, resetsAt: noBudget.resetsAt },
  memoryGibSeconds: { limit: 72_000, used: 300, held: 450, remaining: 71_250, resetsAt: noBudget.resetsAt },
  storedBytes: { limit: 104_857_600, ...none, remaining: 104_857_600, resetsAt: null },
  budget: { tenant: noBudget, key: noBudget },
  rates: {
    control: { perSecond: 20, burst: 40 },
    data: { perSecond: 100, burst: 200 },
    create: { perSecond: 5, burst: 25 },
  },
};

export const quotaRows = {
  getQuota: {
    method: "get",
    path: "/v1/quota",
    summary: "Read every limit, and how much of it is used and held",
    scope: "usage:read",
    tokens: 1,
    result: Quota,
    status: 200,
    errors: [],
    example: { result: exampleQuota },
  },
} as const satisfies Record<string, ApiRow>;
