import { AttachCommand } from "#contract/attach";
import { limits } from "#contract/limits";
import type { TerminalSize } from "#contract/process";
import { HostError } from "../errors.ts";
import { writeInput } from "../processes/input.ts";
import { resizeProcess } from "../processes/resize.ts";
import { signalProcess } from "../processes/signal.ts";
import { type ProcessRecord, running } from "../processes/table.ts";
import type { Live } from "../sandboxes/registry.ts";
import type { Peer } from "./peer.ts";

/** Gives a process what its client sends: bytes to its input, and what its commands ask for. */
export function takeInput(peer: Peer, live: Live, record: ProcessRecord, touch: () => void): void {
  const give = inputGiver(peer, record);
  const obey = commandTaker(peer, live, record);
  peer.socket.on("message", (data, isBinary) => {
    if (peer.isGone) return;
    touch();
    // A socket whose `binaryType` is left alone gives buffers.
    const bytes = data as Buffer;
    try {
      if (isBinary) give(bytes);
      else obey(bytes);
    } catch (cause) {
      report(peer, cause);
    }
  });
}

/** What comes too late has missed the end by a moment; the client is about to hear of that. */
function report(peer: Peer, cause: unknown): void {
  if (cause instanceof HostError && cause.code === "process_ended") return;
  const unknown = new HostError("internal", "Something failed on the host; attach again.", { cause });
  peer.refuse(cause instanceof HostError ? cause : unknown);
}

/** Holds the client up while the process does not read. */
function inputGiver(peer: Peer, record: ProcessRecord): (bytes: Buffer) => void {
  let waitingBytes = 0;
  let release: (() => void) | undefined;
  return (bytes) => {
    const { handle } = running(record);
    if (bytes.length === 0) return;
    if (!handle.takesInput || record.session)
      throw new HostError("input_closed", "Start the process with `stdin`; input that was closed stays so.");
    waitingBytes += bytes.length;
    if (waitingBytes > limits.attachInputWaitingBytes) release ??= peer.hold();
    const taken = () => {
      waitingBytes -= bytes.length;
      if (waitingBytes > limits.attachInputWaitingBytes / 2) return;
      release?.();
      release = undefined;
    };
    handle.write(bytes).then(taken, taken);
  };
}

/** Bounded in how many are taken a second: each of them goes on to the sandbox. */
function commandTaker(peer: Peer, live: Live, record: ProcessRecord): (text: Buffer) => void {
  const resize = lastResize(peer, record);
  let left: number = limits.attachCommandsPerWindow;
  return (text) => {
    if (left === limits.attachCommandsPerWindow)
      setTimeout(() => {
        left = limits.attachCommandsPerWindow;
      }, limits.attachWindowMs).unref();
    if (--left === 0) setTimeout(peer.hold(), limits.attachWindowMs).unref();
    const command = parseCommand(text);
    if (command.type === "resize") resize(command);
    else if (command.type === "signal") signalProcess(live, record, command);
    else writeInput(record, Buffer.alloc(0), true).catch((cause: unknown) => report(peer, cause));
  };
}

/** Of many sizes in a row only the last is anything to a program. */
function lastResize(peer: Peer, record: ProcessRecord): (size: TerminalSize) => void {
  let wanted: TerminalSize | undefined;
  return ({ cols, rows }) => {
    if (!record.size)
      throw new HostError("not_a_terminal", "Start the process with `pty` to give it a terminal.");
    if (!wanted)
      setTimeout(() => {
        const size = wanted;
        wanted = undefined;
        try {
          if (size && !record.end) resizeProcess(record, size);
        } catch (cause) {
          report(peer, cause);
        }
      }, limits.attachResizeMs).unref();
    wanted = { cols, rows };
  };
}

/** @throws HostError `payload_too_large`, `invalid_json`, `invalid_request` */
function parseCommand(text: Buffer): AttachCommand {
  if (text.length > limits.attachCommandMaxBytes)
    throw new HostError("payload_too_large", "Send input as binary messages; commands are short.");
  let json: unknown;
  try {
    json = JSON.parse(text.toString());
  } catch {
    throw new HostError(
      "invalid_json",
      "A text message is a command in JSON; send input as binary messages.",
    );
  }
  const command = AttachCommand.safeParse(json);
  if (command.success) return command.data;
  throw new HostError("invalid_request", "Commands are `resize`, `signal` and `eof`, each with its fields.");
}
