import { type Context, Hono } from "hono";
import type * as z from "zod";
import { FileQuery } from "#contract/files";
import { HostCreate, HostExec, HostPatch } from "#contract/host";
import { SandboxId } from "#contract/ids";
import { HostError } from "../errors.ts";
import { type CreateDeps, createSandbox } from "../sandboxes/create.ts";
import { endSandbox } from "../sandboxes/end.ts";
import { type ExecDeps, execInSandbox } from "../sandboxes/exec.ts";
import { readFileIn, writeFileIn } from "../sandboxes/files.ts";
import { patchSandbox } from "../sandboxes/patch.ts";
import type { Live } from "../sandboxes/registry.ts";
import { logged } from "./logged.ts";
import { type SignedDeps, type SignedEnv, signed } from "./signed.ts";
import { settleUpload, type UploadEnv, uploadChunks } from "./upload.ts";

type RouteEnv = SignedEnv & UploadEnv;
export type SandboxRouteDeps = CreateDeps & ExecDeps & SignedDeps;

/** One line per verb: the signed tenant decides what is found, the id in the path must be the signed one. */
export function sandboxRoutes(deps: SandboxRouteDeps): Hono<RouteEnv> {
  const app = new Hono<RouteEnv>();
  const find = (c: Context<RouteEnv>): Live => {
    const id = SandboxId.safeParse(c.req.param("id"));
    if (!id.success || id.data !== c.get("sandbox"))
      throw new HostError("sandbox_not_found", "Check the sandbox id.");
    const live = deps.registry.find(id.data, c.get("tenantId"));
    const generation = c.get("generation");
    // An order about an older life of an id must not touch a newer one; commands and files go to whichever lives.
    if (generation !== "-" && generation !== String(live.lease.generation)) {
      throw new HostError("conflict", "The sandbox has another generation by now.");
    }
    return live;
  };
  app.use("*", logged(deps), settleUpload, signed(deps));

  app.post("/", async (c) => {
    const input = parse(HostCreate, c.get("body"));
    const isSigned = input.sandboxId === c.get("sandbox") && input.tenantId === c.get("tenantId");
    if (!isSigned)
      throw new HostError("invalid_request", "The body and the signature name different sandboxes.");
    return c.json(await createSandbox(deps, input), 201);
  });
  app.patch("/:id", (c) => {
    patchSandbox(deps, find(c), parse(HostPatch, c.get("body")));
    return c.body(null, 204);
  });
  app.delete("/:id", async (c) => c.json(await endSandbox(deps, find(c), "killed")));
  app.post("/:id/exec", async (c) =>
    c.json(await execInSandbox(deps, find(c), parse(HostExec, c.get("body")))),
  );
  app.get("/:id/files", async (c) => {
    const { path } = parseQuery(c);
    const file = await readFileIn(deps, find(c), path);
    return c.body(file.body, 200, {
      "content-type": "application/octet-stream",
      "content-length": String(file.size),
      "x-sandgate-file-size": String(file.size),
      "x-sandgate-file-mode": file.mode,
    });
  });
  app.put("/:id/files", async (c) => {
    const { path } = parseQuery(c);
    return c.json(await writeFileIn(deps, find(c), path, uploadOf(c)));
  });
  return app;
}

function parse<T>(schema: z.ZodType<T>, body: Buffer | undefined): T {
  let json: unknown;
  try {
    json = JSON.parse(body?.toString("utf8") ?? "");
  } catch {
    throw new HostError("invalid_json", "Send a JSON body.");
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new HostError("invalid_request", "The body does not fit this host's contract.");
  return parsed.data;
}

function parseQuery(c: Context<RouteEnv>): FileQuery {
  const parsed = FileQuery.safeParse(c.req.query());
  if (!parsed.success) throw new HostError("invalid_request", "Send one valid path.");
  return parsed.data;
}

async function* uploadOf(c: Context<RouteEnv>): AsyncGenerator<Uint8Array> {
  const body = c.get("body");
  if (body) yield body;
  else yield* uploadChunks(c);
}
