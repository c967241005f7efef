import { newExecId } from "#contract/ids";
import { limits } from "#contract/limits";
import { absolutePath } from "#contract/text";
import type { WatchQuery } from "#contract/watch";
import { HostError } from "../errors.ts";
import type { ExecStream } from "../exec-streams/streams.ts";
import { problemOf } from "../problem.ts";
import { requireGeneration } from "../processes/signal.ts";
import type { SandboxdError } from "../sandboxd/error.ts";
import type { ExecSink } from "../sandboxd/exec.ts";
import { beginExec } from "./exec-begin.ts";
import type { ExecStreamDeps } from "./exec-stream.ts";
import { asHostError } from "./failures.ts";
import { type Live, whileActive } from "./registry.ts";
import { WatchEvents } from "./watch-events.ts";

/**
 * Watches a path as the sandbox's user, in a process of theirs, until the reader of the answered stream has gone or there
 * is nothing left to watch. Resolves once nothing that happens is missed.
 * @throws HostError with the codes of the `watchFiles` row
 */
export async function watchIn(
  deps: ExecStreamDeps,
  live: Live,
  query: WatchQuery,
  requestId: string,
): Promise<ExecStream> {
  requireGeneration(live, 2);
  const { sandboxId, tenantId } = live.lease;
  const path = absolutePath(query.path).replace(/(?<=.)\/+$/, "");
  const finish = beginWatch(live);
  const onAbandoned = () => handle.kill();
  let stream: ExecStream;
  try {
    const id = newExecId();
    stream = deps.streams.open({ sandboxId, tenantId }, id, {
      onAbandoned,
      silenceMs: limits.tiedStreamCommentMs,
    });
  } catch (error) {
    finish();
    throw error;
  }
  const { ring } = stream;
  let onReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const events = new WatchEvents(ring, path, onReady);
  // The promise is what keeps the watching process waiting, and the kernel queueing, while the reader is behind.
  let turn: Promise<void> = Promise.resolve();
  let waiting = 0;
  const onOutput: ExecSink["onOutput"] = (kind, bytes) => {
    if (kind === "stderr") return;
    if (waiting === 0 && ring.hasRoom) return events.push(bytes);
    waiting++;
    turn = turn.then(async () => {
      await ring.room();
      waiting--;
      events.push(bytes);
    });
    return turn;
  };
  const command = ["/sandboxd", "watch", query.recursive === "true" ? "1" : "0", path];
  const handle = beginExec(live, { command, cwd: "/", stdin: true, killOrphans: true }, { onOutput });
  const over = whileActive(live, deps.now, () => handle.exit)
    .then(() => {
      if (events.refusal) throw refusalOf(events.refusal, live);
      if (!ring.isEnded)
        throw new HostError("exec_lost", "The watching process was ended from within the sandbox.");
    })
    .catch((cause: unknown) => {
      const error = asHostError(cause, live);
      if (!ring.isEnded) ring.end("error", problemOf(shown(error), requestId));
      throw error;
    })
    .finally(() => {
      finish();
      deps.streams.forgetLater(stream);
    });
  over.catch(() => undefined);
  try {
    await Promise.race([ready, over]);
  } catch (error) {
    deps.streams.forget(stream);
    throw error;
  }
  return stream;
}

/** Counts a watch in until what is returned is called. @throws HostError `watch_limit` */
function beginWatch(live: Live): () => void {
  const underWay = live.watches ?? 0;
  if (underWay >= limits.watchesMax)
    throw new HostError(
      "watch_limit",
      `A sandbox has ${limits.watchesMax} watches at most; end one of them.`,
    );
  live.watches = underWay + 1;
  return () => {
    live.watches = (live.watches ?? 1) - 1;
  };
}

/** What the watching process was refused by the sandbox, which is about files. */
function refusalOf(refusal: SandboxdError, live: Live): unknown {
  if (refusal.code !== "tooMany") return asHostError(refusal, live, "file_not_found");
  const sentence = "There are more folders below this path than one watch, or this sandbox, may have.";
  return new HostError("watch_limit", sentence, { cause: refusal });
}

const shown = (error: unknown) =>
  error instanceof HostError
    ? error
    : new HostError("internal", "Something failed on the host; watch again.", { cause: error });
