import { closeSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";

const maxBytes = 16 * 1024 * 1024;
const newline = 0x0a;

/**
 * A log that grows to 16 MiB; what was logged before that is kept once, as `<path>.1`. It loses lines on a full disk:
 * neither who is logged nor who logs may end or wait for that.
 */
export function openLog(path: string, limitBytes = maxBytes) {
  let file = openSync(path, "a", 0o600);
  let bytes = fstatSync(file).size;
  const rotate = () => {
    renameSync(path, `${path}.1`);
    closeSync(file);
    file = openSync(path, "a", 0o600);
    bytes = 0;
  };
  const write = (chunk: Buffer) => {
    try {
      // Between lines, so that each can be read in one of the files.
      const end = bytes >= limitBytes ? chunk.indexOf(newline) + 1 : 0;
      if (end > 0) {
        writeSync(file, chunk.subarray(0, end));
        rotate();
      }
      bytes += writeSync(file, chunk.subarray(end));
    } catch {
      // There is room again at some time, and then there are lines again.
    }
  };
  return { write, close: () => closeSync(file) };
}
