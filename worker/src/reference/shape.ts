import { asObject, componentsPrefix, type Json, type Schema } from "../openapi/schemas.ts";
import { type Html, html, prose } from "./html.ts";

/** A table of an object's fields; anything else is its type in words. */
export function shape(schema: Schema): Html {
  const properties = Object.entries(asObject(schema.properties));
  if (properties.length === 0) return html`<p class="type">${typeOf(schema)}</p>`;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const rows = properties.map(([name, property]) => field(name, asObject(property), required.includes(name)));
  return html`<table class="fields"><tbody>${rows}</tbody></table>`;
}

/** One row: its name, whether it must be there, what it is, and what it is for. */
export function field(name: string, schema: Schema, isRequired: boolean): Html {
  const description = typeof schema.description === "string" ? html`<p>${prose(schema.description)}</p>` : "";
  const bounds = boundsOf(schema);
  return html`<tr>
<th scope="row"><code>${name}</code>${isRequired ? html` <span class="required">required</span>` : ""}</th>
<td><span class="type">${typeOf(schema)}</span>${bounds === "" ? "" : html` <span class="bounds">${bounds}</span>`}${description}</td>
</tr>`;
}

/** What a value is, in words, with a link where the type has a name. */
export function typeOf(schema: Schema): Html {
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.slice(componentsPrefix.length);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.const !== undefined) return literal(schema.const);
  if (Array.isArray(schema.enum)) return joined(schema.enum.map(literal), " | ");
  for (const choice of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(choice))
      return joined(
        choice.map((one) => typeOf(asObject(one))),
        " or ",
      );
  }
  if (schema.type === "array") return html`list of ${typeOf(asObject(schema.items))}`;
  if (schema.type === "object") return objectType(schema);
  return html`${schema.format === "date-time" ? "time, RFC 3339" : String(schema.type ?? "anything")}`;
}

function objectType(schema: Schema): Html {
  const names = Object.entries(asObject(schema.properties));
  if (names.length > 0) {
    const inner = names.map(([name, property]) => html`${name}: ${typeOf(asObject(property))}`);
    return html`{ ${joined(inner, ", ")} }`;
  }
  return html`map of name to ${typeOf(asObject(schema.additionalProperties))}`;
}

function literal(value: Json): Html {
  return html`<code>${typeof value === "string" ? value : JSON.stringify(value)}</code>`;
}

function joined(parts: readonly Html[], separator: string): Html {
  return html`${parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]))}`;
}

const bounds: [name: string, words: (value: Json) => string][] = [
  ["minimum", (value) => `at least ${value}`],
  ["maximum", (value) => `at most ${value}`],
  ["minLength", (value) => (value === 1 ? "not empty" : `at least ${value} characters`)],
  ["maxLength", (value) => `at most ${value} characters`],
  ["minItems", (value) => `at least ${value} items`],
  ["maxItems", (value) => `at most ${value} items`],
  ["multipleOf", (value) => `in steps of ${value}`],
  ["pattern", (value) => String(value)],
];

function boundsOf(schema: Schema): string {
  return bounds
    .flatMap(([name, words]) => (schema[name] === undefined ? [] : [words(schema[name] ?? null)]))
    .join(", ");
}
