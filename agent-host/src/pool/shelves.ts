import type { TemplateImage } from "../runtime/runtime.ts";
import type { LineBounds } from "./line.ts";
import { type Entry, Shelf } from "./shelf.ts";

/** One shelf per template. */
export class Shelves {
  readonly all: readonly Shelf[];

  constructor(templates: readonly TemplateImage[], bounds: LineBounds, nowMs: number) {
    this.all = templates.map((template) => new Shelf(template, bounds, nowMs));
  }

  of(template: string): Shelf | undefined {
    return this.all.find((shelf) => shelf.template.name === template);
  }

  /** Every member on a shelf. */
  entries(): Entry[] {
    return this.all.flatMap((shelf) => shelf.entries());
  }

  /** Those on a shelf, and those that are away for a moment. */
  memberIds(): string[] {
    return this.all.flatMap((shelf) => shelf.memberIds());
  }

  /** Takes the oldest members off, if one is left after that. */
  takeOldest(count: number): Entry[] {
    const entries = this.entries().sort((a, b) => a.warmSinceMs - b.warmSinceMs);
    if (entries.length <= count) return [];
    return entries.slice(0, count).filter((entry) => this.of(entry.member.template)?.remove(entry));
  }
}
