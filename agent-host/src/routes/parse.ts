import type { Context } from "hono";
import type * as z from "zod";
import { HostError } from "../errors.ts";
import type { Live } from "../sandboxes/registry.ts";
import type { SignedEnv } from "./signed.ts";

/** The sandbox that a signed request names. */
export type Find<E extends SignedEnv> = (c: Context<E>) => Live;

export function parseBody<T>(schema: z.ZodType<T>, body: Buffer | undefined): T {
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

export function parseQuery<T, E extends SignedEnv>(schema: z.ZodType<T>, c: Context<E>): T {
  const parsed = schema.safeParse(c.req.query());
  if (!parsed.success) throw new HostError("invalid_request", "The query does not fit this host's contract.");
  return parsed.data;
}
