import { errorCodes, errorTable } from "#contract/errors";
import { asObject, componentsPrefix, type JsonObject } from "../openapi/schemas.ts";
import { type Html, html, paragraphs, prose } from "./html.ts";
import { operationSection, type Resolve } from "./operation.ts";
import { shape } from "./shape.ts";
import { style } from "./style.ts";

type Operation = { path: string; method: string; operation: JsonObject };
type Group = { name: string; description: string; operations: Operation[] };

/** The reference as one page without scripts, from the OpenAPI document: what it shows cannot differ from that. */
export function referencePage(document: JsonObject): string {
  const { title, version, description } = asObject(document.info);
  const groups = groupsOf(document);
  const schemas = Object.entries(asObject(asObject(document.components).schemas));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${String(title)} API reference</title>
<link rel="icon" href="data:,">
<style>${{ html: style }}</style>
</head>
<body>
<nav aria-label="Contents">
<p class="brand">${String(title)}</p>
<ul><li><a href="#about">About</a></li><li><a href="#keys">Keys</a></li><li><a href="#errors">Errors</a></li></ul>
${groups.map(navigation)}
<h2>Shapes</h2>
<ul>${schemas.map(([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`)}</ul>
</nav>
<main>
<h1 id="about">${String(title)} API</h1>
<p class="soft">Version ${String(version)}. The same for programs: <a href="/openapi.json">openapi.json</a>.</p>
${paragraphs(String(description))}
<h2 id="keys">Keys</h2>
<p>Send an API key as <code>Authorization: Bearer &lt;key&gt;</code> or as <code>X-API-Key: &lt;key&gt;</code>. A key has
scopes; each call says which one it needs. The examples read <code>SANDGATE_URL</code> and
<code>SANDGATE_API_KEY</code> from the environment, where <code>. .sandgate/dev.env</code> puts them.</p>
${groups.map((group) => groupSection(group, resolverOf(document)))}
<h2 id="errors">Errors</h2>
<table><thead><tr><th>code</th><th>status</th><th>meaning</th><th>may be sent again</th></tr></thead>
<tbody>${errorCodes.map(errorRow)}</tbody></table>
<h2 id="shapes">Shapes</h2>
${schemas.map(([name, schema]) => schemaSection(name, asObject(schema)))}
</main>
</body>
</html>
`.html;
}

function groupsOf(document: JsonObject): Group[] {
  const operations = Object.entries(asObject(document.paths)).flatMap(([path, methods]) =>
    Object.entries(asObject(methods)).map(([method, operation]) => ({
      path,
      method,
      operation: asObject(operation),
    })),
  );
  const tags = Array.isArray(document.tags) ? document.tags.map(asObject) : [];
  return tags.map(({ name, description }) => ({
    name: String(name),
    description: String(description),
    operations: operations.filter(
      ({ operation }) => Array.isArray(operation.tags) && operation.tags[0] === name,
    ),
  }));
}

/** What a reference to a component stands for. */
function resolverOf(document: JsonObject): Resolve {
  const schemas = asObject(asObject(document.components).schemas);
  return (schema) =>
    typeof schema.$ref === "string" ? asObject(schemas[schema.$ref.slice(componentsPrefix.length)]) : schema;
}

function navigation({ name, operations }: Group): Html {
  const items = operations.map(
    ({ operation }) =>
      html`<li><a href="#${String(operation.operationId)}">${shortSummary(String(operation.summary))}</a></li>`,
  );
  return html`<h2>${name}</h2><ul>${items}</ul>`;
}

/** What stands before the first comma or semicolon says enough for a list. */
const shortSummary = (summary: string) => prose(summary.split(/[,;]/)[0] ?? summary);

function groupSection({ name, description, operations }: Group, resolve: Resolve): Html {
  return html`<h2 id="${name}">${name.charAt(0).toUpperCase() + name.slice(1)}</h2>
<p>${prose(description)}</p>
${operations.map(({ path, method, operation }) => operationSection(path, method, operation, resolve))}`;
}

function errorRow(code: (typeof errorCodes)[number]): Html {
  const { status, title, retryable } = errorTable[code];
  return html`<tr><td><code>${code}</code></td><td>${status}</td><td>${title}</td><td>${retryable ? "yes" : "no"}</td></tr>`;
}

function schemaSection(name: string, schema: JsonObject): Html {
  return html`<section class="schema" id="schema-${name}"><h3><a href="#schema-${name}">${name}</a></h3>
${typeof schema.description === "string" ? html`<p>${prose(schema.description)}</p>` : ""}
${shape(schema)}</section>`;
}
