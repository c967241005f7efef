import type { Db } from "../db/client.ts";
import { answersWithin } from "../db/ping.ts";
import { AppError } from "../errors.ts";
import type { Directory } from "../hosts/directory.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

const pingGrainMs = 1_000;
const pingDeadlineMs = 2_000;

type Deps = MountDeps & { db: Db; directory: Directory };

export function mountHealth(app: App, deps: Deps): void {
  mount(app, deps, "healthz", async () => ({ status: "ok" as const }));
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let isThere: boolean | undefined;
  mount(app, deps, "readyz", async () => {
    // Open to everyone, so asking it often must not mean asking the database often: one asks, the others get what is
    // known.
    if (isThere === undefined || deps.now() - askedAtMs > pingGrainMs) {
      askedAtMs = deps.now();
      isThere = await answersWithin(deps.db, pingDeadlineMs);
    }
    const checks = { database: isThere, host: false };
    if (!checks.database)
      throw new AppError("unavailable", "The database does not answer.", { facts: checks });
    checks.host = (await deps.directory.placeable()).length > 0;
    return { status: checks.host ? ("ok" as const) : ("degraded" as const), checks };
  });
}
