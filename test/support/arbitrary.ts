import fc from "fast-check";
import * as z from "zod";

type Schema = {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  propertyNames?: Schema;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  minimum?: number;
  maximum?: number;
};

const surrogates = { first: 0xd800, count: 0x800 };

/**
 * Any code point but surrogates: what fast-check calls `binary`, which makes a table of all million of them before its
 * first string, for half a second.
 */
const codePoint = fc.nat(0x10ffff - surrogates.count).map(
  (index) => String.fromCodePoint(index < surrogates.first ? index : index + surrogates.count),
  (char) => {
    if (typeof char !== "string" || [...char].length !== 1 || !char.isWellFormed())
      throw new Error("It is not one code point.");
    const code = char.codePointAt(0) ?? 0;
    return code < surrogates.first ? code : code - surrogates.count;
  },
);

/** Text of any code points. */
export const anyText = (maxLength?: number): fc.Arbitrary<string> =>
  fc.string({ unit: codePoint, ...(maxLength !== undefined && { maxLength }) });

/** What no field of ours is meant to hold. */
const absurd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown[]>(0, -1, 1e308, -0, 2 ** 53 + 1, 0.1, "NaN", "", null, true, [], {}, [[]]),
  fc.constantFrom("a;rm -rf /", "../..", "/proc/self/fd/7", "\0", "\uD800", "' OR 1=1--", "{{constructor}}"),
  anyText(50),
  fc.dictionary(anyText(), anyText(), { maxKeys: 3 }),
  fc.jsonValue(),
);

/** Mostly what a schema takes, or its example, with something absurd in some place or other. */
export function nearly(schema: z.ZodType, example?: unknown): fc.Arbitrary<unknown> {
  // Its own words for "JSON Schema"; the few that we read are in `Schema`.
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema;
  const defs = root.$defs ?? {};
  const { properties = {} } = root.$ref ? (defs[root.$ref.replace(definitions, "")] ?? {}) : root;
  const changes = Object.entries(properties).map(([name, inner]) =>
    fitting(inner, defs).map((value) => ({ ...(example as object), [name]: value })),
  );
  return fc.oneof(fitting(root, defs), ...changes);
}

const definitions = "#/$defs/";
type Definitions = Record<string, Schema>;

function fitting(schema: Schema, defs: Definitions): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 7, arbitrary: exactly(schema, defs) }, { weight: 1, arbitrary: absurd });
}

function exactly(schema: Schema, defs: Definitions): fc.Arbitrary<unknown> {
  if (schema.$ref) return exactly(defs[schema.$ref.replace(definitions, "")] ?? {}, defs);
  if ("const" in schema) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((each) => fitting(each, defs)));
  const { minimum = -10, maximum = 100_000 } = schema;
  const bounds = { min: Math.max(minimum, -(2 ** 31)), max: Math.min(maximum, 2 ** 31) };
  switch (schema.type) {
    case "integer":
      return fc.integer(bounds);
    case "number":
      return fc.oneof(fc.constantFrom(0.5, 1, 2), fc.double({ ...bounds, noNaN: true }));
    case "boolean":
      return fc.boolean();
    case "array":
      return fc.array(fitting(schema.items ?? {}, defs), { maxLength: 4 });
    case "object":
      return objects(schema, defs);
    default:
      return fc.oneof(fc.constantFrom("base", "echo", "a.txt", "1", "QQ=="), fc.string({ maxLength: 20 }));
  }
}

function objects(schema: Schema, defs: Definitions): fc.Arbitrary<unknown> {
  const { properties, required = [], propertyNames = {}, additionalProperties } = schema;
  if (!properties) {
    const values = typeof additionalProperties === "object" ? additionalProperties : {};
    const names = fc.oneof(fc.constantFrom("A", "team"), exactly(propertyNames, defs).map(String));
    return fc.dictionary(names, fitting(values, defs), { maxKeys: 4 });
  }
  const known = Object.entries(properties).map(([name, inner]) => [name, fitting(inner, defs)] as const);
  const unknown = fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.object() });
  return fc
    .tuple(fc.record(Object.fromEntries(known), { requiredKeys: required }), unknown)
    .map(([object, more]) => ({ ...more, ...object }));
}
