import type { Config } from "#worker/env";

export const testConfig: Config = {
  keySecret: "a key secret for tests, long enough",
  hostSecret: "a host secret for tests, long enough",
  adminKey: "an_admin_key_for_tests_that_is_long_enough",
  sweepMs: 30_000,
  processes: 1,
  retentionMs: 7 * 86_400_000,
  tenantGraceMs: 7 * 86_400_000,
  sandboxDomain: "sandboxes.test",
  isPublicHttps: false,
  defaults: { cpu: 1, memoryMiB: 256, pids: 256, diskMiB: 1024, lifetimeSeconds: 900, idleSeconds: 300 },
};
