import { type HostId, hostCodeOf } from "#contract/ids";
import { quantityNames, type UsageReceipt, type UsageReport } from "#contract/usage";
import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { AppError } from "../errors.ts";
import { findHost } from "../hosts/store.ts";
import type { Log } from "../log.ts";
import { type Ingested, ingestEvents, type Reported } from "./ingest-store.ts";

type Deps = { db: Db; log: Log; now: Clock };

const idsLoggedMax = 20;

/**
 * Records what a host has metered. All of it is settled with the answer, the host forgets it: also what belongs to no
 * sandbox that we know of, since asking again would not make it known. A host that was removed still says what it has
 * metered until then: its code is never used again, so its events can be about no sandboxes but its own.
 * @throws AppError `forbidden` for a host that was never registered
 */
export async function ingest(deps: Deps, hostId: HostId, report: UsageReport): Promise<UsageReceipt> {
  const host = await findHost(deps.db, hostId);
  if (!host) throw new AppError("forbidden", "This host is not registered here; register it again.");
  const events = new Map<string, Reported>();
  const foreign: string[] = [];
  for (const event of report.events) {
    const id = `${event.sandboxId}-${event.generation}-${event.sequence}`;
    if (hostCodeOf(event.sandboxId) === host.code) events.set(id, { ...event, id });
    else foreign.push(id);
  }
  const reported = [...events.values()];
  const done = await ingestEvents(deps.db, reported, { hostId, nowMs: deps.now() });
  logWhatIsOdd(deps.log, hostId, { reported, foreign, done });
  return { accepted: report.events.length };
}

type Odd = { reported: Reported[]; foreign: string[]; done: Ingested };

/** Each of these is a fault somewhere, and none may fill the log. */
function logWhatIsOdd(log: Log, hostId: HostId, { reported, foreign, done }: Odd): void {
  const note = (event: string, ids: string[]) => {
    if (ids.length > 0) log({ level: "warn", event, hostId, ids: ids.slice(0, idsLoggedMax) });
  };
  note("usage_foreign", foreign);
  note("usage_unknown", done.unknown);
  const late = done.recorded.filter(({ isWrittenOff }) => isWrittenOff);
  note(
    "usage_written_off",
    late.map(({ id }) => id),
  );
  const said = new Map(reported.map((event) => [event.id, event.quantities]));
  const cut = done.recorded.filter(({ id, quantities }) =>
    quantityNames.some((name) => quantities[name] < (said.get(id)?.[name] ?? 0)),
  );
  note(
    "usage_clamped",
    cut.map(({ id }) => id),
  );
}
