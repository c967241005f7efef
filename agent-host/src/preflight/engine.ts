import { readFileSync } from "node:fs";
import { type Engine, EngineError } from "../engine/request.ts";
import { StartupError } from "../errors.ts";
import type { Architecture } from "../runtime/docker/seccomp.ts";
import type { Finding } from "./finding.ts";

type Version = { Version: string; KernelVersion: string; Components?: { Name: string; Version: string }[] };
type Info = {
  CgroupVersion?: string;
  CgroupDriver?: string;
  SecurityOptions?: string[];
  Architecture: string;
};

/** The first runc without the file descriptor leak of CVE-2024-21626; distributions carry the fix in older ones. */
const runcMinimum = [1, 1, 12] as const;

/** Looks at the engine and the kernel. @throws StartupError when no sandbox could be safe, or none could start. */
export async function inspectEngine(engine: Engine): Promise<{ findings: Finding[]; arch: Architecture }> {
  const [version, info] = await askEngine(engine);
  const options = info.SecurityOptions ?? [];
  if (!options.some((option) => option.includes("seccomp"))) {
    throw new StartupError("The Docker engine has no seccomp support; sandboxes do not start without it.");
  }
  const arch = architectureOf(info.Architecture);
  const runc = version.Components?.find(({ Name }) => Name === "runc")?.Version ?? "unknown";
  const userns = options.some((option) => option.includes("userns"));
  const findings: Finding[] = [
    { name: "engine", status: "ok", detail: `Docker ${version.Version} at ${engine.socketPath}` },
    { name: "kernel", status: "ok", detail: `Linux ${version.KernelVersion}, ${arch}` },
    {
      name: "cgroup",
      status: "ok",
      detail: `version ${info.CgroupVersion ?? "1"}, driver ${info.CgroupDriver ?? "?"}`,
    },
    runcFinding(runc),
    dumpableFinding(readFileSync("/proc/sys/fs/suid_dumpable", "utf8")),
    {
      name: "user namespaces",
      status: "ok",
      detail: userns ? "remapped by the engine" : "not used by the engine",
    },
  ];
  return { findings, arch };
}

async function askEngine(engine: Engine): Promise<[Version, Info]> {
  const deadlineMs = 10_000;
  try {
    return await Promise.all([
      engine.json<Version>({ method: "GET", path: "/version", deadlineMs }),
      engine.json<Info>({ method: "GET", path: "/info", deadlineMs }),
    ]);
  } catch (cause) {
    if (cause instanceof EngineError)
      throw new StartupError(`${cause.message} Start it, then try again.`, { cause });
    throw cause;
  }
}

function architectureOf(name: string): Architecture {
  if (name === "x86_64" || name === "amd64") return "x64";
  if (name === "aarch64" || name === "arm64") return "arm64";
  throw new StartupError(`The engine runs on ${name}; sandboxes are made for x86-64 and arm64.`);
}

export function runcFinding(version: string): Finding {
  const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number);
  const isPatchedByDistribution = /\+ds|deb|ubuntu/i.test(version);
  const isOld = numbers !== undefined && isBelow(numbers, runcMinimum);
  if (!isOld) return { name: "runc", status: "ok", detail: version };
  return isPatchedByDistribution
    ? { name: "runc", status: "ok", detail: `${version}, with the distribution's fixes` }
    : {
        name: "runc",
        status: "warning",
        detail: `${version} is older than ${runcMinimum.join(".")}; update it`,
      };
}

/** With 1 a crash between the switch of uid and the program would dump sandboxd's memory as the tenant. */
export function dumpableFinding(setting: string): Finding {
  const name = "fs.suid_dumpable";
  const value = setting.trim();
  return value === "1"
    ? { name, status: "failed", detail: "it is 1; set it to 0 with sysctl fs.suid_dumpable=0" }
    : { name, status: "ok", detail: value };
}

function isBelow(version: readonly number[], minimum: readonly number[]): boolean {
  for (const [index, least] of minimum.entries()) {
    const part = version[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
