// `npm run verify`: format, lint, types, unit and integration tests. Needs node_modules and nothing else.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { dependenciesAreInstalled, stop } from "./dependencies.mjs";

const root = join(import.meta.dirname, "..");
if (!dependenciesAreInstalled())
  stop("The dependencies are missing or do not fit package-lock.json; run npm ci first.");

// What did not change since the last time is not checked again; `npm test` checks all of it.
const typesSeen = join(".cache", "verify.tsbuildinfo");
const isTerminal = process.stdout.isTTY === true;
const checks = {
  "format and lint": ["biome", "check", ".", ...(isTerminal ? ["--colors=force"] : [])],
  types: ["tsc", "--incremental", "--tsBuildInfoFile", typesSeen, "--pretty", String(isTerminal)],
};
const tests = ["vitest", "run", "--project", "unit", "--project", "integration"];

/** Runs one of the installed tools to its end; what it says goes to `output`, a `pipe` is read and returned. */
async function run([program, ...args], output) {
  const path = join(root, "node_modules", ".bin", program);
  const child = spawn(path, args, { cwd: root, stdio: ["ignore", output, output] });
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status === 0));
  });
  const said = Promise.all([child.stdout, child.stderr].map((stream) => (stream ? text(stream) : "")));
  return { hasPassed: await ended, said: (await said).join("") };
}

// They run beside each other; the terminal is the tests' own until they are done.
const others = Object.entries(checks).map(async ([name, check]) => ({ name, ...(await run(check, "pipe")) }));
const results = [{ name: "tests", ...(await run(tests, "inherit")) }, ...(await Promise.all(others))];
for (const { said } of results) process.stdout.write(said);
const failed = results.filter(({ hasPassed }) => !hasPassed).map(({ name }) => name);
if (failed.length > 0) stop(`verify failed: ${failed.join(", ")}.`);
