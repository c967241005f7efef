import type { Pool } from "../pool/pool.ts";
import { type EndDeps, endSandbox } from "./end.ts";

type EndAllDeps = EndDeps & { pool: Pick<Pool, "drain" | "discard"> };

/** Ends every sandbox and every warm member, also those that a create is handing out at this moment. */
export async function endAll(deps: EndAllDeps): Promise<void> {
  // The pool closes first: a create that came after the look at the registry would leave a sandbox behind.
  const closing = deps.pool.drain();
  do {
    await Promise.all(deps.registry.all().map((live) => endSandbox(deps, live, "host_lost")));
    // Again, for what the ends have given it to remove.
    await deps.pool.drain();
  } while (deps.registry.size > 0);
  await closing;
}
