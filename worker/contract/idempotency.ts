import * as z from "zod";
import { limits } from "./limits.ts";

/** With this header a request that makes something is carried out once, however often it is sent. */
export const idempotencyKeyHeader = "idempotency-key";
/** Says `true` on an answer that was given before. */
export const replayedHeader = "idempotency-replayed";

export const IdempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]*$/, "must be printable ASCII")
  .min(1, "must not be empty")
  .max(limits.idempotencyKeyMaxChars, `must have at most ${limits.idempotencyKeyMaxChars} characters`);
