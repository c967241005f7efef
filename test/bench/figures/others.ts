/**
 * What others have measured, elsewhere and otherwise: to be read beside ours, never as a ratio. The leaderboard calls
 * services over the internet from a runner of its own, and its middle includes that way; ours includes none.
 */
export const leaderboard = {
  source: "https://github.com/computesdk/benchmarks",
  sequentialDate: "2026-04-27",
  concurrentDate: "2026-04-30",
  /** Medians in seconds, and of the burst the time until the last; what was not published is left out. */
  rows: [
    { provider: "Declaw", sequential: 0.02, staggered: 0.03, burst: 0.89, burstLast: 11.63 },
    { provider: "Archil", sequential: 0.1, staggered: 0.15, burst: 0.36, burstLast: 0.53 },
    { provider: "Daytona", sequential: 0.2, staggered: 0.11, burst: 0.28, burstLast: 0.57 },
    { provider: "Upstash", sequential: 0.32, staggered: 0.29, burst: 3.68, burstLast: 7.49 },
    { provider: "E2B", sequential: 0.4, staggered: 0.33, burst: 0.6, burstLast: 1.55 },
    { provider: "Vercel", sequential: 0.42, staggered: 0.43, burst: 0.54, burstLast: 2.93 },
    { provider: "Blaxel", sequential: 0.44, staggered: 0.43, burst: 1.64, burstLast: 12.04 },
    { provider: "Hopx", sequential: 1.12, staggered: 1.25, burst: 16, burstLast: 124.7 },
    { provider: "Runloop", sequential: 1.32, staggered: 1.53, burst: 7.58, burstLast: 13.39 },
    { provider: "Modal", sequential: 1.47, staggered: 1.4, burst: 1.85, burstLast: 3.07 },
    { provider: "Namespace", sequential: 1.72, staggered: 1.87, burst: 2.25, burstLast: 22.53 },
    { provider: "Cloudflare", sequential: 1.74, staggered: 1.84, burst: 1.98, burstLast: 8.57 },
    { provider: "CodeSandbox", sequential: 2.78, staggered: 2.42, burst: 7.01, burstLast: 14.44 },
  ],
} as const;

/** Creates at once as the project's starting point did them, and plain Docker on the machine of the goals: means in ms. */
export const seeds = [
  { atOnce: 1, seedMs: 2_100, seedSuccess: "", dockerMs: 154 },
  { atOnce: 5, seedMs: 2_800, seedSuccess: "", dockerMs: 416 },
  { atOnce: 10, seedMs: 4_200, seedSuccess: "", dockerMs: 848 },
  { atOnce: 20, seedMs: 7_500, seedSuccess: "", dockerMs: 1_766 },
  { atOnce: 50, seedMs: 15_300, seedSuccess: " (92 % came up)", dockerMs: 4_208 },
] as const;
