import type { Sandbox } from "#contract/sandbox";
import type { Resolved } from "#contract/settings";

/** What the control plane is configured with; verbs get the parts that they need. */
export type Config = {
  keySecret: string;
  hostSecret: string;
  /** Empty = there is no operator. */
  adminKey: string;
  sweepMs: number;
  /** How many control planes share the rates of the tenants. */
  processes: number;
  retentionMs: number;
  /** How long a deleted tenant can be brought back. */
  tenantGraceMs: number;
  /** Parent of the host names of servers in sandboxes. */
  sandboxDomain: string;
  /** Whether clients come over TLS, whatever it is by the time it reaches us. */
  isPublicHttps: boolean;
  /** What a sandbox has that asks for nothing. */
  defaults: Pick<Sandbox, "cpu" | "memoryMiB" | "pids" | "diskMiB" | "lifetimeSeconds" | "idleSeconds">;
};

const secretMinChars = 32;

/**
 * Picks the control plane's configuration out of resolved settings.
 * @throws Error with one sentence when a secret is missing or too short to protect anything.
 */
export function configFrom(values: Resolved): Config {
  for (const name of ["SANDGATE_KEY_SECRET", "SANDGATE_HOST_SECRET"] as const) {
    if (values[name].length < secretMinChars) {
      throw new Error(`${name} must have at least ${secretMinChars} characters; \`npm start\` makes one.`);
    }
  }
  return {
    keySecret: values.SANDGATE_KEY_SECRET,
    hostSecret: values.SANDGATE_HOST_SECRET,
    adminKey: values.SANDGATE_ADMIN_KEY,
    processes: values.SANDGATE_PROCESSES,
    sweepMs: values.SANDGATE_SWEEP_SECONDS * 1000,
    retentionMs: values.SANDGATE_RETENTION_DAYS * 86_400_000,
    tenantGraceMs: values.SANDGATE_TENANT_GRACE_DAYS * 86_400_000,
    sandboxDomain: values.SANDGATE_SANDBOX_DOMAIN,
    isPublicHttps: values.SANDGATE_PUBLIC_URL.startsWith("https:"),
    defaults: {
      cpu: values.SANDGATE_DEFAULT_CPU,
      memoryMiB: values.SANDGATE_DEFAULT_MEMORY_MIB,
      pids: values.SANDGATE_DEFAULT_PIDS,
      diskMiB: values.SANDGATE_DEFAULT_DISK_MIB,
      lifetimeSeconds: values.SANDGATE_DEFAULT_LIFETIME_SECONDS,
      idleSeconds: values.SANDGATE_DEFAULT_IDLE_SECONDS,
    },
  };
}
