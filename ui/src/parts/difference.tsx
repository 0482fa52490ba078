// What differs between two sets of spans: attribute values by how much more often they are in the first, counted exactly.
import { useState } from "preact/hooks";
import { refresh, useGet } from "../api";
import { filterOf } from "../filter";
import { count, percent, plural } from "../format";
import { stringifyExact } from "../json";
import { href } from "../router";
import type { DifferenceAnswer, DifferentValue, SpanQuery } from "../types";
import { CopyButton, Part } from "./bits";
import { Incomplete, Lacking } from "./notes";

const SHOWN = 12;

/** The first answer is of what the server can count in this time; then it is asked for everything. */
const FIRST_MS = 250;

/** The key of the cache: a POST with this body. */
export const differenceKey = (a: SpanQuery, b: SpanQuery | null, within_ms?: number): string => `/api/difference\n${stringifyExact({ a, b, ...(within_ms ? { within_ms } : {}) })}`;

/** A first answer soon, and exact counts when they are there. */
function useDifference(a: SpanQuery, b: SpanQuery | null) {
  const [soon, all] = [differenceKey(a, b, FIRST_MS), differenceKey(a, b)];
  const first = useGet<DifferenceAnswer>(soon, { keep: true });
  const isPart = first.data?.complete === false;
  const exact = useGet<DifferenceAnswer>(isPart ? all : null, { keep: true });
  return { data: exact.data ?? first.data, error: exact.error ?? first.error, isPart: isPart && !exact.data, retry: () => void refresh(isPart ? all : soon) };
}

/** The same conditions as the address of /search has them. */
export const asSearch = (query: SpanQuery): Record<string, string> =>
  Object.fromEntries(Object.entries(query).map(([key, value]) => [key === "start" ? "from" : key === "end" ? "to" : key, String(value)]));

/** The second set without the first, which is in it: then the counts are of the rest. */
export function withoutFirst(answer: DifferenceAnswer): DifferenceAnswer {
  return { ...answer, n_b: answer.n_b - answer.n_a, attributes: answer.attributes.map((one) => ({ ...one, b: one.b - one.a })) };
}

/** What every span has is asked for by its own name; a kind or a band of durations cannot be. */
function conditions({ key, value, source }: DifferentValue): { has: Record<string, string>; hasNot: Record<string, string> | null } | null {
  if (source === "field") return key === "service" || key === "operation" ? { has: { [key]: value }, hasNot: null } : null;
  const tag = filterOf(key, value);
  return tag === null ? null : { has: { tag }, hasNot: { tag: `${key}!=${value}` } };
}

function Row({ one, answer, search }: { one: DifferentValue; answer: DifferenceAnswer; search: Record<string, string> }) {
  const asked = conditions(one);
  const [a, b] = [one.a / Math.max(1, answer.n_a), one.b / Math.max(1, answer.n_b)];
  return (
    <tr>
      <td class="name" title={one.value.length > 60 ? one.value : undefined}>
        {asked ? (
          <a href={href("/search", { ...search, ...asked.has })} data-row-link="" title="Search for traces with it">
            <bdi class="dim">{one.key}</bdi> <bdi>{one.value}</bdi>
          </a>
        ) : (
          <span>
            <bdi class="dim">{one.key}</bdi> <bdi>{one.value}</bdi>
          </span>
        )}
      </td>
      <td title={`${count(one.a)} of ${count(answer.n_a)}`}>
        <Part share={a} kind="a" />
      </td>
      <td title={`${count(one.b)} of ${count(answer.n_b)}`}>
        <Part share={b} kind="b" />
      </td>
      <td class="number nowrap">
        {asked?.hasNot && (
          <a class="button quiet small" href={href("/search", { ...search, ...asked.hasNot })} title="Search for traces without it">
            without
          </a>
        )}
        <CopyButton text={one.value} what={`value of ${one.key}`} />
      </td>
    </tr>
  );
}

interface Props {
  a: SpanQuery;
  /** Null is what else there is at the same place and time. */
  b: SpanQuery | null;
  /** `b` has all of `a`: what is shown is the rest. */
  overlaps?: boolean;
  /** What the two sets are called. */
  names: [string, string];
  /** Of /search, for the links. */
  search: Record<string, string>;
}

export function Difference({ a, b, overlaps, names, search }: Props) {
  const { data: answered, error, isPart, retry } = useDifference(a, b);
  const data = answered && overlaps ? withoutFirst(answered) : answered;
  const [all, setAll] = useState(false);
  if (error) return <Lacking what="differences" error={error} retry={retry} />;
  if (!data) return <p class="loading room">Comparing…</p>;
  const shown = all ? data.attributes : data.attributes.slice(0, SHOWN);
  return (
    <>
      {!isPart && <Incomplete answer={data} />}
      <p class="quiet-text" role="status">
        {plural(data.n_a, "span")} {names[0]}, {count(data.n_b)} {names[1]}
        {isPart && ` so far${data.sampled !== null && data.sampled < 1 ? `, in ${percent(data.sampled)} of all` : ""}; counting the rest…`}
      </p>
      {data.attributes.length === 0 ? (
        <p class="quiet-text">{data.n_a === 0 ? "No span is in it: nothing to compare." : "No attribute differs."}</p>
      ) : (
        <div class="table-scroll" tabIndex={0} role="group" aria-label="What differs">
          <table class="difference">
            <caption class="unseen">What differs, most first</caption>
            <thead>
              <tr>
                <th scope="col">Attribute</th>
                <th scope="col">{names[0]}</th>
                <th scope="col">{names[1]}</th>
                <th scope="col">
                  <span class="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((one) => (
                <Row key={`${one.source}\n${one.key}\n${one.value}`} one={one} answer={data} search={search} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {data.left_out.length > 0 && (
        <p class="quiet-text">
          Left out, for too many values: <bdi>{data.left_out.join(", ")}</bdi>
        </p>
      )}
      {data.attributes.length > shown.length && (
        <p class="table-foot">
          <button type="button" class="quiet small" onClick={() => setAll(true)}>
            Show all {count(data.attributes.length)}
          </button>
        </p>
      )}
    </>
  );
}
