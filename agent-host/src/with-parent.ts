import { mkdirSync } from "node:fs";

const attemptsMax = 5;

/** Does `work` in a folder that another host on this machine may remove at any moment because it looks empty. */
export function withParent<T>(folder: string, work: () => T): T {
  for (let attempt = 1; ; attempt++) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    try {
      return work();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOENT" || attempt === attemptsMax) throw cause;
    }
  }
}
