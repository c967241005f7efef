import * as z from "zod";

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
const hostCodeChars = 4;
const sandboxRandomChars = 20;

/** Host codes begin each sandbox id and are never used again; `e0` begins the ids placed on E2B. */
export const HostCode = z
  .string()
  .regex(/^(?!e0)[a-z0-9]{4}$/)
  .brand<"HostCode">();
export type HostCode = z.infer<typeof HostCode>;

/** E2B clients split host names on `-`, so a sandbox id holds letters and digits only. */
export const SandboxId = z
  .string()
  .regex(/^[a-z0-9]{24}$/, "must be 24 lowercase letters and digits")
  .brand<"SandboxId">();
export type SandboxId = z.infer<typeof SandboxId>;

export const TenantId = z
  .string()
  .regex(/^ten_[a-z0-9]{20}$/)
  .brand<"TenantId">();
export type TenantId = z.infer<typeof TenantId>;

export const KeyId = z
  .string()
  .regex(/^key_[a-z0-9]{20}$/)
  .brand<"KeyId">();
export type KeyId = z.infer<typeof KeyId>;

export const HostId = z
  .string()
  .regex(/^hst_[a-z0-9]{20}$/)
  .brand<"HostId">();
export type HostId = z.infer<typeof HostId>;

/** A command whose output is a stream; its host has given it the id. */
export const ExecId = z
  .string()
  .regex(/^exe_[a-z0-9]{20}$/)
  .brand<"ExecId">();
export type ExecId = z.infer<typeof ExecId>;

export const RunId = z
  .string()
  .regex(/^run_[a-z0-9]{20}$/, "must be the id of a run")
  .brand<"RunId">();
export type RunId = z.infer<typeof RunId>;

/** Fills with random bytes; `crypto.getRandomValues` outside of tests. */
export type RandomBytes = (length: number) => Uint8Array;

const stock = new Uint8Array(4096);
let used = stock.length;

/** Drawn from a stock, since asking the system costs more than all that a request does with the bytes. Each is given once. */
export const secureRandom: RandomBytes = (length) => {
  if (length > stock.length) return crypto.getRandomValues(new Uint8Array(length));
  if (used + length > stock.length) {
    crypto.getRandomValues(stock);
    used = 0;
  }
  const bytes = stock.slice(used, used + length);
  stock.fill(0, used, used + length);
  used += length;
  return bytes;
};

/** Random letters and digits, without the bias of a plain remainder. */
export function randomChars(count: number, random: RandomBytes = secureRandom): string {
  let out = "";
  while (out.length < count) {
    for (const byte of random(count)) {
      // 252 is the largest multiple of 36 in a byte.
      if (byte < 252 && out.length < count) out += alphabet[byte % 36];
    }
  }
  return out;
}

export function newSandboxId(host: HostCode, random?: RandomBytes): SandboxId {
  return SandboxId.parse(host + randomChars(sandboxRandomChars, random));
}
export const newTenantId = (random?: RandomBytes) => TenantId.parse(`ten_${randomChars(20, random)}`);
export const newKeyId = (random?: RandomBytes) => KeyId.parse(`key_${randomChars(20, random)}`);
export const newHostId = (random?: RandomBytes) => HostId.parse(`hst_${randomChars(20, random)}`);
export const newExecId = (random?: RandomBytes) => ExecId.parse(`exe_${randomChars(20, random)}`);
export const newRunId = (random?: RandomBytes) => RunId.parse(`run_${randomChars(20, random)}`);
export const newRequestId = (random?: RandomBytes) => `req_${randomChars(20, random)}`;

/** A code that the reserved prefix does not shadow; uniqueness is the database's to check. */
export function newHostCode(random?: RandomBytes): HostCode {
  return HostCode.parse(`h${randomChars(hostCodeChars - 1, random)}`);
}

/** The host that a sandbox lives on is read off its id, so routing needs no lookup; `null` = not one of our hosts. */
export function hostCodeOf(id: SandboxId): HostCode | null {
  return HostCode.safeParse(id.slice(0, hostCodeChars)).data ?? null;
}

export const newReservationId = (random?: RandomBytes) => `rsv_${randomChars(20, random)}`;
