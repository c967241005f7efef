import { expect, test } from "vitest";
import type { Template } from "#contract/template";
import { planBootstrap, transportOptions } from "#templates/bootstrap-plan";
import { renderDockerfile, renderE2bTemplate } from "#templates/dockerfile";
import { manifestOf } from "../../support/manifest.ts";

const sources = [
  { uri: "http://archive.example/debian/", suite: "bookworm", components: ["main"], signedBy: "" },
  {
    uri: "http://archive.example/security/",
    suite: "bookworm-security",
    components: ["main"],
    signedBy: "/k.gpg",
  },
];
const plan = (change: Partial<Template> = {}) =>
  planBootstrap({
    manifest: manifestOf(change),
    folder: "/it's",
    programs: (change.programs ?? []).map((_program, i) => `/scratch/program-${i}`),
    sources,
    aptOptions: ["A::B 1"],
    tarPath: "/x.tar",
  });

test("the Dockerfile installs packages in order, copies files, runs steps and takes privileges away last", () => {
  const text = renderDockerfile(manifestOf(), { "sandgate.template": "abc" });
  const order = [
    "FROM debian:bookworm-slim",
    'LABEL sandgate.template="abc"',
    "install --yes --no-install-recommends curl git",
    "COPY files/motd /etc/motd",
    "chmod 0644 /etc/motd",
    "# and stays\n",
    "ln -s /workspace /home/user",
    "chmod ug-s",
    "WORKDIR /workspace",
  ].map((part) => text.indexOf(part));
  expect(order).not.toContain(-1);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(text).not.toMatch(/^USER/m);
});

const program = {
  amd64: { name: "tool-x64", version: "1.2.3", integrity: `sha512-${"A".repeat(86)}==` },
  arm64: { name: "tool-arm64", version: "1.2.3", integrity: `sha512-${"B".repeat(86)}==` },
  file: "bin/tool",
  path: "/usr/local/bin/tool",
};

test("a program of a package is put where the manifest says, in every rendering", () => {
  const manifest = manifestOf({ programs: [program] });
  for (const text of [renderDockerfile(manifest), renderE2bTemplate(manifest)]) {
    expect(text).toContain("COPY program-0 /usr/local/bin/tool");
    expect(text).toContain("chmod 0755 /usr/local/bin/tool");
  }
  expect(renderE2bTemplate(manifest)).toContain('package/bin/tool of "npm pack tool-x64@1.2.3"');
  expect(plan({ programs: [program] }).join("\n")).toContain(
    `install -D -m 0755 '/scratch/program-0' "$1"'/usr/local/bin/tool'`,
  );
});

test("a root profile keeps setuid programs in every rendering", () => {
  expect(renderDockerfile(manifestOf({ profile: "root" }))).not.toContain("chmod ug-s");
  expect(plan({ profile: "root" }).join("\n")).not.toContain("chmod ug-s");
});

test("a root profile keeps apt and its sources, a strict one has neither", () => {
  expect(plan({ profile: "root" })).toContain("--variant=apt");
  expect(plan({ profile: "root" }).join("\n")).not.toContain("/etc/apt/sources.list");
  expect(plan()).toContain("--variant=essential");
  expect(renderDockerfile(manifestOf())).toContain("/etc/apt/sources.list");
});

test("a manifest without packages, files and steps renders no empty layer", () => {
  const text = renderE2bTemplate(manifestOf({ packages: [], files: [], steps: [] }));
  expect(text).not.toMatch(/RUN|COPY/);
});

test("the E2B template leaves user and home to E2B and asks for an even memory", () => {
  const manifest = manifestOf({
    startCommand: "node /srv/x.js",
    limits: { cpu: 0.5, memoryMiB: 257, pids: 64 },
  });
  const text = renderE2bTemplate(manifest);
  expect(text).toContain("# cpu 1, memory 258 MiB");
  expect(text).toContain("# start command: node /srv/x.js");
  expect(text).not.toContain("/workspace");
});

test("the bootstrap plan names the release, all its suites and the transport, and quotes the folder", () => {
  const command = plan();
  expect(command.slice(-4)).toEqual([
    "bookworm",
    "/x.tar",
    "deb http://archive.example/debian/ bookworm main",
    "deb [signed-by=/k.gpg] http://archive.example/security/ bookworm-security main",
  ]);
  expect(command).toContain("--include=curl,git");
  expect(command).toContain("--aptopt=A::B 1");
  expect(command.join("\n")).toContain(`install -D -m 0644 '/it'\\''s/files/motd' "$1"'/etc/motd'`);
});

test("the bootstrap never lets mmdebstrap clean apt up, which could clean this machine's apt", () => {
  expect(plan().find((word) => word.startsWith("--skip="))).toContain("cleanup/apt,");
});

test("how this machine reaches the archive does not stay in the image", () => {
  const hooks = plan().filter((word) => word.startsWith("--customize-hook="));
  expect(hooks.at(-1)).toContain("rm -rf /etc/apt/sources.list ");
  expect(hooks.at(-1)).toContain("rm -f /etc/apt/apt.conf.d/99mmdebstrap ");
});

test("proxies and retries of apt are handed on, empty and unrelated settings are not", () => {
  const dump = [
    'Acquire "";',
    'Acquire::http "";',
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::https::Verify-Peer "true";',
    'Acquire::Retries "3";',
    'Acquire::cdrom::mount "/media/cdrom/";',
  ].join("\n");
  expect(transportOptions(dump)).toEqual([
    'Acquire::http::Proxy "http://proxy.example:3128"',
    'Acquire::https::Verify-Peer "true"',
    'Acquire::Retries "3"',
  ]);
});
