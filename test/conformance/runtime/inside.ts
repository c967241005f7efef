import { randomBytes } from "node:crypto";
import type { Member } from "#host/runtime/runtime";

/** Makes a warm member a leased one. */
export async function configured(
  member: Member,
): Promise<{ sandboxId: string; generation: number; key: Buffer }> {
  const key = randomBytes(32);
  const configuration = { sandboxId: "h00000000000000000000001", generation: 1, key };
  await member.connection.configure({ ...configuration, env: { PATH: "/usr/bin:/bin" } });
  return configuration;
}

/** What a command in the sandbox prints, its errors too. */
export async function sh(member: Member, command: string): Promise<string> {
  let printed = "";
  const onOutput = (_kind: string, bytes: Buffer) => {
    printed += bytes.toString();
  };
  const argv = ["/bin/sh", "-c", command];
  await member.connection.exec({ argv, timeoutMs: 30_000 }, { onOutput }).exit;
  return printed;
}

/** Size in MiB and inodes of the workspace, as a program in the sandbox sees them. */
export async function seenInside(member: Member) {
  const printed = await sh(
    member,
    "stat -f -c '%T %b %S %c' /workspace; stat -c '%u %A' /workspace; ls -A /workspace",
  );
  const [type, blocks, blockBytes, inodes, owner, mode] = printed.trim().split(/\s+/);
  const sizeMiB = (Number(blocks) * Number(blockBytes)) / 1024 / 1024;
  return { type, sizeMiB, inodes: Number(inodes), owner: Number(owner), mode };
}
