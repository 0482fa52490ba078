// Search: what must hold on one span, what must hold on the whole trace, and the traces for which both do.
import { useEffect, useState } from "preact/hooks";
import { refresh, request, useGet } from "../api";
import { apiQuery, parseMs, SINGLE, type SingleName } from "../filter";
import { count } from "../format";
import { LoadMore } from "../parts/loadmore";
import { Incomplete, Problem } from "../parts/notes";
import { RangePicker } from "../parts/pickers";
import { usePager } from "../parts/pager";
import { Scatter } from "../parts/scatter";
import { TraceList } from "../parts/tracelist";
import { route, setParams } from "../router";
import type { OperationsAnswer, ServicesAnswer } from "../types";

const param = (name: SingleName): string => route.value.params.get(name) ?? "";
const set = (name: SingleName, value: string): void => setParams({ [name]: value.trim() || null }, "push");

function TextField({ name, label, list, placeholder }: { name: SingleName; label: string; list?: string; placeholder?: string }) {
  return (
    <label class="field">
      {label}
      <input key={param(name)} defaultValue={param(name)} list={list} placeholder={placeholder} autocomplete="off" spellcheck={false} onChange={(event) => set(name, event.currentTarget.value)} />
    </label>
  );
}

/** A duration with a unit; the URL and the API hold milliseconds. */
function DurationField({ name, label }: { name: SingleName; label: string }) {
  const [bad, setBad] = useState(false);
  return (
    <label class="field">
      {label}
      <input
        key={param(name)}
        defaultValue={param(name) && `${param(name)}ms`}
        placeholder="500ms"
        autocomplete="off"
        aria-invalid={bad}
        onChange={(event) => {
          const text = event.currentTarget.value.trim();
          const ms = text === "" ? null : parseMs(text);
          setBad(text !== "" && ms === null);
          if (text === "" || ms !== null) set(name, ms === null ? "" : String(ms));
        }}
      />
      {bad && <small class="bad">A number and a unit: 20us, 500ms, 1.5s, 2m</small>}
    </label>
  );
}

function ChoiceField({ name, label, choices }: { name: SingleName; label: string; choices: [string, string][] }) {
  return (
    <label class="field">
      {label}
      <select value={param(name)} onChange={(event) => set(name, event.currentTarget.value)}>
        {choices.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

const DEBOUNCE_MS = 60;

/** Keys while a key is typed, `key=value` once there is a `=`; answers to older questions are dropped. */
function useTagCompletion(text: string): string[] {
  const [list, setList] = useState<string[]>([]);
  useEffect(() => {
    let current = true;
    const timer = setTimeout(async () => {
      const [, key, op, prefix] = /^([^=!~]+)(=|!=)(.*)$/.exec(text) ?? [];
      const query = new URLSearchParams({ prefix: key ? prefix : text, limit: "20" });
      try {
        const answer = await request<{ keys?: string[]; values?: string[] }>(key ? `/api/tags/${encodeURIComponent(key)}/values?${query}` : `/api/tags?${query}`);
        if (current) setList(key ? (answer.values ?? []).map((value) => `${key}${op}${value}`) : (answer.keys ?? []));
      } catch {
        if (current) setList([]); // completion is a help; the search itself will say what is wrong
      }
    }, DEBOUNCE_MS);
    return () => ((current = false), clearTimeout(timer));
  }, [text]);
  return list;
}

function Tags() {
  const tags = route.value.params.getAll("tag");
  const [text, setText] = useState("");
  const [focused, setFocused] = useState(false);
  const list = useTagCompletion(focused ? text : "");
  const add = () => {
    if (!text.trim()) return;
    setParams({ tag: [...tags, text.trim()] }, "push");
    setText("");
  };
  return (
    <div class="field">
      <label for="tag">Tags</label>
      {tags.length > 0 && (
        <ul class="tag-list">
          {tags.map((tag, at) => (
            <li key={`${at} ${tag}`}>
              <code>
                <bdi>{tag}</bdi>
              </code>
              <button type="button" class="quiet small" aria-label={`Remove the tag filter ${tag}`} onClick={() => setParams({ tag: tags.filter((_one, other) => other !== at) }, "push")}>
                ✕
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="with-button">
        <input
          id="tag"
          value={text}
          list="tag-completions"
          placeholder="key=value"
          autocomplete="off"
          spellcheck={false}
          onFocus={() => setFocused(true)}
          onBlur={() => setFocused(false)}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Enter" && (event.preventDefault(), add())}
        />
        <button type="button" onClick={add}>
          Add
        </button>
      </div>
      <small>key=value, key!=value, key~=regex, or a key alone</small>
      <datalist id="tag-completions">
        {list.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </div>
  );
}

const CLEARED = Object.fromEntries([...SINGLE, "tag", "from", "to"].map((name) => [name, null]));

function Filters() {
  const service = param("service");
  const services = useGet<ServicesAnswer>("/api/services?window=5m");
  const operations = useGet<OperationsAnswer>(service ? `/api/services/${encodeURIComponent(service)}/operations?window=5m` : null);
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <fieldset>
        <legend>One span has all of</legend>
        <TextField name="service" label="Service" list="services" placeholder="any" />
        <TextField name="operation" label="Operation" list="operations" placeholder="any" />
        <ChoiceField name="span_error" label="This span failed" choices={[["", "any"], ["true", "yes"], ["false", "no"]]} />
        <div class="pair">
          <DurationField name="min_span_duration_ms" label="Span at least" />
          <DurationField name="max_span_duration_ms" label="Span at most" />
        </div>
        <Tags />
      </fieldset>
      <fieldset>
        <legend>The whole trace has</legend>
        <ChoiceField name="error" label="An error in any span" choices={[["", "any"], ["true", "yes"], ["false", "no, none"]]} />
        <ChoiceField name="status" label="Status" choices={[["", "any"], ["ok", "ok"], ["error", "error"], ["partial", "partial"]]} />
        <div class="pair">
          <DurationField name="min_duration_ms" label="Trace at least" />
          <DurationField name="max_duration_ms" label="Trace at most" />
        </div>
      </fieldset>
      <button type="button" class="quiet" onClick={() => setParams(CLEARED, "push")}>
        Clear all filters
      </button>
      <datalist id="services">
        {(services.data?.services ?? []).map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <datalist id="operations">
        {(operations.data?.operations ?? []).map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </form>
  );
}

/** What keeps a search from finding anything, most likely first. */
function NothingFound() {
  const { params } = route.value;
  const hints = [
    params.get("from") && "The time range counts the trace's start; try All time.",
    params.get("span_error") === "true" && params.get("service") && "“This span failed” asks for an error of this very service; “An error in any span” also finds errors below it.",
    params.getAll("tag").length > 1 && "All tags must be on one and the same span.",
    params.get("operation") && "Operation names are exact.",
  ].filter(Boolean);
  return (
    <div class="quiet-text">
      <p>
        <strong>No trace matches.</strong>
      </p>
      {hints.length > 0 && (
        <ul>
          {hints.map((hint) => (
            <li key={hint}>{hint}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

const spanConditions = (params: URLSearchParams): boolean =>
  ["service", "operation", "min_span_duration_ms", "max_span_duration_ms", "tag"].some((name) => params.has(name)) && params.get("error") !== "true" && params.get("span_error") !== "true";

export default function Search() {
  const { params } = route.value;
  const url = `/api/traces?${apiQuery(params, { limit: "50" })}`;
  const found = usePager(url);
  document.title = "Search · Tracewell";
  return (
    <div class="page search">
      <Filters />
      <div class="results">
        <div class="page-head">
          <h1>Search</h1>
          <span class="dim" role="status">
            {found.traces ? `${count(found.traces.length)}${found.hasMore ? "+" : ""} ${found.traces.length === 1 ? "trace" : "traces"}` : ""}
          </span>
          <span class="grow" />
          <RangePicker />
          <label class="field-inline">
            <span>Order</span>
            <select value={param("order") || "newest"} onChange={(event) => set("order", event.currentTarget.value === "newest" ? "" : event.currentTarget.value)}>
              <option value="newest">newest first</option>
              <option value="slowest">slowest first</option>
            </select>
          </label>
          <button type="button" title="Search again" onClick={() => void refresh(url)}>
            Refresh
          </button>
        </div>
        <Problem error={found.error} retry={() => void refresh(url)} />
        <Incomplete answer={found.answer} />
        {!found.traces && !found.error && <p class="loading">Searching…</p>}
        {found.traces && found.traces.length > 0 && (
          <section class="panel">
            {found.traces.length > 1 && <Scatter hits={found.traces} />}
            <TraceList hits={found.traces} caption="Found traces" toMatch={spanConditions(params)} relative={false} />
            <LoadMore found={found} />
          </section>
        )}
        {found.traces?.length === 0 && (
          <section class="panel">
            <NothingFound />
          </section>
        )}
      </div>
    </div>
  );
}
