// What was an hour, a day and a week before, beside what is.
import type { Figures, Was } from "../types";
import type { Column } from "./sorttable";

/** "2.3% an hour ago, 0% a day ago"; what was not stored then is left out. */
export function past(was: Was | undefined, show: (figures: Figures) => string): string {
  const { hour, day, week } = was ?? {};
  const all: [string, Figures | undefined][] = [["an hour", hour], ["a day", day], ["a week", week]];
  return all.flatMap(([name, figures]) => (figures ? [`${show(figures)} ${name} ago`] : [])).join(", ");
}

/** The column beside a figure: the same an hour ago; day and week on hover. */
export function wasColumn<T extends { was?: Was }>(key: string, by: (figures: Figures) => number | null, show: (value: number | null) => string): Column<T> {
  const hour = (row: T) => (row.was?.hour ? by(row.was.hour) : null);
  return {
    key: `${key}-was`,
    name: "1 h ago",
    title: "The same window an hour ago; a day and a week ago on hover",
    number: true,
    by: hour,
    show: (row) => (
      <span class="dim" title={past(row.was, (figures) => show(by(figures)))}>
        {show(hour(row))}
      </span>
    ),
  };
}
