import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { api, type Box, newBox, refusal } from "./support.ts";

/** An archive made by Python's tarfile, which makes any member that it is told to. */
function archive(members: string): Buffer {
  const script = `
import io, sys, tarfile
out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.GNU_FORMAT)
def add(name, data=b"evil", **over):
    member = tarfile.TarInfo(name); member.size = len(data)
    for key, value in over.items(): setattr(member, key, value)
    out.addfile(member, io.BytesIO(data) if member.isreg() else None)
${members}
out.close()`;
  return execFileSync("python3", ["-c", script], { maxBuffer: 2 ** 28 });
}

const unpacking = ({ id }: Box, content: Uint8Array, type = "application/x-tar") =>
  refusal(
    fetch(`${api.url}/v1/sandboxes/${id}/archive?path=/home/user/into`, {
      method: "PUT",
      headers: { authorization: `Bearer ${api.key}`, "content-type": type },
      body: new Uint8Array(content),
    }),
  );
const boxWithFolder = async (diskMiB = 1024) => {
  const box = await newBox({ memoryMiB: 512, diskMiB });
  await box.exec("mkdir into outside; echo mine >outside/file");
  return box;
};
const inside = (box: Box) => box.exec("cd into && find . -mindepth 1 | sort | tr '\\n' ' '");

test("H42: members that point out of the folder are refused or confined, and reach nothing of the machine", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sandgate-h42-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const box = await boxWithFolder();
  const target = join(folder, "evil");
  const members: [string, string, number[]][] = [
    ["..", 'add("../outside/file"); add("good")', [422]],
    ["deep ..", 'add("a/../../outside/file")', [422]],
    ["absolute", `add("${target}")`, [204]],
    [
      "symlink and file",
      'add("l", type=tarfile.SYMTYPE, linkname="../outside", data=b""); add("l/file")',
      [204, 422],
    ],
    [
      "symlink to the root and file",
      `add("r", type=tarfile.SYMTYPE, linkname="${folder}", data=b""); add("r/evil")`,
      [204, 422],
    ],
    [
      "hardlink out",
      'add("h", type=tarfile.LNKTYPE, linkname="/etc/shadow", data=b""); add("h")',
      [204, 422],
    ],
    ["hardlink up", 'add("u", type=tarfile.LNKTYPE, linkname="../outside/file", data=b"")', [204, 422]],
    ["device", 'add("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, data=b"")', [422]],
    ["block device", 'add("sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0, data=b"")', [422]],
    ["setuid root", 'add("su", mode=0o4755, uid=0, gid=0, uname="root")', [204]],
    [
      "/proc",
      'add("p", type=tarfile.SYMTYPE, linkname="/proc/self/root", data=b""); add("p/tmp/evil")',
      [204, 422],
    ],
  ];
  for (const [what, script, statuses] of members) {
    const answer = await unpacking(box, archive(script));
    expect(statuses, `${what}: ${answer.text}`).toContain(answer.status);
    if (answer.status === 422) expect(answer.code).toBe("archive_invalid");
  }
  expect(existsSync(target)).toBe(false);
  expect((await box.exec("cat outside/file; ls outside")).stdout).toBe("mine\nfile\n");
  expect((await box.exec("find into -type b -o -type c")).stdout).toBe("");
  expect((await box.exec("stat -c '%U' into/su; into/su; true")).stdout).toBe("user\n");
});

test("H42: more entries or bytes than the sandbox holds are no_space, and the sandbox and its neighbours live", async () => {
  // Room for 12,800 files and folders.
  const box = await boxWithFolder(200);
  const many = archive('for i in range(10000): add(f"d{i % 100}/f{i}", b"")');
  expect((await unpacking(box, many)).status).toBe(204);
  expect((await box.exec("find into -type f | wc -l")).stdout).toBe("10000\n");
  const tooMany = await unpacking(box, archive('for i in range(20000): add(f"e/{i}", b"")'));
  expect(tooMany).toMatchObject({ status: 507, code: "no_space" });
  await box.exec("rm -rf into/*");

  const packing = `
import sys, tarfile, zlib
packer = zlib.compressobj(9, wbits=31)
member = tarfile.TarInfo("bomb"); member.size = 2 ** 30
sys.stdout.buffer.write(packer.compress(member.tobuf()))
for _ in range(1024): sys.stdout.buffer.write(packer.compress(bytes(2 ** 20)))
sys.stdout.buffer.write(packer.flush())`;
  const bomb = execFileSync("python3", ["-c", packing], { maxBuffer: 2 ** 24 });
  expect(2 ** 30 / bomb.length).toBeGreaterThan(900);
  const burst = await unpacking(box, bomb, "application/gzip");
  expect(burst).toMatchObject({ status: 507, code: "no_space" });
  expect((await box.exec("rm -rf into/*; echo alive")).stdout).toBe("alive\n");
});

test("H42: what is no archive, or only the half of one, is refused, and a tar of the tenant's own is not run", async () => {
  const box = await boxWithFolder();
  const whole = archive('add("a", b"x" * 100000)');
  for (const broken of [Buffer.from("no archive"), Buffer.alloc(2 ** 16, "x"), whole.subarray(0, 50_000)])
    expect(await unpacking(box, broken)).toMatchObject({ status: 422, code: "archive_invalid" });
  expect(await unpacking(box, whole, "application/gzip")).toMatchObject({ code: "archive_invalid" });
  const { id } = await api.create({
    env: { PATH: "/home/user/bin", TAR_OPTIONS: "--to-command=/home/user/bin/tar" },
  });
  onTestFinished(() => api.delete(id));
  await api.write(id, "bin/tar", "#!/bin/sh\ntouch /home/user/ran\n");
  await api.exec(id, "/bin/chmod 755 bin/tar; /bin/mkdir into");
  expect(await unpacking({ ...box, id }, whole)).toMatchObject({ status: 204 });
  expect((await api.exec(id, "/bin/ls")).stdout).toBe("bin\ninto\n");
  expect((await inside(box)).exitCode).toBe(0);
});
