import { readFile, rm } from "node:fs/promises";
import { basename } from "node:path";
import type { Engine } from "#host/engine/request";
import { processStart } from "#templates/process";

/** The label that says which process a probe's container or image belongs to. */
export const probeOwnerLabel = "sandgate.probe.owner";

const callMs = 30_000;
/** No probe takes that long, whichever machine it was started on. */
const probeMaxMs = 600_000;

type Left = { Id: string; Created: number; Labels: Record<string, string> };
type LeftContainer = Left & { Mounts: { Source?: string; Destination: string }[] };

/** This process, in words that mean no other one on any machine. */
export async function probeOwner(): Promise<string> {
  return `${await bootId()} ${process.pid} ${await processStart(process.pid)}`;
}

/** Removes what probes that were killed have left: containers, images and the folders they dialled in. */
export async function removeProbeLeftovers(engine: Engine): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [probeOwnerLabel] }));
  const list = <T extends Left>(path: string) =>
    engine.json<T[]>({ method: "GET", path: `${path}filters=${filters}`, deadlineMs: callMs });
  const remove = (path: string) => engine.text({ method: "DELETE", path, deadlineMs: callMs });
  // Another start may remove the same; what matters is that it goes.
  for (const container of await list<LeftContainer>("/containers/json?all=1&")) {
    if (!(await isLeft(container))) continue;
    await remove(`/containers/${container.Id}?force=1&v=1`).catch(() => undefined);
    const folder = container.Mounts.find(({ Destination }) => Destination === "/run/sandgate")?.Source ?? "";
    if (/^(sandgate-)?probe-\w{6}$/.test(basename(folder)))
      await rm(folder, { recursive: true, force: true });
  }
  for (const image of await list("/images/json?")) {
    if (await isLeft(image)) await remove(`/images/${image.Id}?force=1`).catch(() => undefined);
  }
}

async function isLeft({ Labels, Created }: Left): Promise<boolean> {
  const [boot, pid, started] = (Labels[probeOwnerLabel] ?? "").split(" ");
  if (boot === (await bootId())) return (await processStart(Number(pid))) !== started;
  return Date.now() - Created * 1000 > probeMaxMs;
}

async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}
