import * as z from "zod";

/** One environment variable: its meaning, its default and whether its value may be shown. */
export type Setting<T> = { schema: z.ZodType<T, string>; fallback: string; secret?: true; about: string };

export const integer = (min: number, max: number) =>
  z.string().regex(/^\d+$/, "must be a whole number").transform(Number).pipe(z.number().min(min).max(max));
export const decimal = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, "must be a number")
    .transform(Number)
    .pipe(z.number().min(min).max(max));
export const flag = z.enum(["true", "false"]).transform((value) => value === "true");
export const text = z.string();

export function setting<T>(schema: z.ZodType<T, string>, fallback: string, about: string): Setting<T> {
  return { schema, fallback, about };
}
