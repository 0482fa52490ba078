// A name and its value a line: an account a reader can check.
import type { ComponentChildren } from "preact";

/** Name, value, and the kind of line it is. */
export type RowOf = [string, ComponentChildren, string?];

export function Rows({ rows }: { rows: RowOf[] }) {
  return (
    <dl class="rows">
      {rows.map(([name, value, kind]) => (
        <div key={name} class={kind}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
