import { fieldTag } from "#contract/sandboxd";
import { errorFromWire, type SandboxdError } from "#host/sandboxd/error";
import { Fields } from "#host/sandboxd/fields";

/** What `refused` and `streamError` say. @throws SandboxdError `protocol` */
export function decodeError(payload: Buffer): SandboxdError {
  const fields = new Fields(payload);
  return errorFromWire(fields.uint16(fieldTag.errorCode), fields.text(fieldTag.message, 512));
}
