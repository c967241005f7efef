import { asObject, type JsonObject } from "../openapi/schemas.ts";
import { type Html, html, prose } from "./html.ts";
import { field, shape, typeOf } from "./shape.ts";

/** One operation: what it takes, how it is called, what it answers, how it can fail. */
export function operationSection(
  path: string,
  method: string,
  operation: JsonObject,
  resolve: Resolve,
): Html {
  const id = String(operation.operationId);
  const responses = Object.entries(asObject(operation.responses));
  const failures = responses.filter(([status]) => Number(status) >= 400);
  return html`<section class="operation" id="${id}">
<h3><a href="#${id}">${prose(String(operation.summary))}</a></h3>
<p class="address"><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code></p>
${typeof operation.description === "string" ? html`<p>${prose(operation.description)}</p>` : ""}
${parametersOf(operation)}
${requestBodyOf(operation, resolve)}
<h4>Call</h4>
<pre><code>${curlOf(path, method, operation)}</code></pre>
${responses.filter(([status]) => Number(status) < 400).map(([status, answer]) => success(status, asObject(answer), resolve))}
<details><summary>How it can fail</summary><table class="fields"><tbody>${failures.map(failure)}</tbody></table></details>
</section>`;
}

export type Resolve = (schema: JsonObject) => JsonObject;

function parametersOf(operation: JsonObject): Html | string {
  const parameters = (Array.isArray(operation.parameters) ? operation.parameters : []).map(asObject);
  if (parameters.length === 0) return "";
  const rows = parameters.map(({ name, in: place, required, description, schema }) =>
    field(
      String(name),
      { ...asObject(schema), description: `In the ${place}. ${description ?? ""}` },
      required === true,
    ),
  );
  return html`<h4>Parameters</h4><table class="fields"><tbody>${rows}</tbody></table>`;
}

function requestBodyOf(operation: JsonObject, resolve: Resolve): Html | string {
  if (operation.requestBody === undefined) return "";
  const { description, content } = asObject(operation.requestBody);
  const [type = "", media] = Object.entries(asObject(content))[0] ?? [];
  const { schema } = asObject(media);
  return html`<h4>Body <span class="bounds">${type}</span></h4>
${typeof description === "string" ? html`<p>${prose(description)}</p>` : ""}
${schema === undefined ? "" : shape(resolve(asObject(schema)))}`;
}

function success(status: string, answer: JsonObject, resolve: Resolve): Html {
  const [type, media] = Object.entries(asObject(answer.content))[0] ?? [];
  const { schema, example } = asObject(media);
  return html`<h4>Answer <span class="bounds">${status}${type === undefined ? "" : `, ${type}`}</span></h4>
${schema === undefined ? "" : namedShape(asObject(schema), resolve)}
${example === undefined ? "" : html`<pre><code>${JSON.stringify(example, null, 2)}</code></pre>`}`;
}

/** A shape with a name stands once, below; here is the way to it. */
function namedShape(schema: JsonObject, resolve: Resolve): Html {
  return schema.$ref === undefined ? shape(resolve(schema)) : html`<p class="type">${typeOf(schema)}</p>`;
}

function failure([status, answer]: [string, unknown]): Html {
  const { description } = asObject(answer);
  return html`<tr><th scope="row">${status}</th><td>${prose(String(description))}</td></tr>`;
}

const inQuotes = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The call as it is typed into a shell that has read `dev.env`, with the example that a test sends. */
function curlOf(path: string, method: string, operation: JsonObject): string {
  const parameters = (Array.isArray(operation.parameters) ? operation.parameters : []).map(asObject);
  const query = parameters
    .filter((parameter) => parameter.in === "query" && parameter.example !== undefined)
    .map(({ name, example }) => `${name}=${encodeURIComponent(String(example)).replaceAll("%2F", "/")}`);
  const address = `$SANDGATE_URL${path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => `$${name.toUpperCase()}`)}`;
  const content = asObject(asObject(operation.requestBody).content);
  const json = asObject(content["application/json"]).example;
  const key = keyNameOf(operation);
  const lines = [
    `curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}"${address}${query.length > 0 ? `?${query.join("&")}` : ""}"`,
    ...(key === null ? [] : [`-H "Authorization: Bearer $${key}"`]),
    ...(json === undefined
      ? []
      : ['-H "Content-Type: application/json"', `-d ${inQuotes(JSON.stringify(json))}`]),
    ...(content["application/octet-stream"] === undefined
      ? []
      : ['-H "Content-Type: application/octet-stream"', "--data-binary @hello.txt"]),
  ];
  return lines.join(" \\\n  ");
}

/** Which variable of `dev.env` lets the caller in. */
function keyNameOf({ security }: JsonObject): string | null {
  const [first] = Array.isArray(security) ? security : [];
  if (first === undefined) return null;
  return "adminKey" in asObject(first) ? "SANDGATE_ADMIN_KEY" : "SANDGATE_API_KEY";
}
