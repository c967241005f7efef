import { describe, expect, test } from "vitest";
import { exists, importsOf, projectFiles, textOf } from "#test/support/tree";

/** The layers of the control plane: a file may import its own row and rows above. `ARCHITECTURE.md` has the reasons. */
const layers = [
  "contract",
  "errors context log env crypto cursor cache bytes",
  "db",
  "auth audit idempotency ratelimit quota usage hosts templates tenants metrics",
  "providers",
  "placement",
  "sandboxes",
  "runs batches workflows",
  "webhooks notifications",
  "openapi",
  "reference",
  "middleware routes dialects",
  "app deps jobs background limiter node-settings node-fetch node-drain node-serve node-log node-passage edge-passage node-recorder",
  "node bootstrap index",
].map((row) => row.split(" "));

/** Where the runtime shows through: everything else runs in any of them. */
const nodeOnly =
  /^worker\/src\/(node|bootstrap|node-settings|node-fetch|node-drain|node-serve|node-log|node-passage|db\/node(-file|-statement)?)\.ts$/;
const readsEnvironment = /^worker\/src\/(deps|node|index)\.ts$/;
const knowsHono = /^worker\/src\/(app\.ts|middleware\/|routes\/|dialects\/)/;
const knowsDrizzle = /^worker\/src\/(db\/|.*\/([a-z]+-)?store\.ts$)/;

const files = projectFiles();
const code = files.filter((path) => /\.(ts|mts|mjs|js)$/.test(path));
const worker = files.filter((path) => /^worker\/src\/.*\.ts$/.test(path));
const linesMax = 300;

/** The files that break a rule, which should be none. */
const offenders = (paths: string[], breaks: (path: string) => boolean) => paths.filter(breaks);

function layerOf(path: string): number | undefined {
  const name = path.startsWith("worker/contract/")
    ? "contract"
    : /^worker\/src\/([a-z-]+)(?:\/|\.ts$)/.exec(path)?.[1];
  const index = layers.findIndex((row) => name !== undefined && row.includes(name));
  return index === -1 ? undefined : index;
}

describe("layers", () => {
  test("every file of the control plane has one", () => {
    expect(offenders(worker, (path) => layerOf(path) === undefined)).toEqual([]);
  });

  test("a file imports its own row and rows above", () => {
    const upward = worker.flatMap((path) =>
      importsOf(path)
        .filter((imported) => (layerOf(imported) ?? -1) > (layerOf(path) ?? 0))
        .map((imported) => `${path} -> ${imported}`),
    );
    expect(upward).toEqual([]);
  });

  test("the contract imports zod and itself only", () => {
    const contract = files.filter((path) => path.startsWith("worker/contract/"));
    const strange = (imported: string) => imported !== "zod" && !imported.startsWith("worker/contract/");
    expect(offenders(contract, (path) => importsOf(path).some(strange))).toEqual([]);
  });

  test("host and templates reach the control plane through the contract only", () => {
    const others = code.filter((path) => /^(agent-host|templates)\//.test(path));
    const inside = (imported: string) => imported.startsWith("worker/src/");
    expect(offenders(others, (path) => importsOf(path).some(inside))).toEqual([]);
  });

  test("only stores and db know drizzle", () => {
    const uses = (path: string) => importsOf(path).some((imported) => /^drizzle-orm/.test(imported));
    expect(offenders(worker, (path) => uses(path) && !knowsDrizzle.test(path))).toEqual([]);
  });

  test("only app, middleware, routes and dialects know Hono, and the Node entry its server", () => {
    const uses = (path: string) => importsOf(path).some((imported) => /^hono(\/|$)/.test(imported));
    expect(offenders(worker, (path) => uses(path) && !knowsHono.test(path))).toEqual([]);
  });

  test("only what the Node entry picks imports Node", () => {
    const native = /^(node:|@hono\/node-server|pino|@libsql\/client$|libsql$)/;
    const uses = (path: string) =>
      [...textOf(path).matchAll(/^import (?!type\b)[^"']*["']([^"']+)["']/gm)].some((match) =>
        native.test(match[1] ?? ""),
      );
    expect(offenders(worker, (path) => uses(path) && !nodeOnly.test(path))).toEqual([]);
  });

  test("only entries and deps read the environment", () => {
    const reads = (path: string) => /\bprocess\.env\b/.test(textOf(path));
    expect(offenders(worker, (path) => reads(path) && !readsEnvironment.test(path))).toEqual([]);
  });

  test("a store's function that has a tenant takes it right after the database", () => {
    const late = (path: string) =>
      /function \w+\(\s*db: Db,(?!\s*tenantId: TenantId)[^)]*tenantId: TenantId/.test(textOf(path));
    expect(
      offenders(
        worker.filter((path) => knowsDrizzle.test(path)),
        late,
      ),
    ).toEqual([]);
  });
});

describe("files", () => {
  test(`have at most ${linesMax} lines`, () => {
    const sized = files.filter((path) => /\.(ts|mts|mjs|js|c|h|sql)$/.test(path));
    expect(offenders(sized, (path) => textOf(path).split("\n").length > linesMax + 1)).toEqual([]);
  });

  test("name no machine's paths and no registry", () => {
    // Put together here, so that this file does not name them itself.
    const paths = [["work"], ["root"], ["Users"]].map(([folder]) => `(?<![\\w.~-])/${folder}/`);
    const homes = "(?<![\\w.-])/home/(?!user\\b)[a-z]";
    const registries = ['"resolved"', "registry="].map((text) => `${text}\\s*:?`);
    const forbidden = new RegExp([...paths, homes, ...registries].join("|"));
    const checked = files.filter((path) => path !== "test/tidy.test.ts");
    expect(offenders(checked, (path) => forbidden.test(textOf(path)))).toEqual([]);
  });

  test("have no `any`, and no claim that something is not null", () => {
    const claims = /(?::|\bas|<|\|)\s*any\b(?!\w)|[\w)\]]!(?:[.;,)[]|\s*$)/m;
    const typed = code.filter((path) => /\.m?ts$/.test(path) && path !== "test/tidy.test.ts");
    const withoutText = (path: string) =>
      textOf(path).replace(/\/\/.*$|\/\*[\s\S]*?\*\/|(["'`])(?:\\.|(?!\1)[^\\])*\1/gm, '""');
    expect(offenders(typed, (path) => claims.test(withoutText(path)))).toEqual([]);
  });

  test("that documents cite are there", () => {
    const documents = files.filter(
      (path) => /^[A-Z]+\.md$|^docs\/.*\.md$/.test(path) && path !== "CHANGELOG.md",
    );
    const missing = documents.flatMap((path) => {
      const cited = [
        ...textOf(path).matchAll(
          /`((?:worker|agent-host|templates|migrations|test|scripts|docs)\/[\w./-]*)`/g,
        ),
      ];
      return cited
        .map((match) => match[1] ?? "")
        .filter((target) => !exists(target))
        .map((target) => `${path}: ${target}`);
    });
    expect(missing).toEqual([]);
  });
});
