import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLog } from "../../../scripts/start/log-file.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandgate-log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a log never takes more than two files of its limit, and keeps the newest lines whole", () => {
  const path = join(folder, "x.log");
  const line = (n: number) => `{"n":${String(n).padStart(4, "0")}}\n`;
  const limitBytes = 1_000;
  let rest = "";
  let log = openLog(path, limitBytes);
  for (let n = 0; n < 500; n++) {
    const text = line(n);
    // In a flood hardly any piece ends where a line does.
    rest += text;
    log.write(Buffer.from(rest.slice(0, -5)));
    rest = rest.slice(-5);
    if (n === 250) {
      log.close();
      log = openLog(path, limitBytes); // as the next start finds it
    }
  }
  log.write(Buffer.from(rest));
  log.close();
  expect(readdirSync(folder).sort()).toEqual(["x.log", "x.log.1"]);
  for (const name of readdirSync(folder)) {
    expect(statSync(join(folder, name)).size).toBeLessThan(limitBytes + 30);
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  }
  const kept = readFileSync(`${path}.1`, "utf8") + readFileSync(path, "utf8");
  const newest = Array.from({ length: 500 }, (_, n) => line(n)).join("");
  expect(newest.endsWith(kept)).toBe(true);
  expect(kept.length).toBeGreaterThan(limitBytes);
  expect(kept.startsWith("{")).toBe(true);
});
