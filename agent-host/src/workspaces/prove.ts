import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import type { CgroupLimits } from "../cgroup/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { Runtime, TemplateImage } from "../runtime/runtime.ts";
import type { Workspaces } from "./workspaces.ts";

type ProveDeps = {
  workspaces: Pick<Workspaces, "driver" | "isProven" | "use">;
  runtime: Pick<Runtime, "start">;
  pool: Pick<Pool, "put">;
  memberLimits: CgroupLimits;
  log: Logger;
};

/**
 * Whether mounts of this machine reach the containers of its engine is tried on the first sandbox. Where it starts
 * with a workspace in memory and not on disk, memory it is for this life of the host; where it starts with neither,
 * the fault is another one, and the pool will meet it again.
 */
export async function proveWorkspaces(deps: ProveDeps, template: TemplateImage): Promise<void> {
  const { workspaces, runtime, pool, log } = deps;
  if (workspaces.driver === "tmpfs" || workspaces.isProven) return;
  const start = async () => {
    const memberId = randomBytes(4).toString("hex");
    pool.put(await runtime.start({ memberId, template, limits: deps.memberLimits }));
  };
  try {
    await start();
  } catch (cause) {
    log.warn({ err: cause }, "the first sandbox did not start with a disk");
    workspaces.use("tmpfs", cause instanceof Error ? cause.message : String(cause));
    await start().catch(() => workspaces.use("loop", ""));
  }
}
