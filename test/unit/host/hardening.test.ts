import { expect, test } from "vitest";
import { dumpableFinding, runcFinding } from "#host/preflight/engine";
import { containerConfig } from "#host/runtime/docker/container";
import { seccompProfile } from "#host/runtime/docker/seccomp";

type Profile = {
  defaultAction: string;
  architectures: string[];
  syscalls: { names: string[]; action: string; args?: { index: number; value: number }[] }[];
};
const profile = (): Profile => JSON.parse(seccompProfile("x64"));

test("what is not listed is refused, on the native ABI only", () => {
  expect(profile().defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(profile().architectures).toEqual(["SCMP_ARCH_X86_64"]);
  expect((JSON.parse(seccompProfile("arm64")) as Profile).architectures).toEqual(["SCMP_ARCH_AARCH64"]);
});

test("no call that reaches the kernel's sharp edges is allowed", () => {
  const allowed = new Set(
    profile().syscalls.flatMap((rule) => (rule.action === "SCMP_ACT_ALLOW" ? rule.names : [])),
  );
  const forbidden =
    `io_uring_setup io_uring_enter io_uring_register io_setup ptrace process_vm_readv process_vm_writev
    bpf perf_event_open userfaultfd memfd_secret keyctl add_key request_key kcmp mount umount2 pivot_root chroot
    fsopen open_tree move_mount unshare setns clone3 init_module finit_module kexec_load reboot swapon acct iopl
    ioperm settimeofday clock_settime sethostname open_by_handle_at name_to_handle_at modify_ldt socketcall quotactl
    fanotify_init lookup_dcookie syslog vhangup`.split(/\s+/);
  expect(forbidden.filter((name) => allowed.has(name))).toEqual([]);
});

test("sockets of other families than unix, inet and netlink cannot be named", () => {
  const rules = profile().syscalls.filter((rule) => rule.names.includes("socket"));
  expect(rules.map((rule) => rule.args?.[0]?.value).sort()).toEqual([1, 10, 16, 2]);
  expect(rules.every((rule) => rule.args?.length === 1)).toBe(true);
});

test("a container is started with every hardening that the tests in test/hostile rely on", () => {
  const limits = { cpu: 0.5, memoryMiB: 256, pids: 100 };
  const template = { name: "base", digest: "d", image: "i" };
  const slot = { memberId: "00000001", uid: 20_001, hostId: "hst_a", template, limits };
  const paths = { sandboxd: "/s", folder: "/f", workspace: { kind: "tmpfs", sizeMiB: 128 } } as const;
  const { HostConfig, User } = containerConfig(slot, paths, "x64");
  expect(User).toBe("0:0");
  expect(HostConfig).toMatchObject({
    Init: false,
    CapDrop: ["ALL"],
    CapAdd: ["SETUID", "SETGID", "SETPCAP", "KILL"],
    Privileged: false,
    ReadonlyRootfs: true,
    NetworkMode: "none",
    IpcMode: "private",
    CgroupnsMode: "private",
    Memory: 256 * 1024 * 1024,
    MemorySwap: 256 * 1024 * 1024,
    PidsLimit: 100,
    LogConfig: { Type: "none" },
    RestartPolicy: { Name: "no" },
  });
  expect(HostConfig.SecurityOpt[0]).toBe("no-new-privileges");
  expect(HostConfig.SecurityOpt[1]).toBe(`seccomp=${seccompProfile("x64")}`);
  expect(HostConfig.CpuQuota / HostConfig.CpuPeriod).toBe(0.5);
  expect(HostConfig.Mounts.map(({ Target, ReadOnly }) => [Target, ReadOnly])).toEqual([
    ["/run/sandgate", true],
    ["/sandboxd", true],
    ["/etc/passwd", true],
    ["/etc/group", true],
  ]);
  expect(Object.keys(HostConfig.Tmpfs)).toEqual(["/tmp", "/dev/shm", "/workspace"]);
  for (const [path, options] of Object.entries(HostConfig.Tmpfs)) {
    expect(options, path).toMatch(/nosuid/);
    expect(options, path).toMatch(/nodev/);
    expect(options, path).toMatch(/size=\d+m/);
    expect(options, path).toMatch(/nr_inodes=\d+/);
  }
  expect(HostConfig.Ulimits).toContainEqual({ Name: "core", Soft: 1, Hard: 1 });
  const masked = ["/proc/kcore", "/proc/keys", "/proc/pressure", "/proc/cmdline", "/sys/firmware"];
  expect(HostConfig.MaskedPaths).toEqual(expect.arrayContaining(masked));
  expect(HostConfig.ReadonlyPaths).toEqual(expect.arrayContaining(["/proc/sys", "/proc/sysrq-trigger"]));
});

test("an old runc is reported unless its distribution has patched it", () => {
  expect(runcFinding("1.1.11").status).toBe("warning");
  expect(runcFinding("1.1.12").status).toBe("ok");
  expect(runcFinding("1.2.0").status).toBe("ok");
  expect(runcFinding("1.1.5+ds1").status).toBe("ok");
});

test("a machine that dumps processes which changed their uid holds no sandboxes", () => {
  expect(dumpableFinding("1\n").status).toBe("failed");
  expect(dumpableFinding("0\n").status).toBe("ok");
  expect(dumpableFinding("2\n").status).toBe("ok");
});

test("a workspace on disk is the one mount that may be written, and what it mounts stays inside", () => {
  const template = { name: "base", digest: "d", image: "i" };
  const limits = { cpu: 1, memoryMiB: 256, pids: 100 };
  const slot = { memberId: "00000001", uid: 20_001, hostId: "hst_a", template, limits };
  const paths = { sandboxd: "/s", folder: "/f", workspace: { kind: "loop", source: "/w" } } as const;
  const { Mounts, Tmpfs } = containerConfig(slot, paths, "x64").HostConfig;
  expect(Mounts.filter(({ ReadOnly }) => !ReadOnly)).toEqual([
    {
      Type: "bind",
      Source: "/w",
      Target: "/workspace",
      ReadOnly: false,
      BindOptions: { Propagation: "rslave" },
    },
  ]);
  expect(Object.keys(Tmpfs)).not.toContain("/workspace");
});
