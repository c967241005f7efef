import type { Template } from "#contract/template";

/** A small valid manifest, with what a test wants different. */
export function manifestOf(change: Partial<Template> = {}): Template {
  return {
    name: "probe",
    aliases: [],
    description: "A template for tests.",
    from: "debian:bookworm-slim",
    packages: ["git", "curl"],
    files: [{ source: "files/motd", path: "/etc/motd", mode: "0644" }],
    programs: [],
    steps: ["echo 'it is' > /etc/ready # and stays"],
    user: "user",
    profile: "strict",
    startCommand: null,
    readyCommand: null,
    limits: { cpu: 1, memoryMiB: 256, pids: 256 },
    ...change,
  };
}
