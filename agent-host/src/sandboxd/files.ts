import { fieldTag } from "#contract/sandboxd";
import { Fields, FieldWriter } from "#host/sandboxd/fields";

export type FileStat = {
  size: number;
  mode: number;
  uid: number;
  gid: number;
  mtimeMs: number;
  /** Other bytes whenever the file is another, in content, place or rights. */
  revision: string;
};
export type ReadRequest = { path: string; offset?: number; length?: number };
export type WriteRequest = { path: string; mode?: number };
export type FileRead = { stat: FileStat; body: ReadableStream<Uint8Array> };
export type ShortFile = { stat: FileStat; bytes: Uint8Array<ArrayBuffer> };

/** The start of either request. */
export function encodePath(path: string): FieldWriter {
  return new FieldWriter().put(fieldTag.path, path);
}

/** @throws SandboxdError `protocol` */
export function decodeStat(payload: Buffer): FileStat {
  const fields = new Fields(payload);
  return {
    size: fields.uint64(fieldTag.size),
    mode: fields.uint32(fieldTag.mode),
    uid: fields.uint32(fieldTag.uid),
    gid: fields.uint32(fieldTag.gid),
    mtimeMs: fields.uint64(fieldTag.mtimeMs),
    revision: fields.bytes(fieldTag.revision, 24).toString("base64url"),
  };
}
