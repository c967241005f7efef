import { existsSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { expect, test } from "vitest";
import { api, type Box, newBox, target } from "./support.ts";

const kernelFiles = {
  core_pattern: "/proc/sys/kernel/core_pattern",
  modprobe: "/proc/sys/kernel/modprobe",
  panic_on_oom: "/proc/sys/vm/panic_on_oom",
  overcommit: "/proc/sys/vm/overcommit_memory",
  uevent_helper: "/sys/kernel/uevent_helper",
};

test("H13: nothing below /proc and /sys that configures the machine can be written", async () => {
  const { exec } = await newBox();
  const before = hostValues();
  const others = ["/proc/sysrq-trigger", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/ns_last_pid"];
  const cgroups =
    "$(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name memory.limit_in_bytes)";
  const script = `for f in ${[...Object.values(kernelFiles), ...others].join(" ")} ${cgroups}; do
    echo tried; (echo 1 > $f) 2>/dev/null && echo "wrote $f"; done; true`;
  const { stdout } = await exec(script);
  expect(stdout.match(/^tried$/gm)?.length).toBeGreaterThan(10);
  expect(stdout).not.toContain("wrote");
  expect((await exec("mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x 2>/dev/null; echo $?")).stdout).toBe(
    "1\n",
  );
  // What is masked shows as /dev/null, which takes everything and keeps nothing.
  const isMasked = '[ -c "$f" ] || echo "$f"';
  const find = "find /proc /sys -not -path '/proc/[0-9]*' -not -type l -writable 2>/dev/null";
  const writable = `${find} | while read f; do ${isMasked}; done; echo done`;
  expect((await exec(writable)).stdout).toBe("done\n");
  expect(hostValues()).toEqual(before);
});

function hostValues() {
  return Object.values(kernelFiles).map((path) => (existsSync(path) ? readFileSync(path, "utf8") : ""));
}

test("H14: kernel memory, logs, keys, boot line and devices of the machine show nothing", async () => {
  const { exec } = await newBox();
  const proc = "kcore kmsg keys key-users timer_list sched_debug latency_stats interrupts cmdline config.gz";
  const more = "slabinfo vmallocinfo kpagecount kpageflags pagetypeinfo pressure/cpu acpi/wakeup kallsyms";
  const paths = [...`${proc} ${more}`.split(" ").map((name) => `/proc/${name}`), "/dev/mem", "/dev/kmsg"];
  const sizes = `for f in ${paths.join(" ")}; do echo "$f $(head -c 64 $f 2>/dev/null | wc -c)"; done`;
  expect((await exec(sizes)).stdout).toBe(paths.map((path) => `${path} 0\n`).join(""));
  expect(
    (await exec("ls -A /sys/firmware /proc/acpi /proc/pressure 2>/dev/null | grep -v :")).stdout.trim(),
  ).toBe("");
  expect((await exec("find /dev -type b")).stdout).toBe("");
  const devices = (await exec("find /dev -type c -printf '%f '")).stdout.trim().split(" ").sort();
  expect(devices).toEqual(["full", "null", "ptmx", "random", "tty", "urandom", "zero"]);
  // Accepted: layouts without addresses.
  expect((await exec("cut -d: -f1 /proc/iomem | tr -d ' 0\\n-'")).stdout).toBe("");
});

test("H15: nothing that a tenant can read names a key, a secret, a tenant, this host or its data folder", async () => {
  const box = await newBox();
  const seen = await everythingReadable(box);
  expect(seen).toContain("PATH=/usr/local/bin");
  expect(seen).toContain("/sandboxd\0--member");
  const { lease } = box.host;
  const canaries = {
    ...target.secrets,
    apiKey: api.key,
    leaseKey: lease.key,
    tenantId: lease.tenantId,
    sandboxId: lease.sandboxId,
    hostName: hostname() === "sandbox" ? "no such name" : `\n${hostname()}\n`,
    dataDir: target.dataDir,
  };
  expect(Object.keys(canaries)).toEqual(
    expect.arrayContaining(["SANDGATE_HOST_SECRET", "SANDGATE_KEY_SECRET"]),
  );
  const leaked = Object.entries(canaries).filter(([, value]) => value !== "" && seen.includes(value));
  expect(leaked.map(([name]) => name)).toEqual([]);
  expect((await box.exec(["cat", "/proc/1/environ"])).stderr).toContain("Permission denied");
});

async function everythingReadable({ exec }: Box): Promise<string> {
  const own = "env; hostname; uname -a; cat /etc/hosts /etc/hostname /etc/resolv.conf /etc/passwd /etc/group";
  const names = "environ cmdline mounts mountinfo status cgroup comm maps limits net/unix net/route";
  const proc = `for p in 1 self; do for f in ${names}; do cat /proc/$p/$f 2>/dev/null; done; done`;
  const trees = "ls -laR /run /dev /home /workspace /tmp /opt /srv /mnt /media 2>/dev/null";
  const { stdout, truncated } = await exec(`${own}; ${proc}; ${trees}`);
  expect(truncated.stdout).toBe(false);
  return stdout;
}

test("H16: no socket of an engine or of the host is there", async () => {
  const { exec } = await newBox();
  const paths = "/var/run/docker.sock /run/docker.sock /run/containerd /run/podman /run/dbus /run/systemd";
  expect((await exec(`ls -d ${paths} 2>/dev/null; echo ran`)).stdout).toBe("ran\n");
  expect((await exec("find / -xdev -type s 2>/dev/null; echo ran")).stdout).toBe("ran\n");
});

test("H17: no program gives another uid: none is setuid, and setuid would have no effect", async () => {
  const { exec, probe, host } = await newBox();
  const found = await exec("find / -xdev -perm /6000 -type f 2>/dev/null; echo ran");
  expect(found.stdout).toBe("ran\n");
  expect((await probe(["calls", "setresuid-0", "setresgid-0", "setgroups-0", "capset"])).stdout).toBe(
    "probe calls\nsetresuid-0: EPERM\nsetresgid-0: EPERM\nsetgroups-0: EPERM\ncapset: EPERM\n",
  );
  const own = "cp /usr/bin/id /workspace/id && chmod 6755 /workspace/id && /workspace/id -u";
  expect((await exec(own)).stdout).toBe(`${host.uid}\n`);
  const su = await exec(
    "for p in su passwd newgrp sudo; do command -v $p >/dev/null && $p </dev/null 2>&1; done; id -u",
  );
  expect(su.stdout.trim().split("\n").at(-1)).toBe(String(host.uid));
});

test("H18: the system is read-only; only the home, the workspace and memory folders take files", async () => {
  const { exec } = await newBox();
  const targets =
    "/x /usr/x /bin/sh /etc/x /etc/passwd /etc/group /etc/hosts /etc/resolv.conf /etc/ld.so.preload";
  const more =
    "/run/x /run/lock/x /dev/x /dev/pts/x /var/tmp/x /sandboxd /opt/x /run/sandgate/x /proc/x /sys/x";
  const script = `for f in ${targets} ${more}; do echo tried; (echo x >> $f) 2>/dev/null && echo "wrote $f"; done; true`;
  const { stdout } = await exec(script);
  expect(stdout).toBe("tried\n".repeat(19));
  const tops = "find / -writable -type d -not -path '/proc/*' 2>/dev/null";
  expect((await exec(tops)).stdout.trim().split("\n").sort()).toEqual([
    "/dev/mqueue",
    "/dev/shm",
    "/tmp",
    "/workspace",
  ]);
  const swap =
    "mv /etc/passwd /tmp/p; rm -f /etc/passwd; ln -sf /tmp/p /etc/passwd; chmod 777 /etc; chown user /etc";
  expect((await exec(`(${swap}) 2>/dev/null; stat -c '%u %a' /etc`)).stdout).toBe("0 755\n");
});
