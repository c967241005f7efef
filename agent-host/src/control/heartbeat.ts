import type { Logger } from "pino";
import {
  type Heartbeat,
  HeartbeatReply,
  type HostIdentity,
  type LiveSandbox,
  type SandboxEnd,
} from "#contract/host";
import { limits } from "#contract/limits";
import type { LeaseStore } from "../leases/store.ts";
import type { OpenPorts } from "../ports/open-ports.ts";
import { type EndDeps, endSandbox } from "../sandboxes/end.ts";
import { patchSandbox } from "../sandboxes/patch.ts";
import type { Registry } from "../sandboxes/registry.ts";
import { signedHeaders } from "../signing/sign.ts";

export type HeartbeatDeps = EndDeps & {
  identity: HostIdentity;
  key: Buffer;
  registry: Registry;
  leases: LeaseStore;
  openPorts: Pick<OpenPorts, "closeOf">;
  /** Everything but the lists, which are taken here. */
  facts: () => Omit<Heartbeat, "live" | "ended" | "takenAtMs" | "hostId" | "code">;
  log: Logger;
};

const path = "/internal/v1/heartbeat";
const endedPerBeatMax = 1000;

/** Tells the control plane what lives here and does what it answers. @throws Error when it was not heard. */
export async function beat(deps: HeartbeatDeps): Promise<void> {
  const takenAtMs = deps.now();
  const { hostId, code } = deps.identity;
  const heartbeat: Heartbeat = {
    hostId,
    code,
    takenAtMs,
    ...deps.facts(),
    ...listsOf(listLive(deps.registry), deps.leases.ends()),
  };
  const body = JSON.stringify(heartbeat);
  const response = await fetch(new URL(path, deps.identity.controlUrl), {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      ...signedHeaders(
        { hostId, key: deps.key },
        { method: "POST", pathAndQuery: path, body, nowMs: takenAtMs },
      ),
    },
    redirect: "error",
    signal: AbortSignal.timeout(limits.hostCallDeadlineMs),
  });
  if (!response.ok)
    throw new Error(`The control plane answered ${response.status}: ${await response.text()}`);
  await obey(deps, HeartbeatReply.parse(await response.json()));
}

/**
 * What is being ended is live until its end is on record: in neither list it would count as crashed. What is not
 * configured yet may still fail and be made again, which must not look like a death.
 */
function listLive(registry: Registry): LiveSandbox[] {
  const configured = registry.all().filter((live) => live.isConfigured);
  return configured.map(({ lease: { sandboxId, generation, expiresAtMs } }) => ({
    sandboxId,
    generation,
    expiresAtMs,
  }));
}

/** Ends beyond what one heartbeat may say wait as live ones: in neither list they would count as never made. */
function listsOf(live: LiveSandbox[], ends: SandboxEnd[]): Pick<Heartbeat, "live" | "ended"> {
  const waiting = ends.slice(endedPerBeatMax).map(({ sandboxId, generation, endedAtMs }) => ({
    sandboxId,
    generation,
    expiresAtMs: endedAtMs,
  }));
  return { live: [...live, ...waiting], ended: ends.slice(0, endedPerBeatMax) };
}

/**
 * The generation is compared each time: an order about an older life of an id must not touch a newer one. Kills come
 * before deadlines, which need room on the disk.
 */
async function obey(deps: HeartbeatDeps, reply: HeartbeatReply): Promise<void> {
  deps.openPorts.closeOf(reply.refusedKeys ?? []);
  for (const end of reply.acknowledged) deps.leases.acknowledge(end);
  const current = ({ sandboxId, generation }: { sandboxId: string; generation: number }) => {
    const live = deps.registry.peek(sandboxId);
    return live && !live.ending && live.lease.generation === generation ? live : undefined;
  };
  const kills = reply.kill.map((order) => {
    const live = current(order);
    return live && endSandbox(deps, live, order.reason);
  });
  await Promise.all(kills);
  for (const order of reply.deadlines) {
    const live = current(order);
    if (live) patchSandbox(deps, live, order);
  }
}
