/** One line of the preflight, for people and for `npm start`. */
export type Finding = { name: string; status: "ok" | "warning" | "failed"; detail: string };

export function formatFinding({ name, status, detail }: Finding): string {
  const mark = { ok: "ok", warning: "warning", failed: "FAILED" }[status];
  return `${name}: ${mark}${detail === "" ? "" : ` (${detail})`}`;
}
