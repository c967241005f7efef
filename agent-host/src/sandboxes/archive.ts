import type { ErrorCode } from "#contract/errors";
import { limits } from "#contract/limits";
import { absolutePath } from "#contract/text";
import { HostError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ExecExit, ExecHandle, ExecSink } from "../sandboxd/exec.ts";
import { ArchiveBody } from "./archive-body.ts";
import { CappedOutput } from "./capped-output.ts";
import { oomWatch } from "./exec-outcome.ts";
import { asHostError } from "./failures.ts";
import { type Live, whileActive } from "./registry.ts";

export type ArchiveDeps = { runtime: Pick<Runtime, "oomKills">; now: () => number };
type Archive = { path: string; isGzip: boolean };

const complaintsMaxBytes = 64 * 1024;
/** What the tenant has in its environment must not decide which program runs, or in which language it complains. */
const tarEnv = { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TAR_OPTIONS: "", GZIP: "" };

/**
 * A folder as a tar stream, packed by the sandbox's own `tar` as the tenant: nothing on the host reads what is in it.
 * The stream breaks where packing fails after it began. @throws HostError
 */
export async function readArchiveIn(
  deps: ArchiveDeps,
  live: Live,
  archive: Archive,
): Promise<ReadableStream<Uint8Array>> {
  await assertFolder(live, archive.path);
  const complaints = new CappedOutput(complaintsMaxBytes);
  const body = new ArchiveBody(() => handle.kill());
  const handle = startTar(live, archive, ["-c", "."], {
    onOutput: (kind, bytes) => (kind === "stdout" ? body.push(bytes) : complaints.push(bytes)),
  });
  const packed = whileActive(live, deps.now, () => handle.exit)
    .then((exit) => {
      // 1: a file changed while it was read, which is nobody's fault.
      if (exit.exitCode === 0 || exit.exitCode === 1) body.end();
      else throw new HostError(...verdictOn(complaints, "archive_unsupported"));
    })
    .catch((cause: unknown) => {
      const error = refusalOf(cause, live);
      body.fail(error);
      throw error;
    });
  await Promise.race([body.begun, packed]);
  packed.catch(() => undefined);
  return body.stream;
}

/**
 * Unpacks a tar stream into a folder by the sandbox's own `tar` as the tenant: whatever its names and links say, it
 * reaches no more than the tenant does. What was unpacked before a failure stays. @throws HostError
 */
export function writeArchiveIn(
  deps: ArchiveDeps,
  live: Live,
  archive: Archive,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  return whileActive(live, deps.now, async () => {
    await assertFolder(live, archive.path);
    const complaints = new CappedOutput(complaintsMaxBytes);
    const wasOom = oomWatch(deps.runtime, live);
    const sink: ExecSink = { onOutput: (_kind, bytes) => complaints.push(bytes) };
    const handle = startTar(live, archive, ["-x", "-o"], sink, true);
    let contentFailure: unknown;
    void feed(handle, content).catch((cause: unknown) => {
      contentFailure = cause;
      handle.kill();
    });
    let exit: ExecExit;
    try {
      exit = await handle.exit;
    } catch (cause) {
      throw refusalOf(cause, live);
    }
    if (contentFailure !== undefined) throw contentFailure;
    if (exit.exitCode === 0) return;
    // The disk is in memory: what is too much for it may meet that limit first.
    if (wasOom(exit)) throw new HostError("no_space", "The archive does not fit into the sandbox.");
    throw new HostError(...verdictOn(complaints, "archive_invalid"));
  });
}

/** Typed refusals before tar starts, which has sentences only. */
async function assertFolder(live: Live, path: string): Promise<void> {
  try {
    await live.member.connection.list({ path: absolutePath(path), depth: 1, limit: 1 });
  } catch (cause) {
    throw asHostError(cause, live, "file_not_found");
  }
}

function startTar(live: Live, archive: Archive, args: string[], sink: ExecSink, stdin = false): ExecHandle {
  const gzip = archive.isGzip ? ["-z"] : [];
  const argv = ["tar", ...gzip, "-f", "-", ...args];
  const { fileWriteDeadlineMs: timeoutMs, execGraceMs: graceMs } = limits;
  const cwd = absolutePath(archive.path);
  return live.member.connection.exec({ argv, cwd, env: tarEnv, timeoutMs, graceMs, stdin }, sink);
}

/** A tar that has read enough, or failed, leaves the rest; its exit says which. */
async function feed(handle: ExecHandle, content: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of content) {
    const isTaken = await handle.write(chunk).then(
      () => true,
      () => false,
    );
    if (!isTaken) return;
  }
  handle.endStdin();
}

function verdictOn(complaints: CappedOutput, otherwise: ErrorCode): [ErrorCode, string] {
  const text = complaints.text("utf8");
  if (/No space left on device|Disk quota exceeded|Wrote only \d+ of|died with signal 9/.test(text))
    return ["no_space", "Free some space in the sandbox, then try again."];
  if (/gzip.*(?:Cannot exec|not found)|Cannot exec/.test(text))
    return ["archive_unsupported", "The sandbox has no gzip."];
  if (/Permission denied|Read-only file system/.test(text))
    return ["file_permission_denied", "The sandbox user may not do this to this folder."];
  return otherwise === "archive_invalid"
    ? [otherwise, "Send a tar archive of files, folders and links below its root, gzip only when declared."]
    : ["conflict", "The folder could not be packed; check what is in it."];
}

function refusalOf(cause: unknown, live: Live): unknown {
  const error = asHostError(cause, live, "archive_unsupported");
  if (!(error instanceof HostError) || error.code !== "cwd_not_found") return error;
  return new HostError("file_permission_denied", "The sandbox user may not enter this folder.", { cause });
}
