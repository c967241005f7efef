import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { createEngine, engineSocketPath } from "#host/engine/request";
import { seccompProfile } from "#host/runtime/docker/seccomp";
import type { SandboxdConnection } from "#host/sandboxd/connection";
import type { ExecExit, ExecRequest } from "#host/sandboxd/exec";
import { type ListenOptions, listenForSandboxd } from "#host/sandboxd/listen";
import { baseImage } from "#test/support/image";

const daemonFolder = fileURLToPath(new URL("../../../agent-host/sandboxd", import.meta.url));
const deadlineMs = 20_000;

export const env = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/workspace", FROM_CONFIGURE: "yes" };
export const generation = 1;
export const sandboxId = "a0conformance";

/** The real daemon as PID 1 of a container with the options that production uses. */
export type Box = {
  readonly connection: SandboxdConnection;
  readonly memberId: string;
  readonly key: Buffer;
  readonly uid: number;
  readonly socketPath: string;
  /** Listens again, as a restarted host does. */
  listen(expect?: ListenOptions["expect"]): Promise<SandboxdConnection>;
  /** Resident memory of the daemon, as the host sees it. */
  residentKiB(): number;
  remove(): Promise<void>;
};

export async function startBox(options: { isConfigured?: boolean } = {}): Promise<Box> {
  const image = await baseImage();
  // Suites run side by side: one builds, the others wait.
  execFileSync("flock", [daemonFolder, "make", "-C", daemonFolder], { stdio: "ignore" });
  const engine = createEngine(engineSocketPath(process.env.DOCKER_HOST));
  const memberId = randomBytes(4).toString("hex");
  const folder = mkdtempSync(`${tmpdir()}/sgd-`);
  const uid = 20_000 + (randomBytes(2).readUInt16LE() % 1000);
  const key = randomBytes(32);
  const listen = (expect?: ListenOptions["expect"]) =>
    listenForSandboxd({
      socketPath: `${folder}/sock`,
      memberId,
      deadlineMs: 10_000,
      ...(expect && { expect }),
    });

  const listening = listen();
  listening.catch(() => {});
  const body = containerOptions({ image, memberId, folder, uid });
  const path = `/containers/create?name=sgd-${memberId}`;
  const { Id: id } = await engine.json<{ Id: string }>({ method: "POST", path, body, deadlineMs });
  const remove = async () => {
    await engine.text({ method: "DELETE", path: `/containers/${id}?force=1&v=1`, deadlineMs });
    engine.close();
    rmSync(folder, { recursive: true });
  };
  try {
    await engine.text({ method: "POST", path: `/containers/${id}/start`, deadlineMs });
    const connection = await listening;
    const inspected = await engine.json<{ State: { Pid: number } }>({
      method: "GET",
      path: `/containers/${id}/json`,
      deadlineMs,
    });
    if (options.isConfigured ?? true) await connection.configure({ sandboxId, generation, key, env });
    const residentKiB = () => {
      const status = readFileSync(`/proc/${inspected.State.Pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
    };
    return { connection, memberId, key, uid, socketPath: `${folder}/sock`, listen, residentKiB, remove };
  } catch (cause) {
    await remove();
    throw cause;
  }
}

function containerOptions(box: { image: string; memberId: string; folder: string; uid: number }): unknown {
  const tmpfs = `rw,exec,nosuid,nodev,uid=${box.uid},gid=${box.uid},mode=0755,size=32m,nr_inodes=4000`;
  const memoryBytes = 256 * 1024 * 1024;
  return {
    Image: box.image,
    Entrypoint: ["/sandboxd"],
    Cmd: ["--member", box.memberId, "--uid", String(box.uid), "--gid", String(box.uid)],
    User: "0:0",
    HostConfig: {
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      CapAdd: ["SETUID", "SETGID", "SETPCAP", "KILL"],
      SecurityOpt: [
        "no-new-privileges",
        `seccomp=${seccompProfile(process.arch === "arm64" ? "arm64" : "x64")}`,
      ],
      PidsLimit: 256,
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      Tmpfs: { "/tmp": tmpfs, "/workspace": tmpfs },
      Binds: [`${box.folder}:/run/sandgate:ro`, `${daemonFolder}/build/sandboxd:/sandboxd:ro`],
    },
  };
}

export type Result = ExecExit & { stdout: string; stderr: string };

/** Runs a program and collects what it wrote. */
export async function run(
  connection: SandboxdConnection,
  argv: string[],
  request: Omit<ExecRequest, "argv"> = {},
): Promise<Result> {
  const written = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const sink = { onOutput: (kind: "stdout" | "stderr", bytes: Buffer) => void written[kind].push(bytes) };
  const exit = await connection.exec({ argv, ...request }, sink).exit;
  const text = (parts: Buffer[]) => Buffer.concat(parts).toString("latin1");
  return { ...exit, stdout: text(written.stdout), stderr: text(written.stderr) };
}

export function shell(box: Box, script: string, request: Omit<ExecRequest, "argv"> = {}): Promise<Result> {
  return run(box.connection, ["sh", "-c", script], request);
}

export function python(box: Box, script: string, request: Omit<ExecRequest, "argv"> = {}): Promise<Result> {
  return run(box.connection, ["python3", "-c", script], request);
}

/** Starts a program that only the test's end will stop. Its fate is of no interest. */
export function background(box: Box, script: string): { kill(): void; exit: Promise<ExecExit> } {
  const exec = box.connection.exec({ argv: ["python3", "-c", script] }, { onOutput() {} });
  return { kill: () => exec.kill(), exit: exec.exit };
}

/** How many processes the tenant has, `ps` and its shell not counted. */
export async function countProcesses(box: Box): Promise<number> {
  const { stdout } = await shell(box, "ps -o pid= -u $(id -u) | wc -l");
  return Number(stdout) - 3;
}

export const noSink = { onOutput() {} };

export async function waitUntil(claim: () => Promise<boolean>, deadlineMs: number): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await claim())) {
    if (Date.now() > end) throw new Error(`Not true within ${deadlineMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
