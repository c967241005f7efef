import * as z from "zod";
import { flag, integer, setting } from "./setting.ts";

/** How a host keeps warm sandboxes. Counts are per template unless their meaning says otherwise. */
export const poolSettings = {
  SANDGATE_POOL_PRESET: setting(
    z.enum(["fast", "balanced", "frugal"]),
    "balanced",
    "defaults of the pool settings: `fast`, `balanced` or `frugal`",
  ),
  SANDGATE_POOL_MIN: setting(
    integer(0, 1000),
    "2",
    "warm sandboxes per template that are made before anything else, and kept in quiet times",
  ),
  SANDGATE_POOL_TARGET: setting(
    integer(0, 1000),
    "10",
    "warm sandboxes per template that the refill aims at; more when creates come fast",
  ),
  SANDGATE_POOL_MAX: setting(integer(1, 5000), "80", "sandboxes per template, warm and leased together"),
  SANDGATE_POOL_IDLE_MEMORY_MIB: setting(
    integer(0, 16_777_216),
    "0",
    "sum of the memory limits of all warm sandboxes, MiB; 0 = no ceiling",
  ),
  SANDGATE_POOL_LOOKAHEAD_SECONDS: setting(
    integer(0, 600),
    "30",
    "the longest time ahead for which arrivals are foreseen; 0 = the target stays as it is set",
  ),
  SANDGATE_POOL_AGGRESSIVE_CLEANUP: setting(
    flag,
    "true",
    "shrink to the minimum, and not only to the target, in quiet times",
  ),
  SANDGATE_POOL_QUIET_SECONDS: setting(
    integer(1, 86_400),
    "300",
    "time without a create after which it is quiet",
  ),
  SANDGATE_POOL_PARK_SECONDS: setting(
    integer(0, 86_400),
    "120",
    "age at which a warm sandbox is frozen and its page cache given back; 0 = never",
  ),
  SANDGATE_POOL_MAX_AGE_SECONDS: setting(
    integer(0, 31_536_000),
    "21600",
    "age at which a warm sandbox is replaced; 0 = never",
  ),
  SANDGATE_POOL_STARTS_MAX: setting(
    integer(1, 64),
    "4",
    "containers started at once, all templates together",
  ),
  SANDGATE_POOL_WAITING_MAX: setting(
    integer(0, 1000),
    "100",
    "creates that may wait in line for a sandbox to be made",
  ),
  SANDGATE_POOL_WAITING_PER_TENANT_MAX: setting(
    integer(0, 1000),
    "50",
    "creates of one tenant that may wait in line",
  ),
  SANDGATE_POOL_WAIT_SECONDS: setting(integer(1, 25), "20", "the longest that a create waits in line"),
};

export type PoolPreset = "fast" | "balanced" | "frugal";

/** What each preset says differently from the defaults, which are `balanced`. */
export const poolPresets: Record<PoolPreset, Partial<Record<keyof typeof poolSettings, string>>> = {
  fast: {
    SANDGATE_POOL_MIN: "10",
    SANDGATE_POOL_TARGET: "40",
    SANDGATE_POOL_MAX: "200",
    SANDGATE_POOL_AGGRESSIVE_CLEANUP: "false",
    SANDGATE_POOL_LOOKAHEAD_SECONDS: "60",
    SANDGATE_POOL_PARK_SECONDS: "600",
  },
  balanced: {},
  frugal: {
    SANDGATE_POOL_MIN: "0",
    SANDGATE_POOL_TARGET: "3",
    SANDGATE_POOL_MAX: "40",
    SANDGATE_POOL_IDLE_MEMORY_MIB: "2048",
    SANDGATE_POOL_LOOKAHEAD_SECONDS: "10",
    SANDGATE_POOL_QUIET_SECONDS: "60",
    SANDGATE_POOL_PARK_SECONDS: "20",
    SANDGATE_POOL_STARTS_MAX: "2",
  },
};
