// JSON without loss: integers beyond 2^53 (times in nanoseconds, 64-bit attributes) come out as bigint.

interface Context {
  source?: string;
}

/** Browsers without the reviver's source text (before 2024) fall back to the nearest double. */
export function parseExact(text: string): unknown {
  const exact = (_key: string, value: unknown, context?: Context): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) && context?.source && /^-?\d+$/.test(context.source)
      ? BigInt(context.source)
      : value;
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}

/** JSON.stringify that writes a bigint as the integer it is. */
export function stringifyExact(value: unknown, indent = ""): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const inner = `${indent}  `;
  const parts = Array.isArray(value)
    ? value.map((one) => inner + stringifyExact(one, inner))
    : Object.entries(value).map(([key, one]) => `${inner}${JSON.stringify(key)}: ${stringifyExact(one, inner)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return parts.length === 0 ? open + close : `${open}\n${parts.join(",\n")}\n${indent}${close}`;
}

export const textOf = (value: unknown): string => (typeof value === "string" ? value : stringifyExact(value));
