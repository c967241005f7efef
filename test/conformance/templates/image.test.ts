import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEngine, type Engine, engineSocketPath } from "#host/engine/request";
import { ensureTemplateImage, templateLabel } from "#templates/build";
import { imageLabels } from "#templates/images";
import { findManifest, type LoadedManifest, loadManifests } from "#templates/manifest";
import type { Report } from "#templates/runner";
import { createRunner } from "../../../scripts/start/runner.ts";
import { runInImage } from "../../support/run-in-image.ts";

let engine: Engine;
let workDir = "";
let image = "";
let digest = "";

async function ensure(change: Partial<LoadedManifest> = {}, report: Report = () => {}, signal?: AbortSignal) {
  const manifest = { ...findManifest(await loadManifests(), "base"), ...change };
  return ensureTemplateImage({ engine, manifest, workDir, report, runner: createRunner({ report, signal }) });
}

beforeAll(async () => {
  engine = createEngine(engineSocketPath(process.env.DOCKER_HOST));
  workDir = await mkdtemp(join(tmpdir(), "sandgate-image-"));
  ({ image, digest } = await ensure());
}, 300_000);

afterAll(async () => {
  engine.close();
  await rm(workDir, { recursive: true, force: true });
});

const tools = ["bash", "cat", "ps", "python3", "python", "node", "git", "curl"];
test.each(tools)("%s runs without a network on a read-only root", async (tool) => {
  const { exitCode, output } = await runInImage(engine, image, [tool, "--version"]);
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: expect.stringMatching(/\d+\.\d+/) });
});

test("Python and Node compute, and certificates are there for TLS", async () => {
  const python =
    "import ssl, sqlite3, json, ctypes; print(len(ssl.create_default_context().get_ca_certs()) > 50)";
  expect((await runInImage(engine, image, ["python3", "-c", python])).output).toBe("True");
  expect((await runInImage(engine, image, ["node", "-e", "console.log(String(6 * 7))"])).output).toBe("42");
});

test("no file is setuid or setgid, and none carries capabilities", async () => {
  const find = ["find", "/", "-xdev", "!", "-type", "l", "-perm", "/6000"];
  expect(await runInImage(engine, image, find)).toEqual({ exitCode: 0, output: "" });
  const python = `
import os
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/dev")): continue
    for name in names:
        path = os.path.join(folder, name)
        if "security.capability" in os.listxattr(path, follow_symlinks=False): print(path)
`;
  expect(await runInImage(engine, image, ["python3", "-c", python])).toEqual({ exitCode: 0, output: "" });
});

test("the user's home is the empty workspace, and the mount points are there", async () => {
  const script =
    "readlink /home/user; stat -c '%u %g %a' /workspace; ls -A /workspace /run/sandgate; id user";
  const { output } = await runInImage(engine, image, ["sh", "-c", script]);
  expect(output.split(/\r?\n/)).toEqual([
    "/workspace",
    "1000 1000 755",
    "/run/sandgate:",
    "",
    "/workspace:",
    "uid=1000(user) gid=1000(user) groups=1000(user)",
  ]);
});

test("nothing of the machine that built it stays in the image", async () => {
  const script = `
    cat /etc/machine-id /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null
    ls -A /var/lib/apt/lists /var/log /tmp | grep -v -e : -e '^$'
    ls -d /usr/share/doc/* /usr/share/man/* 2> /dev/null
    true`;
  expect(await runInImage(engine, image, ["sh", "-c", script])).toEqual({ exitCode: 0, output: "" });
});

test("the image carries its digest, and a second time it is found within a second", async () => {
  expect((await imageLabels(engine, image))?.[templateLabel]).toBe(digest);
  const startMs = performance.now();
  expect(await ensure()).toEqual({ image, digest, built: false, how: "cached" });
  expect(performance.now() - startMs).toBeLessThan(1000);
});

test("a template whose step fails is one sentence and leaves no image, folder or lock", async () => {
  const steps = ["echo 'E: this step fails' >&2; exit 3"];
  const build = ensure({ name: "broken", packages: [], programs: [], steps });
  await expect(build).rejects.toThrow(/^mmdebstrap failed: E: /);
  expect(await readdir(workDir)).toEqual([]);
}, 120_000);

test("a build that is stopped half-way leaves no folder and no lock", async () => {
  const controller = new AbortController();
  const stopInTheMiddle = (line: string) => {
    if (line === "Extracting archives.") controller.abort("SIGINT");
  };
  const build = ensure(
    { name: "stopped", from: "scratch", packages: [], programs: [] },
    stopInTheMiddle,
    controller.signal,
  );
  await expect(build).rejects.toBe("SIGINT");
  expect(await readdir(workDir)).toEqual([]);
}, 120_000);
