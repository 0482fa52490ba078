// A table sorted by the URL: `sort=-errors` is by errors, largest first. Values that are missing go last either way.
import type { ComponentChildren } from "preact";
import { route, setParams } from "../router";

export interface Column<T> {
  key: string;
  name: string;
  title?: string;
  number?: boolean;
  /** What to sort by; a column without it cannot be sorted. */
  by?: (row: T) => number | string | null;
  show: (row: T) => ComponentChildren;
}

export function compare(a: number | string | null, b: number | string | null, sign: 1 | -1): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return a < b ? -sign : a > b ? sign : 0;
}

export function sortedRows<T>(rows: T[], columns: Column<T>[], sort: string): T[] {
  const sign = sort.startsWith("-") ? -1 : 1;
  const by = columns.find((column) => column.key === sort.replace(/^-/, ""))?.by;
  return by ? [...rows].sort((a, b) => compare(by(a), by(b), sign)) : rows;
}

interface Props<T> {
  caption: string;
  rows: T[];
  columns: Column<T>[];
  sort: string;
  rowKey: (row: T) => string;
  param?: string;
  rowClass?: (row: T) => string;
}

export function SortTable<T>({ caption, rows, columns, sort: usual, rowKey, param = "sort", rowClass }: Props<T>) {
  const sort = route.value.params.get(param) ?? usual;
  const turn = (column: Column<T>) => {
    const first = column.number ? `-${column.key}` : column.key;
    const other = column.number ? column.key : `-${column.key}`;
    const next = sort === first ? other : first;
    setParams({ [param]: next === usual ? null : next });
  };
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => {
              const state = sort.replace(/^-/, "") !== column.key ? undefined : sort.startsWith("-") ? "descending" : "ascending";
              return (
                <th key={column.key} scope="col" class={column.number ? "number" : undefined} aria-sort={state} title={column.title}>
                  {column.by ? (
                    <button type="button" class="sort" onClick={() => turn(column)}>
                      {column.name}
                      <span aria-hidden="true">{state === "descending" ? " ↓" : state === "ascending" ? " ↑" : ""}</span>
                    </button>
                  ) : (
                    column.name
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {sortedRows(rows, columns, sort).map((row) => (
            <tr key={rowKey(row)} class={rowClass?.(row)}>
              {columns.map((column) => (
                <td key={column.key} class={column.number ? "number" : undefined}>
                  {column.show(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
