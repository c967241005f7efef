import type { ExecExit, TerminalSize } from "#host/sandboxd/exec-wire";
import type { Recalled } from "#host/sandboxd/kept";

export type ExecSink = {
  onStarted?(pid: number): void;
  /** Of a recall, before all output. */
  onRecalled?(recalled: Recalled): void;
  /** The program may send more when this has returned, or its promise has resolved. */
  onOutput(kind: "stdout" | "stderr", bytes: Buffer): void | Promise<void>;
};

export type ExecHandle = {
  /** Rejects with SandboxdError. Waits for the sink to have taken all output. */
  readonly exit: Promise<ExecExit>;
  write(bytes: Uint8Array): Promise<void>;
  endStdin(): void;
  /** SIGKILL, the default, ends the whole tree; another signal goes to the program's process group. */
  kill(signal?: number): void;
  /** Sends a signal to the program and to all that it has started; generation 2 of the wire. */
  signalTree(signal: number): void;
  /** Tells a terminal its new size; generation 2 of the wire. */
  resize(size: TerminalSize): void;
  /** Whether `write` and `offer` may be called. */
  readonly takesInput: boolean;
  /** Takes all of these bytes or, when the program is behind with reading, none of them. */
  offer(bytes: Uint8Array): boolean;
};
