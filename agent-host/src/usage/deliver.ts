import type { HostIdentity } from "#contract/host";
import { limits } from "#contract/limits";
import { UsageReceipt, type UsageReport } from "#contract/usage";
import { signedHeaders } from "../signing/sign.ts";
import type { Outbox } from "./outbox.ts";

export type DeliverDeps = {
  outbox: Outbox;
  identity: HostIdentity;
  key: Buffer;
  now: () => number;
  fetch?: typeof fetch;
};

const path = "/internal/v1/usage";

/**
 * Hands the oldest events to the control plane and forgets them once it has them. What is lost on the way, or answered
 * to a host that died, is sent again: events count once, by their ids.
 * @returns whether there may be more. @throws Error when they were not taken
 */
export async function deliver(deps: DeliverDeps): Promise<boolean> {
  const { outbox, identity, key } = deps;
  const batch = outbox.peek(limits.usageEventsPerReport);
  if (!batch) return false;
  // A number that was seen outside must not be given to another interval after a power cut.
  await outbox.sync();
  const report: UsageReport = { events: batch.events };
  const body = JSON.stringify(report);
  const request = { method: "POST", pathAndQuery: path, body, nowMs: deps.now() };
  const response = await (deps.fetch ?? fetch)(new URL(path, identity.controlUrl), {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      ...signedHeaders({ hostId: identity.hostId, key }, request),
    },
    redirect: "error",
    signal: AbortSignal.timeout(limits.usageReportDeadlineMs),
  });
  if (!response.ok)
    throw new Error(`The control plane answered ${response.status}: ${await response.text()}`);
  UsageReceipt.parse(await response.json());
  outbox.acknowledge(batch);
  return outbox.pending > 0;
}
