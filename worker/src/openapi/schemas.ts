import * as z from "zod";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };
/** The JSON Schema of something on the wire; draft 2020-12, which is OpenAPI's own since 3.1. */
export type Schema = JsonObject;

const definitions = "#/$defs/";
export const componentsPrefix = "#/components/schemas/";

/** Turns the contract's schemas into JSON Schema, and keeps those that have a name once, as components. */
export function schemaWriter() {
  const components = new Map<string, Schema>();

  function write(schema: z.ZodType, io: "input" | "output"): Schema {
    const { $schema: _dialect, $defs, ...own } = plain(z.toJSONSchema(schema, { io, override: tidy }));
    for (const [name, definition] of Object.entries(asObject($defs))) keep(name, asObject(definition));
    const name = z.globalRegistry.get(schema)?.id;
    if (name === undefined || own.$ref !== undefined) return own;
    return keep(name, own);
  }
  function keep(name: string, schema: Schema): Schema {
    const known = components.get(name);
    if (known && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`The schema ${name} is not the same in requests and in answers: give one another id.`);
    }
    components.set(name, schema);
    return { $ref: componentsPrefix + name };
  }
  /** By name, so that the order of rows does not show. */
  const all = (): JsonObject => Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { write, all };
}

/** Says what a reader can use: not the bounds of JavaScript's integers, nor a pattern where a format says it. */
function tidy({ jsonSchema }: { jsonSchema: Record<string, unknown> }): void {
  delete jsonSchema.id;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
}

/** A copy of its own, with references to where an OpenAPI document keeps schemas. */
function plain(schema: unknown): JsonObject {
  return JSON.parse(
    JSON.stringify(schema).replaceAll(`"$ref":"${definitions}`, `"$ref":"${componentsPrefix}`),
  );
}

/** The object that this is, or an empty one. */
export function asObject(value: unknown): JsonObject {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as JsonObject) : {};
}
