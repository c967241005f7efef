import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseEnvFile } from "#contract/envfile";
import { HostIdentity } from "#contract/host";
import { root } from "#test/support/tree";
import { bootstrap } from "#worker/bootstrap";

let dataDir: string;
let port: number;
let environment: Record<string, string>;
const templates = [{ name: "base", aliases: ["python", "node"], digest: "sha256:0" }];
const children: ChildProcess[] = [];

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "sandgate-node-"));
  port = await freePort();
  environment = { SANDGATE_DATA_DIR: dataDir, SANDGATE_PORT: String(port) };
  await bootstrap(environment, templates);
});
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dataDir, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Starts the entry and waits until it has said that it listens, or has ended. */
async function start() {
  const child = spawn(process.execPath, ["--import", "tsx", join(root, "worker/src/node.ts")], {
    cwd: root,
    env: { PATH: process.env.PATH, ...environment },
  });
  children.push(child);
  let output = "";
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const listening = new Promise<void>((resolve) => {
    const note = (chunk: Buffer) => {
      output += chunk;
      if (output.includes('"ready"')) resolve();
    };
    child.stdout.on("data", note);
    child.stderr.on("data", note);
  });
  await Promise.race([listening, ended]);
  return { child, ended, output: () => output };
}

const devEnv = () => parseEnvFile(readFileSync(join(dataDir, "dev.env"), "utf8"));

test("bootstrap leaves private files, and a second one keeps all that the first made", async () => {
  const names = ["secrets.env", "dev.env", "host/host.json"];
  for (const name of [...names, "sandgate.db"])
    expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
  const before = names.map((name) => readFileSync(join(dataDir, name), "utf8"));
  await bootstrap(environment, templates);
  expect(names.map((name) => readFileSync(join(dataDir, name), "utf8"))).toEqual(before);
  expect(HostIdentity.parse(JSON.parse(before[2] ?? "")).controlUrl).toBe(`http://127.0.0.1:${port}`);
  expect(Object.keys(devEnv())).toEqual([
    "SANDGATE_URL",
    "SANDGATE_API_KEY",
    "SANDGATE_ADMIN_KEY",
    "E2B_API_URL",
    "E2B_SANDBOX_URL",
    "E2B_API_KEY",
  ]);
});

test("secrets that an operator has set stay as they are written, and the missing ones are added", async () => {
  const path = join(dataDir, "secrets.env");
  const before = readFileSync(path, "utf8");
  const own = `# from the vault\nSANDGATE_KEY_SECRET="${"0".repeat(32)} # not a comment"`;
  writeFileSync(path, own);
  await bootstrap(environment, templates);
  const text = readFileSync(path, "utf8");
  expect(text.startsWith(`${own}\n`)).toBe(true);
  expect(Object.keys(parseEnvFile(text)).sort()).toEqual([
    "SANDGATE_ADMIN_KEY",
    "SANDGATE_HOST_SECRET",
    "SANDGATE_KEY_SECRET",
  ]);
  writeFileSync(path, before);
  await bootstrap(environment, templates);
});

test("another port changes the addresses and nothing else", async () => {
  const before = devEnv();
  await bootstrap({ ...environment, SANDGATE_PORT: "9999" }, templates);
  expect(devEnv()).toMatchObject({
    SANDGATE_URL: "http://127.0.0.1:9999",
    SANDGATE_API_KEY: before.SANDGATE_API_KEY,
  });
  await bootstrap(environment, templates);
  expect(devEnv()).toEqual(before);
});

test("a key or a host that the database does not know is made anew", async () => {
  const { SANDGATE_API_KEY: before } = devEnv();
  writeFileSync(join(dataDir, "dev.env"), `SANDGATE_API_KEY=e2b_${"0".repeat(40)}\n`);
  await bootstrap(environment, templates);
  expect(devEnv().SANDGATE_API_KEY).toMatch(/^e2b_[0-9a-f]{40}$/);
  expect(devEnv().SANDGATE_API_KEY).not.toBe(before);
});

test("the entry serves, refuses a port that is taken in one sentence, and drains on SIGTERM", async () => {
  const first = await start();
  const url = devEnv().SANDGATE_URL;
  const headers = { "x-api-key": devEnv().SANDGATE_API_KEY ?? "" };
  const listed = await fetch(`${url}/v1/sandboxes`, { headers });
  expect([listed.status, await listed.json()]).toEqual([200, { items: [] }]);

  const second = await start();
  expect(await second.ended).toBe(1);
  expect(second.output().trim().split("\n")).toEqual([expect.stringContaining("already in use")]);

  // A connection that is open but idle must not hold the process.
  const idle = connect(port, "127.0.0.1");
  await new Promise<void>((resolve) => idle.once("connect", resolve));
  first.child.kill("SIGTERM");
  expect(await first.ended).toBe(0);
  expect(first.output()).toContain('"stopped"');
  expect(first.output()).not.toContain(headers["x-api-key"]);
  idle.destroy();
}, 30_000);
