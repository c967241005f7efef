import { equalInConstantTime, hmac, type LazyKey, sha256Hex, toHex } from "../crypto.ts";

/** A row as it is stored; `details` is the JSON text itself, since that is what is hashed. */
export type AuditRow = {
  sequence: number;
  tenantId: string | null;
  atMs: number;
  actor: string;
  action: string;
  subject: string;
  details: string;
  requestId: string | null;
  hash: string | null;
};
/** A place in the chain: all up to this row, in one hash. */
export type ChainPoint = { sequence: number; hash: string };
/** Up to where the chain is sealed, and up to where it was pruned. */
export type ChainHead = { sealed: ChainPoint; pruned: ChainPoint };

/** Before the first row. */
export const chainStart: ChainPoint = { sequence: 0, hash: "0".repeat(64) };

/** SHA-256 over the hash before and the row in one unambiguous form, which is documented in `docs/audit.md`. */
export async function chainHash(previousHash: string, row: Omit<AuditRow, "hash">): Promise<string> {
  const { sequence, tenantId, atMs, actor, action, subject, details, requestId } = row;
  const form = JSON.stringify([sequence, tenantId, atMs, actor, action, subject, details, requestId]);
  return sha256Hex(`${previousHash}\n${form}`);
}

export async function headMac(key: LazyKey, { sealed, pruned }: ChainHead): Promise<string> {
  const text = [sealed.sequence, sealed.hash, pruned.sequence, pruned.hash].join("\n");
  return toHex(await hmac(await key(), text));
}

export async function isOurHead(key: LazyKey, head: ChainHead & { mac: string }): Promise<boolean> {
  return equalInConstantTime(head.mac, await headMac(key, head));
}
