import { spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { readableLine } from "#contract/log-line";
import { loadSettings } from "../start/settings.ts";

const shownBefore = "20";

const { values } = await loadSettings(process.env);
const folder = join(values.SANDGATE_DATA_DIR, "logs");
const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".log"));
if (names.length === 0) {
  console.error(`There are no logs in ${folder} yet; npm start writes them.`);
  process.exit(1);
}
const tail = spawn("tail", ["-q", "-n", shownBefore, "-F", ...names], {
  cwd: folder,
  stdio: ["ignore", "pipe", "ignore"],
});
createInterface({ input: tail.stdout }).on("line", (line) =>
  console.log(readableLine(line, process.stdout.isTTY)),
);
