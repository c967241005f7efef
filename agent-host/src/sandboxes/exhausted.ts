import { HostError } from "../errors.ts";

/** What the kernel says when this machine, or this process, has no more of something. */
const exhaustions = new Set(["EMFILE", "ENFILE", "EAGAIN", "ENOMEM", "ENOSPC"]);

/** A failure as it is to be thrown on: a lack of room is `no_capacity`, which another host may not have. */
export function refusalIfExhausted(cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (!(cause instanceof Error && code !== undefined && exhaustions.has(code))) return cause;
  return new HostError("no_capacity", "This host has too few resources left; try again in a few seconds.", {
    cause,
  });
}
