import { readdirSync } from "node:fs";
import { join } from "node:path";
import { newHostId } from "#contract/ids";
import { createEngine } from "#host/engine/request";
import { createMemberFolders } from "#host/runtime/docker/folder";
import { DockerRuntime } from "#host/runtime/docker/runtime";
import type { Member } from "#host/runtime/runtime";
import { createUidClaims } from "#host/uids/claim";
import { createDisks } from "#host/workspaces/disks";
import { type WorkspaceDriver, Workspaces } from "#host/workspaces/workspaces";
import { machine, scratchFolder } from "../../support/machine.ts";
import { containersOf, firstProcessOf, runDir, workspaceRootOf } from "../../support/traces.ts";

type Options = {
  memberMiB?: number;
  /** What there could be for all disks. */
  maxMiB?: number;
};

/** What of a host touches this machine, under an id and a folder of its own. */
export async function dockerHost({ memberMiB = 64, maxMiB = 10_000 }: Options = {}) {
  const { engine: found, templates, sandboxdPath } = await machine();
  const [{ name, digest, image }] = templates;
  const scratch = scratchFolder();
  const engine = createEngine(found.socketPath);
  const hostId = newHostId();
  const folders = createMemberFolders(runDir, hostId);
  const uids = createUidClaims(hostId);
  const images = join(scratch.path, "workspaces");
  const disks = createDisks({ runDir, hostId, folder: images });
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  /** A process of this host: what it knows is lost when it ends. */
  const live = (driver: WorkspaceDriver) => {
    const workspaces = new Workspaces({ disks, driver, defaultMiB: memberMiB, memoryMiB: 256 });
    const runtime = new DockerRuntime({ engine, hostId, folders, uids, workspaces, sandboxdPath, arch });
    return { workspaces, runtime };
  };
  const { workspaces, runtime } = live("loop");
  await workspaces.open({ maxMiB });
  return {
    runtime,
    workspaces,
    disks,
    folder: scratch.path,
    mountRoot: workspaceRootOf(hostId),
    template: { name, digest, image },
    images: () => readdirSync(images),
    again: () => live("loop").runtime,
    restarted: (driver: WorkspaceDriver = "loop") => live(driver).runtime,
    async pidOf(member: Member) {
      const containers = await containersOf(hostId);
      const container = containers.find(({ memberId }) => memberId === member.memberId);
      return firstProcessOf({ id: container?.id ?? "" });
    },
    async dispose() {
      await Promise.all((await runtime.list()).map((each) => runtime.remove(each)));
      workspaces.close();
      uids.close();
      folders.close();
      engine.close();
      scratch.dispose();
    },
  };
}
