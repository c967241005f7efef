import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { registryAuth } from "#host/images/credentials";
import { pullQuery, registryOf } from "#host/images/reference";

const folders: string[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder as `docker login` leaves it. */
function dockerConfig(config: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), "sandgate-docker-"));
  folders.push(folder);
  writeFileSync(join(folder, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  return folder;
}
/** A program that the next call finds by its name. */
function helper(folder: string, name: string, script: string): void {
  writeFileSync(join(folder, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, `docker-credential-${name}`), 0o755);
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
}
const decoded = (header: string | undefined) =>
  header && JSON.parse(Buffer.from(header, "base64url").toString());
const base64 = (text: string) => Buffer.from(text).toString("base64");

test.each([
  ["debian", "https://index.docker.io/v1/"],
  ["library/debian:12", "https://index.docker.io/v1/"],
  ["registry.example/team/app:1", "registry.example"],
  ["127.0.0.1:5000/app@sha256:00", "127.0.0.1:5000"],
  ["localhost/app", "localhost"],
])("the registry of %s is %s", (image, registry) => {
  expect(registryOf(image)).toBe(registry);
});

test("an image without a tag is the latest one, and not all of them", () => {
  expect(pullQuery("127.0.0.1:5000/app")).toBe("fromImage=127.0.0.1%3A5000%2Fapp&tag=latest");
  expect(pullQuery("app:12")).toBe("fromImage=app%3A12");
  expect(pullQuery("app@sha256:00")).toBe("fromImage=app%40sha256%3A00");
});

test("what docker login has written is sent to its own registry, and to no other", async () => {
  const folder = dockerConfig({ auths: { "registry.example": { auth: base64("me:se:cret") } } });
  const auth = decoded(await registryAuth("registry.example", folder));
  expect(auth).toEqual({ username: "me", password: "se:cret", serveraddress: "registry.example" });
  expect(await registryAuth("other.example", folder)).toBeUndefined();
});

test("the header is base64 that the engine reads: URL-safe, and padded", async () => {
  for (const password of ["a", "ab", "abc", "ÿÿÿ>>>???"]) {
    const folder = dockerConfig({ auths: { "registry.example": { auth: base64(`me:${password}`) } } });
    expect(await registryAuth("registry.example", folder)).toMatch(/^([\w-]{4})*([\w-]{2}==|[\w-]{3}=)?$/);
  }
});

test("an identity token comes before a password", async () => {
  const entry = { auth: base64("me:old"), identitytoken: "token" };
  const folder = dockerConfig({ auths: { "registry.example": entry } });
  const auth = decoded(await registryAuth("registry.example", folder));
  expect(auth).toEqual({ identitytoken: "token", serveraddress: "registry.example" });
});

test("a helper program is asked where one is named, and told which registry", async () => {
  const folder = dockerConfig({ credsStore: "none", credHelpers: { "registry.example": "test" } });
  helper(folder, "test", 'read registry; echo "{\\"Username\\":\\"$1\\",\\"Secret\\":\\"of $registry\\"}"');
  const auth = decoded(await registryAuth("registry.example", folder));
  expect(auth).toEqual({
    username: "get",
    password: "of registry.example",
    serveraddress: "registry.example",
  });
});

test("a helper that knows nothing of a registry means that nobody has logged in", async () => {
  const folder = dockerConfig({ credsStore: "test" });
  helper(folder, "test", "echo credentials not found in native keychain; exit 1");
  expect(await registryAuth("registry.example", folder)).toBeUndefined();
});

test("a helper that fails says so without what it printed, and its name is a name", async () => {
  const folder = dockerConfig({ credsStore: "test" });
  helper(folder, "test", "echo hunter2; echo hunter2 >&2; exit 1");
  const failure = await registryAuth("registry.example", folder).catch((cause: Error) => cause);
  expect(String(failure)).toContain("The credential helper test failed");
  expect(String(failure)).not.toContain("hunter2");
  const strange = dockerConfig({ credsStore: "../../bin/sh" });
  await expect(registryAuth("registry.example", strange)).rejects.toThrow("cannot be one");
});

test.each(["", "not json", '{"auths":3}'])("a config of %j is as none", async (text) => {
  expect(await registryAuth("registry.example", dockerConfig(text))).toBeUndefined();
});
