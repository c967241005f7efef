import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bundle, bundleWorker } from "../../scripts/edge/bundle.ts";

/** The platform takes 3 MB on its free plan; more than this would mean that something came in by accident. */
const gzippedMaxBytes = 1_000_000;

describe.each(["", "staging", "production"])(
  "the bundle that wrangler makes for the environment %j",
  (name) => {
    let bundle: Bundle;
    let script: string;
    beforeAll(async () => {
      bundle = await bundleWorker(name);
      script = readFileSync(bundle.scriptPath, "utf8");
    }, 60_000);
    afterAll(() => bundle?.dispose());

    test("is small", () => {
      expect(gzipSync(script).byteLength).toBeLessThan(gzippedMaxBytes);
    });

    test("needs nothing of Node", () => {
      const imports = [...script.matchAll(/^\s*(?:import|export)\b[^"'\n]*\bfrom\s*["']([^"']+)["']/gm)];
      expect([...new Set(imports.map((found) => found[1]))]).toEqual(["cloudflare:workers"]);
      expect(script).not.toMatch(
        /\b(?:require|import)\(\s*["'](?:node:)?(?:fs|net|crypto|child_process|path)["']/,
      );
    });

    test("has the limiter's class and its binding, and no secret", () => {
      expect(bundle.report).toContain("env.LIMITER (Limiter)");
      expect(bundle.report).not.toMatch(/_SECRET|_TOKEN|_KEY\b/);
    });
  },
);
