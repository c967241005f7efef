import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Client, createClient } from "@libsql/client";
import { expect } from "vitest";
import { limits } from "#contract/limits";
import { Lease } from "#host/leases/store";
import type { TestStack } from "./stack.ts";
import { containersOf, foldersOf, hostIdOf, imagesOf, loopDevicesOf, uidsOf } from "./traces.ts";

type Row = { id: string; state: string; endReason: string | null };
const settleMs = 30_000;

/** On the database of a stack, beside its control plane. */
export async function inDatabase<T>(dataDir: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = createClient({ url: `file:${join(dataDir, "sandgate.db")}`, concurrency: 1 });
  try {
    await client.execute("PRAGMA busy_timeout = 5000");
    return await work(client);
  } finally {
    client.close();
  }
}

/** Lets the deadline of every create under way be over, which would take half a minute by itself. */
export async function ageCreates(dataDir: string): Promise<void> {
  const ageMs = limits.createDeadlineMs + limits.snapshotGraceMs;
  await inDatabase(dataDir, (client) =>
    client.execute({
      sql: "UPDATE sandboxes SET created_at_ms = created_at_ms - ? WHERE started_at_ms IS NULL",
      args: [ageMs],
    }),
  );
}

/** Every sandbox row, and the sandboxes that hold a slot of their tenant's quota. The connection cannot write. */
export function rowsOf(dataDir: string): Promise<{ rows: Row[]; held: string[] }> {
  return inDatabase(dataDir, async (client) => {
    await client.execute("PRAGMA query_only = ON");
    const rows = await client.execute("SELECT id, state, end_reason FROM sandboxes ORDER BY id");
    const held = await client.execute(
      "SELECT sandbox_id FROM reservations WHERE released_at_ms IS NULL ORDER BY sandbox_id",
    );
    return {
      rows: rows.rows.map((row) => ({
        id: String(row.id),
        state: String(row.state),
        endReason: row.end_reason === null ? null : String(row.end_reason),
      })),
      held: held.rows.map((row) => String(row.sandbox_id)),
    };
  });
}

/** What a host has handed out, by its files. Not through its own store, which tidies up as it reads. */
export function leasesOf(dataDir: string): Lease[] {
  const folder = join(dataDir, "host", "leases");
  return readdirSync(folder).flatMap((name) => {
    try {
      return [Lease.parse(JSON.parse(readFileSync(join(folder, name), "utf8")))];
    } catch {
      return []; // being written or removed at this moment
    }
  });
}

/** The container that a sandbox lives in. */
export async function containerOf(stack: Pick<TestStack, "dataDir">, sandboxId: string) {
  const lease = leasesOf(stack.dataDir).find((each) => each.sandboxId === sandboxId);
  const containers = await containersOf(hostIdOf(stack.dataDir));
  const container = containers.find(({ memberId }) => memberId === lease?.memberId);
  if (!container) throw new Error(`The sandbox ${sandboxId} has no container.`);
  return container;
}

/**
 * Waits until machine, host and database say the same: exactly the sandboxes `live` run and hold a slot, the pool is
 * full, and every container, folder and uid belongs to one of them.
 */
export async function expectBooksToAgree(stack: TestStack, live: readonly string[]): Promise<void> {
  const wanted = agreeing([...live].sort(), stack.poolTarget);
  await expect.poll(() => booksOf(stack), { timeout: settleMs, interval: 100 }).toEqual(wanted);
}

async function booksOf(stack: TestStack) {
  const hostId = hostIdOf(stack.dataDir);
  const [containers, { rows, held }] = await Promise.all([containersOf(hostId), rowsOf(stack.dataDir)]);
  const leases = leasesOf(stack.dataDir);
  const members = containers.map(({ memberId }) => memberId).sort();
  const leased = new Set(leases.map(({ memberId }) => memberId));
  return {
    live: rows.filter(({ state }) => state !== "ended").map(({ id, state }) => `${id} ${state}`),
    held,
    leases: leases.map((lease): string => lease.sandboxId).sort(),
    warm: members.filter((member) => !leased.has(member)).length,
    isEachRunning: containers.every(({ isRunning }) => isRunning),
    strangers: {
      folders: differing(foldersOf(hostId), members),
      disks: differing(
        imagesOf(stack.dataDir),
        loopDevicesOf(stack.dataDir).map((path) => basename(path)),
      ),
      uids: differing(
        uidsOf(hostId).map(String),
        containers.map(({ uid }) => String(uid)),
      ),
      leases: [...leased].filter((member) => !members.includes(member)),
    },
  };
}

function agreeing(live: string[], warm: number): Awaited<ReturnType<typeof booksOf>> {
  return {
    live: live.map((id) => `${id} running`),
    held: live,
    leases: live,
    warm,
    isEachRunning: true,
    strangers: { folders: [], disks: [], uids: [], leases: [] },
  };
}

/** What is in one list only. */
function differing(some: readonly string[], others: readonly string[]): string[] {
  return [...some.filter((name) => !others.includes(name)), ...others.filter((name) => !some.includes(name))];
}
