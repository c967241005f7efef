import * as z from "zod";
import type { Problem } from "./errors.ts";
import type { ExitEvent, GapEvent } from "./exec.ts";
import type { ExecId } from "./ids.ts";
import { SignalRequest, TerminalSize } from "./process.ts";

/** The subprotocol of a WebSocket to a process. */
export const attachProtocol = "sandgate.v1";

/** What a client sends as text; as binary it sends input. */
export const AttachCommand = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("resize"), ...TerminalSize.shape }),
    z.strictObject({ type: z.literal("signal"), ...SignalRequest.shape }),
    z.strictObject({ type: z.literal("eof") }),
  ])
  .meta({ id: "AttachCommand" });
export type AttachCommand = z.infer<typeof AttachCommand>;

/** What a client is told as text; as binary it is given output, whose bytes it counts to know where it is. */
export type AttachMessage =
  /** The first of all: counting begins at `after`. */
  | { type: "attached"; id: ExecId; pid: number; after: number; pty?: TerminalSize }
  /** Output that follows is of this stream; it begins with stdout. */
  | { type: "stream"; stream: "stdout" | "stderr" }
  /** What was dropped before it could be read; counting goes on at `toSeq`. */
  | ({ type: "gap" } & GapEvent)
  /** Counting goes on here: what was sent is not as long as what was printed. */
  | { type: "at"; seq: number }
  | ({ type: "exit"; seq: number } & ExitEvent)
  | { type: "error"; problem: Problem };

/** How a connection is closed; an error's code is 4000 and its status. */
export const attachClose = {
  exited: 1000,
  hostStops: 1001,
  error: (status: number) => 4000 + status,
} as const;
