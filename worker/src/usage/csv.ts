import type { Statement } from "#contract/statement";
import { type Quantities, quantityNames } from "#contract/usage";

type Cell = string | number | null | undefined;

const columns = [
  "record",
  "month",
  "state",
  "plan",
  "id",
  "name",
  "unit",
  "quantity",
  "included",
  "billable",
  "price_micros",
  "per",
  "micros",
] as const;
type Row = Partial<Record<(typeof columns)[number], Cell>>;

/**
 * A statement as RFC 4180: a `line` per unit, the `total`, and a row per unit that each template and key has used, whose
 * `micros` are at list price on a row of their own, since they are rounded on the sum.
 */
export function toCsv(statement: Statement): string {
  const { month, plan } = statement;
  const common: Row = { month, state: statement.isDraft ? "draft" : "closed", plan };
  const rows: Row[] = [
    ...statement.lines.map(({ priceMicros, ...line }) => ({
      ...common,
      ...line,
      record: "line",
      price_micros: priceMicros,
    })),
    { ...common, record: "total", micros: statement.totalMicros },
    ...statement.byTemplate.flatMap(({ template, ...share }) =>
      shareRows({ ...common, record: "template", id: template }, share),
    ),
    ...statement.byKey.flatMap(({ keyId, name, ...share }) =>
      shareRows({ ...common, record: "key", id: keyId, name }, share),
    ),
  ];
  const lines = [columns.join(","), ...rows.map((row) => columns.map((name) => cellOf(row[name])).join(","))];
  return lines.map((line) => `${line}\r\n`).join("");
}

function shareRows(common: Row, share: { quantities: Quantities; listMicros: number }): Row[] {
  const used = quantityNames.filter((unit) => share.quantities[unit] > 0);
  return [
    ...used.map((unit) => ({ ...common, unit, quantity: share.quantities[unit] })),
    { ...common, micros: share.listMicros },
  ];
}

/**
 * A text that a spreadsheet would run as a formula gets an apostrophe before it, which makes it a text there too. Quotes
 * stand around what has a comma, a quote or a line end in it.
 */
function cellOf(value: Cell): string {
  if (typeof value === "number") return String(value);
  const text = /^[\s]*[=+\-@]|^[\t\r\n]/.test(value ?? "") ? `'${value}` : (value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
