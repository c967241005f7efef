import { SandboxdError } from "../../sandboxd/error.ts";

/** What the daemon of a new sandbox dials with. @throws SandboxdError `deadline` */
export async function within<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SandboxdError("deadline", "sandboxd did not dial in time.")),
      deadlineMs,
    );
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
