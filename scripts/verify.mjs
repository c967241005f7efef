// `npm run verify`: format, lint, types, unit and integration tests. Needs node_modules and nothing else.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { dependenciesAreInstalled, stop } from "./dependencies.mjs";

const root = join(import.meta.dirname, "..");
if (!dependenciesAreInstalled())
  stop("The dependencies are missing or do not fit package-lock.json; run npm ci first.");

const checks = {
  "format and lint": ["biome", "check", "."],
  types: ["tsc"],
  tests: ["vitest", "run", "--project", "unit", "--project", "integration"],
};
const failed = [];
for (const [name, [program, ...args]] of Object.entries(checks)) {
  const { status } = spawnSync(join(root, "node_modules", ".bin", program), args, {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) stop(`verify failed: ${failed.join(", ")}.`);
