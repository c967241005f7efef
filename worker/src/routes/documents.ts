import { fromHex, sha256Hex } from "../crypto.ts";
import { openApiDocument } from "../openapi/document.ts";
import { referencePage } from "../reference/page.ts";
import { style } from "../reference/style.ts";
import { type App, type MountDeps, mount } from "./mount.ts";

/** What the API says of itself; both are written once per isolate, when somebody first asks. */
export function mountDocuments(app: App, deps: MountDeps): void {
  let json: string | undefined;
  mount(app, deps, "openapi", async () => {
    json ??= JSON.stringify(openApiDocument(), null, 2);
    return answer(json, { "content-type": "application/json" });
  });

  let page: string | undefined;
  let policy: string | undefined;
  mount(app, deps, "docs", async () => {
    page ??= referencePage(openApiDocument());
    policy ??= await pagePolicy();
    return answer(page, {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      "referrer-policy": "no-referrer",
    });
  });
}

function answer(text: string, headers: Record<string, string>): Response {
  return new Response(text, { headers: { ...headers, "x-content-type-options": "nosniff" } });
}

/** One style sheet, known by its hash, and nothing else: no script, no frame, no request to anywhere. */
async function pagePolicy(): Promise<string> {
  const digest = fromHex(await sha256Hex(style)) ?? new Uint8Array(0);
  const hash = btoa(String.fromCharCode(...digest));
  return [
    "default-src 'none'",
    `style-src 'sha256-${hash}'`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
