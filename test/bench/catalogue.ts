import { bulkCase } from "./cases/bulk.ts";
import { coldCase } from "./cases/cold.ts";
import { concurrentCase } from "./cases/concurrent.ts";
import { createCase } from "./cases/create.ts";
import { densityCase } from "./cases/density.ts";
import { execCase } from "./cases/exec.ts";
import { filesCase } from "./cases/files.ts";
import { getCase } from "./cases/get.ts";
import { interactiveCase } from "./cases/interactive.ts";
import { lagCase } from "./cases/lag.ts";
import { limitsCase } from "./cases/limits.ts";
import { refillCase } from "./cases/refill.ts";
import { shareCase } from "./cases/share.ts";
import { stdoutCase } from "./cases/stdout.ts";
import type { Outcome } from "./figures/row.ts";
import type { Scale } from "./scale.ts";
import type { PoolSize, Stage } from "./stage.ts";

export type StageName = "usual" | "crowd" | "bare" | "edge";
export type Case = {
  name: string;
  about: string;
  stage: StageName;
  run(stage: Stage): Promise<Outcome>;
};

/** The stacks that cases need: each has a data folder, a pool and processes of its own. */
export const stages: Record<StageName, { entry: "node" | "workerd"; pool(scale: Scale): PoolSize }> = {
  /** The pool as it comes, whatever the defaults become. */
  usual: { entry: "node", pool: () => ({ min: 2, target: 10, max: 80 }) },
  crowd: { entry: "node", pool: ({ crowd }) => ({ min: 2, target: crowd, max: 3 * crowd }) },
  bare: { entry: "node", pool: ({ density }) => ({ min: 0, target: 0, max: Math.max(...density) + 20 }) },
  edge: { entry: "workerd", pool: () => ({ min: 2, target: 4, max: 20 }) },
};

/** Both cases of what passes through the control plane without being held. */
async function passing(stage: Stage, entry: string): Promise<Outcome> {
  const lag = await lagCase(stage, entry);
  return { rows: [...lag.rows, ...(await bulkCase(stage, entry)).rows] };
}

/** In the order in which they run; those of one stage follow each other. */
export const catalogue: readonly Case[] = [
  { name: "create", about: "warm creates, the first exec, deletes", stage: "usual", run: createCase },
  {
    name: "exec",
    about: "commands: latency, and rates on 1, 8 and 32 connections",
    stage: "usual",
    run: execCase,
  },
  { name: "share", about: "how much of an exec is the control plane's", stage: "usual", run: shareCase },
  { name: "files", about: "1 KB and 1 MB each way: latency and rates", stage: "usual", run: filesCase },
  { name: "get", about: "GET one sandbox on 20 connections", stage: "usual", run: getCase },
  {
    name: "limits",
    about: "keys and rate limits by themselves, on Node and workerd",
    stage: "usual",
    run: limitsCase,
  },
  { name: "stdout", about: "100 MB of a command's output", stage: "usual", run: stdoutCase },
  {
    name: "passing",
    about: "stream lag and a 100 MB file on Node",
    stage: "usual",
    run: (s) => passing(s, "Node"),
  },
  { name: "refill", about: "how fast the pool makes up for what was taken", stage: "usual", run: refillCase },
  {
    name: "interactive",
    about: "create, probe and `node -v`: sequential, staggered, burst",
    stage: "crowd",
    run: interactiveCase,
  },
  { name: "concurrent", about: "1, 5, 10, 20 and 50 creates at once", stage: "crowd", run: concurrentCase },
  { name: "cold", about: "creates without a pool", stage: "bare", run: coldCase },
  { name: "density", about: "memory, exec and idle processor of hundreds", stage: "bare", run: densityCase },
  {
    name: "edge",
    about: "stream lag and a 100 MB file on workerd",
    stage: "edge",
    run: (s) => passing(s, "workerd"),
  },
];

/** What `--quick` leaves out unless it is asked for by name. */
export const notQuick: readonly string[] = ["edge"];
