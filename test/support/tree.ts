import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const skipped = new Set([
  "node_modules",
  ".cache",
  ".git",
  ".sandgate",
  ".wrangler",
  "build",
  "coverage",
  "dist",
]);

/** Every text file of the project, as paths from its root. */
export function projectFiles(): string[] {
  const walk = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      if (skipped.has(entry.name) || entry.isSymbolicLink()) return [];
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return walk(path);
      return /\.(ts|mts|mjs|js|c|h|md|json|sql|toml|sh|yml|yaml|env|txt)$|(^|\/)(Makefile|Dockerfile|\.[a-z]+rc|run)$/.test(
        path,
      )
        ? [path]
        : [];
    });
  return walk(root).map((path) => relative(root, path).split(sep).join("/"));
}

export const textOf = (path: string): string => readFileSync(join(root, path), "utf8");
export const exists = (path: string): boolean => existsSync(join(root, path));

const aliases: Record<string, string> = {
  "#contract/": "worker/contract/",
  "#worker/": "worker/src/",
  "#host/": "agent-host/src/",
  "#templates/": "templates/",
  "#migrations/": "migrations/",
  "#test/": "test/",
};

/** What a file imports: project files as paths from the root, packages by their names. */
export function importsOf(path: string): string[] {
  const statement =
    /^(?:import|export)\b[^"'=;()]*?\bfrom\s*["']([^"']+)["']|^import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;
  const specifiers = [...textOf(path).matchAll(statement)];
  return specifiers.map((match) => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? "";
    if (specifier.startsWith("."))
      return relative(root, resolve(root, dirname(path), specifier))
        .split(sep)
        .join("/");
    const alias = Object.keys(aliases).find((prefix) => specifier.startsWith(prefix));
    return alias ? `${aliases[alias]}${specifier.slice(alias.length)}.ts` : specifier;
  });
}
