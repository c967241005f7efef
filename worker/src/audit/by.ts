import type { Ctx } from "../context.ts";
import type { By } from "./store.ts";

/** A change that a request asked for. */
export const byCaller = ({ keyId, requestId }: Pick<Ctx, "keyId" | "requestId">): By => ({
  actor: `key:${keyId}`,
  requestId,
});
