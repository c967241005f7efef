import type { Quantities } from "#contract/usage";
import { addUp, listMicros, type Priced } from "./bill.ts";

export type Group<Label> = { label: Label; quantities: Quantities; listMicros: number };

const shareOf = (parts: readonly Priced[]) => ({ quantities: addUp(parts), listMicros: listMicros(parts) });

/**
 * Parts put together by their label, the dearest first, and all of them together. Past `groupsMax` labels the cheapest
 * are one group without a label of their own, so that the groups always add up to the total.
 */
export function groupParts<Label>(
  parts: readonly (Priced & { label: Label })[],
  groupsMax: number,
): { groups: Group<Label>[]; others?: Omit<Group<Label>, "label">; total: Omit<Group<Label>, "label"> } {
  const byLabel = new Map<Label, Priced[]>();
  for (const part of parts) {
    const same = byLabel.get(part.label);
    if (same) same.push(part);
    else byLabel.set(part.label, [part]);
  }
  const sorted = [...byLabel]
    .map(([label, same]) => ({ label, parts: same, ...shareOf(same) }))
    .sort((a, b) => b.listMicros - a.listMicros || compare(String(a.label), String(b.label)));
  const rest = sorted.slice(groupsMax).flatMap((group) => group.parts);
  return {
    groups: sorted.slice(0, groupsMax).map(({ parts: _parts, ...group }) => group),
    ...(rest.length > 0 && { others: shareOf(rest) }),
    total: shareOf(parts),
  };
}

/** By code units, so that no locale decides what a closed statement says. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
