import { readFileSync } from "node:fs";
import { newHostId } from "#contract/ids";
import { createEngine } from "#host/engine/request";
import { propagationOf } from "#host/preflight/member";
import { createMemberFolders } from "#host/runtime/docker/folder";
import { DockerRuntime } from "#host/runtime/docker/runtime";
import { createUidClaims } from "#host/uids/claim";
import { machine } from "./machine.ts";
import { runDir } from "./traces.ts";

/** The real thing on this machine, as a host of its own; disposing removes whatever it has made. */
export async function dockerRuntime() {
  const { engine: found, image, templateDigest, sandboxdPath } = await machine();
  const engine = createEngine(found.socketPath);
  const hostId = newHostId();
  const folders = createMemberFolders(runDir, hostId);
  const uids = createUidClaims(hostId);
  const propagation = propagationOf(runDir, readFileSync("/proc/self/mountinfo", "utf8"));
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const options = { engine, hostId, folders, uids, sandboxdPath, propagation, arch } as const;
  const runtime = new DockerRuntime(options);
  return {
    runtime,
    again: () => new DockerRuntime(options),
    template: { name: "base", digest: templateDigest, image },
    async dispose() {
      await Promise.all((await runtime.list()).map((found) => runtime.remove(found)));
      uids.close();
      folders.close();
      engine.close();
    },
  };
}
