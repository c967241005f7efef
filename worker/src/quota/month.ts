const dayMs = 86_400_000;

/** '2026-01', of UTC. */
export const monthOf = (ms: number): string => new Date(ms).toISOString().slice(0, 7);

/** '2026-01-31', of UTC. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** When what is counted by the month begins anew. */
export function monthEndMs(ms: number): number {
  const at = new Date(ms);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1);
}

/** When what is counted by the day begins anew. */
export const dayEndMs = (ms: number): number => (Math.floor(ms / dayMs) + 1) * dayMs;
