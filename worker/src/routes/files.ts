import type { FileContent } from "../providers/provider.ts";
import { readSandboxFile, writeSandboxFile } from "../sandboxes/files.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

type Deps = MountDeps & Parameters<typeof readSandboxFile>[0];

export function mountFiles(app: App, deps: Deps): void {
  mount(app, deps, "readFile", async ({ ctx, id, query }) =>
    bytesAnswer(await readSandboxFile(deps, ctx, id, query.path)),
  );
  mount(app, deps, "writeFile", ({ ctx, id, query, body }) =>
    writeSandboxFile(deps, ctx, id, { path: query.path, stream: body }),
  );
}

/** A tenant's bytes on our origin: a browser must neither run them, nor guess what they are, nor show them. */
function bytesAnswer(file: FileContent): Response {
  return new Response(file.stream, {
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(file.size),
      "content-disposition": "attachment",
      "content-security-policy": "sandbox",
      "x-content-type-options": "nosniff",
      "x-sandgate-file-mode": file.mode,
    },
  });
}
