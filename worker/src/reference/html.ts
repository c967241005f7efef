/** Text that is HTML already; everything else is escaped where it is put in. */
export type Html = { readonly html: string };
type Part = Html | string | number | undefined | readonly Part[];

/** A template whose values are escaped, unless they are HTML themselves. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  let out = texts[0] ?? "";
  for (const [index, part] of parts.entries()) out += render(part) + (texts[index + 1] ?? "");
  return { html: out };
}

function render(part: Part): string {
  if (part === undefined) return "";
  if (typeof part === "string" || typeof part === "number") return escaped(String(part));
  return "html" in part ? part.html : part.map(render).join("");
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** The little of Markdown that the contract's sentences use: code between backticks, and paragraphs. */
export function prose(text: string): Html {
  return { html: escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>") };
}
export function paragraphs(text: string): Html[] {
  return text.split(/\n{2,}/).map((paragraph) => html`<p>${prose(paragraph)}</p>`);
}
