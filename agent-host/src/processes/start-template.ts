import { newRequestId } from "#contract/ids";
import type { ExecStreamDeps } from "../sandboxes/exec-stream.ts";
import type { Live } from "../sandboxes/registry.ts";
import { startProcess } from "./start.ts";

/** The tag of what a template starts by itself. */
export const startTag = "start";

type Template = { name: string; startCommand?: string | undefined };

/**
 * Starts what a sandbox's template says runs in each of them: as the tenant, with the sandbox's environment, a process
 * on its list like any other. It is there for who uses the sandbox, so it does not count as its use.
 * @throws HostError when nothing can be started in there
 */
export async function startTemplate(
  deps: ExecStreamDeps & { templates: readonly Template[] },
  live: Live,
): Promise<void> {
  const command = deps.templates.find(({ name }) => name === live.lease.template)?.startCommand;
  if (command === undefined) return;
  // No request asked for it; a problem of its stream names one that nobody has made.
  await startProcess(deps, live, { command, tag: startTag }, { requestId: newRequestId(), isPassive: true });
}
