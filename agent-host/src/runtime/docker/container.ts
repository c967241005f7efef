import { cpuPeriodMicros, cpuQuotaMicros } from "../../cgroup/limits.ts";
import type { WorkspaceMount } from "../../workspaces/workspaces.ts";
import type { MemberSpec } from "../runtime.ts";
import { type Architecture, seccompProfile } from "./seccomp.ts";

export type Slot = MemberSpec & { uid: number; hostId: string };
export type ContainerPaths = { sandboxd: string; folder: string; workspace: WorkspaceMount };

/** Labels cannot be changed later and members exist before they have an id: they name the member, not the sandbox. */
export const label = {
  host: "sandgate.host",
  member: "sandgate.member",
  template: "sandgate.template",
  templateName: "sandgate.template-name",
  slot: "sandgate.slot",
} as const;

const mib = 1024 * 1024;
/** Each takes about 1 KiB of the sandbox's memory. */
const tmpfsInodesPerMiB = 128;

/**
 * Named in full, because engines differ: 20.10 shows interrupts and powercap. Ours beyond any engine's: the boot line
 * and build of the machine's kernel, its symbols and key users, the pressure files, in which any user may plant
 * triggers for the whole machine, and its block devices, which tell what every tenant writes and where images are.
 */
const maskedPaths = [
  ...["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi"],
  ...["timer_list", "timer_stats", "cmdline", "config.gz", "kallsyms", "key-users", "pressure"],
  ...["diskstats", "partitions", "fs/ext4", "fs/jbd2"],
]
  .map((name) => `/proc/${name}`)
  .concat("/sys/firmware", "/sys/devices/virtual/powercap", "/sys/kernel/notes")
  .concat("/sys/devices/virtual/block", "/sys/fs/ext4");
const readonlyPaths = ["bus", "fs", "irq", "sys", "sysrq-trigger"].map((name) => `/proc/${name}`);

/** The engine's create call for one member, with every hardening that we rely on spelled out. */
export function containerConfig(spec: Slot, paths: ContainerPaths, arch: Architecture) {
  const memoryBytes = spec.limits.memoryMiB * mib;
  return {
    Image: spec.template.image,
    Entrypoint: [
      "/sandboxd",
      "--member",
      spec.memberId,
      "--uid",
      String(spec.uid),
      "--gid",
      String(spec.uid),
    ],
    Cmd: [],
    Env: ["PATH=/usr/local/bin:/usr/bin:/bin"],
    User: "0:0",
    Hostname: "sandbox",
    WorkingDir: "/",
    Labels: {
      [label.host]: spec.hostId,
      [label.member]: spec.memberId,
      [label.template]: spec.template.digest,
      [label.templateName]: spec.template.name,
      [label.slot]: String(spec.uid),
    },
    NetworkDisabled: true,
    HostConfig: {
      // sandboxd is PID 1 itself; tenants run as another uid with an empty capability set.
      Init: false,
      CapDrop: ["ALL"],
      CapAdd: ["SETUID", "SETGID", "SETPCAP", "KILL"],
      SecurityOpt: ["no-new-privileges", `seccomp=${seccompProfile(arch)}`],
      Privileged: false,
      ReadonlyRootfs: true,
      NetworkMode: "none",
      IpcMode: "private",
      CgroupnsMode: "private",
      PidMode: "",
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      CpuPeriod: cpuPeriodMicros,
      CpuQuota: cpuQuotaMicros(spec.limits.cpu),
      PidsLimit: spec.limits.pids,
      Ulimits: [
        { Name: "nofile", Soft: 1024, Hard: 1024 },
        // 1, not 0: only at 1 does the kernel leave out a core_pattern that is a program, which it starts as root.
        { Name: "core", Soft: 1, Hard: 1 },
      ],
      LogConfig: { Type: "none" },
      RestartPolicy: { Name: "no" },
      MaskedPaths: maskedPaths,
      ReadonlyPaths: readonlyPaths,
      Tmpfs: tmpfs(spec.uid, paths.workspace),
      Mounts: mounts(paths),
    },
  };
}

/** Without `nr_inodes` empty files alone fill the memory limit and the kernel kills PID 1. */
function tmpfs(uid: number, workspace: WorkspaceMount): Record<string, string> {
  const folders = {
    "/tmp": "rw,nosuid,nodev,exec,size=64m,nr_inodes=8192,mode=1777",
    "/dev/shm": "rw,nosuid,nodev,noexec,size=16m,nr_inodes=1024,mode=1777",
  };
  if (workspace.kind === "loop") return folders;
  const { sizeMiB } = workspace;
  const bounds = `size=${sizeMiB}m,nr_inodes=${sizeMiB * tmpfsInodesPerMiB}`;
  const owned = `mode=0755,uid=${uid},gid=${uid}`;
  return { ...folders, "/workspace": `rw,nosuid,nodev,exec,${bounds},${owned}` };
}

function mounts({ workspace, ...paths }: ContainerPaths) {
  const file = (source: string, target: string) => ({
    Type: "bind",
    Source: source,
    Target: target,
    ReadOnly: true,
  });
  return [
    file(paths.folder, "/run/sandgate"),
    file(paths.sandboxd, "/sandboxd"),
    file(`${paths.folder}/passwd`, "/etc/passwd"),
    file(`${paths.folder}/group`, "/etc/group"),
    ...(workspace.kind === "loop" ? [diskMount(workspace.source)] : []),
  ];
}

/** What is mounted on the source later appears in the container, and nothing that it mounts appears outside. */
function diskMount(source: string) {
  return {
    Type: "bind",
    Source: source,
    Target: "/workspace",
    ReadOnly: false,
    BindOptions: { Propagation: "rslave" },
  };
}
