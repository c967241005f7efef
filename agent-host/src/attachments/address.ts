import { FollowQuery } from "#contract/exec";
import { SandboxId } from "#contract/ids";
import { ProcessName } from "#contract/process";
import { HostError } from "../errors.ts";

const attachPath = /^\/v1\/sandboxes\/([a-z0-9]+)\/processes\/([^/]+)\/attach$/;

export const isAttachPath = (pathname: string) => attachPath.test(pathname);

/** @throws HostError `sandbox_not_found`, `process_not_found`, `invalid_request` */
export function attachAddress({ pathname, searchParams }: URL, signedSandbox: string) {
  const [, id, sentName] = attachPath.exec(pathname) ?? [];
  const sandboxId = SandboxId.safeParse(id);
  if (!sandboxId.success || sandboxId.data !== signedSandbox)
    throw new HostError("sandbox_not_found", "Check the sandbox id.");
  const name = ProcessName.safeParse(sentName);
  if (!name.success)
    throw new HostError("process_not_found", "There is no process with this id in the sandbox.");
  const query = FollowQuery.safeParse(Object.fromEntries(searchParams));
  if (!query.success) throw new HostError("invalid_request", "The query does not fit this host's contract.");
  return { sandboxId: sandboxId.data, name: name.data, after: query.data.after ?? 0 };
}
