// One trace: opens at the span where the failure began, and is moved through by keys. All state is in the URL.
import { useEffect, useLayoutEffect, useMemo } from "preact/hooks";
import { refresh, useGet, type ApiError } from "../api";
import { copy } from "../clipboard";
import { assignSlots, slotColor } from "../colors";
import { count, duration, instant, plural } from "../format";
import { useKeys, type Keys } from "../keys";
import type { PageProps } from "../main";
import { Badge, CopyButton, When } from "../parts/bits";
import { Incomplete, Problem } from "../parts/notes";
import { dark } from "../prefs";
import { address, href, route, setParams, withChanges } from "../router";
import { say } from "../shell/notices";
import { criticalPath, longestOnPath } from "../trace/critical";
import { Drawer } from "../trace/drawer";
import { find } from "../trace/find";
import { closedParam, parseClosed } from "../trace/folding";
import { keptBecause } from "../trace/kept";
import { Minimap } from "../trace/minimap";
import { buildModel, errorsBelow, nextOf, openTo, parseColumns, placeOf, rootCause, rowOfParam, rowsWithChildren, selfTimes, spanParam, visibleRows, type TraceModel } from "../trace/model";
import { panBy, parseZoom, zoomAround, zoomParam, zoomToSpan, type Zoom } from "../trace/viewport";
import { JsonView, ServicesView, TableView } from "../trace/views";
import { TypicalView } from "../trace/typical";
import { Waterfall } from "../trace/waterfall";
import { becameOf } from "../trace/missing";
import type { ColumnsAnswer, PartialReason } from "../types";

const VIEWS = ["waterfall", "table", "services", "typical", "json"] as const;
type View = (typeof VIEWS)[number];
const VIEW_NAMES: Partial<Record<View, string>> = { json: "JSON", typical: "Against typical" };

const currentView = (): View => VIEWS.find((view) => view === route.value.params.get("view")) ?? "waterfall";
const viewParam = (view: View): string | null => (view === "waterfall" ? null : view);

/** Everything derived from the columns; made once per answer. */
function useTrace(answer: ColumnsAnswer) {
  const model = useMemo(() => buildModel(answer), [answer]);
  const derived = useMemo(() => {
    const self = selfTimes(model);
    const counts = new Float64Array(model.services.length);
    for (let row = 0; row < model.count; row++) counts[model.service[row]]++;
    const busiest = model.services.map((_name, at) => at).sort((a, b) => counts[b] - counts[a] || (model.services[a] < model.services[b] ? -1 : 1));
    const slots: number[] = [];
    assignSlots(busiest.map((at) => model.services[at])).forEach((slot, at) => (slots[busiest[at]] = slot));
    const critical = criticalPath(model);
    return { self, slots, cause: rootCause(model), critical, longest: longestOnPath(model, critical) };
  }, [model]);
  return { model, ...derived };
}

/** What the keys and the mouse do; each is a change of the URL. */
function useActions(model: TraceModel, row: number, closed: ReadonlySet<number>, zoom: Zoom) {
  const select = (next: number, open = false) => {
    if (next < 0 || next >= model.count) return;
    setParams({ span: spanParam(model, next), closed: closedParam(openTo(model, closed, next), model), ...(open ? { panel: null } : {}) });
  };
  const fold = (next: ReadonlySet<number>) => setParams({ closed: closedParam(next, model) });
  const setZoom = (next: Zoom) => setParams({ zoom: zoomParam(next, model.durationNs) });
  const toggle = (at: number) => {
    const next = new Set(closed);
    if (!next.delete(at)) next.add(at);
    fold(next);
  };
  const middle = row >= 0 && model.start[row] >= zoom.from && model.start[row] <= zoom.to ? Math.min(model.start[row] + model.duration[row] / 2, zoom.to) : (zoom.from + zoom.to) / 2;
  return { select, fold, setZoom, toggle, middle };
}

interface KeyContext {
  model: TraceModel;
  row: number;
  visible: Int32Array;
  closed: ReadonlySet<number>;
  zoom: Zoom;
  found: Int32Array;
  criticalRows: Int32Array;
  actions: ReturnType<typeof useActions>;
}

function jump(rows: Int32Array, context: KeyContext, step: 1 | -1, none: string): void {
  const next = nextOf(rows, context.row, step);
  if (next < 0) return say(none);
  context.actions.select(next);
  if (rows.length === 1 && next === context.row) say("There is only this one");
}

function keysOf(context: KeyContext): Keys {
  const { model, row, visible, closed, zoom, actions } = context;
  const total = model.durationNs;
  const step = (by: number) => actions.select(visible[Math.min(visible.length - 1, Math.max(0, (row < 0 ? -1 : placeOf(visible, row)) + by))]);
  const page = 20;
  return {
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    PageDown: () => step(page),
    PageUp: () => step(-page),
    Home: () => actions.select(visible[0]),
    End: () => actions.select(visible[visible.length - 1]),
    h: () => (row >= 0 && model.size[row] > 1 && !closed.has(row) ? actions.toggle(row) : row >= 0 && actions.select(model.parent[row])),
    l: () => row >= 0 && (closed.has(row) ? actions.toggle(row) : model.size[row] > 1 && actions.select(row + 1)),
    ArrowLeft: () => keysOf(context).h(new KeyboardEvent("keydown")),
    ArrowRight: () => keysOf(context).l(new KeyboardEvent("keydown")),
    H: () => {
      const all = rowsWithChildren(model);
      setParams({ closed: closedParam(all, model), span: row >= 0 ? spanParam(model, visibleRows(model, all)[Math.max(0, placeOf(visibleRows(model, all), row))]) : null });
    },
    L: () => actions.fold(new Set()),
    p: () => row >= 0 && (model.parent[row] >= 0 ? actions.select(model.parent[row]) : say("This span has no parent here")),
    e: () => jump(model.errors, context, 1, "No errors in this trace"),
    E: () => jump(model.errors, context, -1, "No errors in this trace"),
    c: () => jump(context.criticalRows, context, 1, "No critical path"),
    C: () => jump(context.criticalRows, context, -1, "No critical path"),
    o: () => jump(model.orphans, context, 1, "No orphans: every parent is here"),
    n: () => jump(context.found, context, 1, "Nothing found; f to find"),
    N: () => jump(context.found, context, -1, "Nothing found; f to find"),
    f: () => document.querySelector<HTMLInputElement>("#find")?.focus(),
    w: () => actions.setZoom(zoomAround(zoom, 0.6, actions.middle, total)),
    s: () => actions.setZoom(zoomAround(zoom, 1 / 0.6, actions.middle, total)),
    a: () => actions.setZoom(panBy(zoom, -0.2, total)),
    d: () => actions.setZoom(panBy(zoom, 0.2, total)),
    z: () => row >= 0 && actions.setZoom(zoomToSpan(model.start[row], model.duration[row], total)),
    "0": () => setParams({ zoom: null }),
    Enter: () => row >= 0 && setParams({ panel: null }),
    Escape: () => setParams({ panel: "0" }),
    v: () => setParams({ view: viewParam(VIEWS[(VIEWS.indexOf(currentView()) + 1) % VIEWS.length]) }),
    x: () => setParams({ view: currentView() === "typical" ? null : "typical" }),
    y: () => void copy(address(), "link"),
    t: () => void copy(model.traceId, "trace id"),
  };
}

/** For a chat or an incident's notes. Backticks keep names from being read as Markdown. */
function summary(answer: ColumnsAnswer, model: TraceModel, cause: number): string {
  const name = (row: number): string => `\`${`${model.services[model.service[row]]} ${model.operations[model.operation[row]]}`.replaceAll("`", "'")}\``;
  const root = answer.root >= 0 ? name(answer.root) : "root span missing";
  return [
    `**${root}** ${duration(answer.duration_ns)}, ${plural(answer.span_count, "span")}, ${plural(model.services.length, "service")}, ${plural(answer.error_count, "error")}, ${answer.status}`,
    `- started ${instant(answer.start_time_unix_ns, "utc", "ms")} UTC`,
    ...(cause >= 0 ? [`- failure began in ${name(cause)} after ${duration(model.start[cause])}`] : []),
    ...answer.partial_reasons.slice(0, 5).map((reason) => `- partial: ${reason.detail}`),
    `- ${address()}`,
  ].join("\n");
}

/** "checkout: its process died; cart: still arriving", each once. */
function headline(reasons: PartialReason[]): string {
  const said = reasons.map(({ service, parent_span_id, reason, detail }) =>
    parent_span_id === null ? detail : becameOf({ service, reason }),
  );
  return [...new Set(said)].slice(0, 3).join("; ");
}

function Partial({ answer, onOrphan }: { answer: ColumnsAnswer; onOrphan: () => void }) {
  const reasons = answer.partial_reasons;
  if (reasons.length === 0 && answer.warnings.length === 0 && answer.status !== "partial") return null;
  return (
    <details class="note warn partial-note" open={reasons.length > 0 || answer.status === "partial"}>
      <summary>
        <strong>{answer.status === "partial" ? "This trace is partial" : "Remarks"}</strong> <bdi>{headline(reasons)}</bdi>
      </summary>
      <ul>
        {reasons.slice(0, 5).map((reason, at) => (
          <li key={at}>
            {reason.parent_span_id !== null && (
              <>
                Span <code>{reason.parent_span_id}</code>,{" "}
              </>
            )}
            <bdi>{reason.detail}</bdi>
            {reason.instance !== null && (
              <>
                {" "}
                (<code>{reason.instance}</code>
                {reason.at !== null && (
                  <>
                    , <When ns={reason.at} />
                  </>
                )}
                )
              </>
            )}
          </li>
        ))}
        {reasons.length > 5 && <li>and {count(reasons.length - 5)} more</li>}
        {answer.warnings.slice(0, 5).map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
      {answer.missing_parents.length > 0 && (
        <button type="button" onClick={onOrphan}>
          Next orphan <kbd>o</kbd>
        </button>
      )}
    </details>
  );
}

interface HeadProps {
  answer: ColumnsAnswer;
  model: TraceModel;
  cause: number;
  longest: ReturnType<typeof longestOnPath>;
  onSelect: (row: number) => void;
  onReload: () => void;
}

function Head({ answer, model, cause, longest, onSelect, onReload }: HeadProps) {
  const root = answer.root;
  const kept = keptBecause(answer.kept_because);
  const name = (row: number) => (
    <>
      <bdi class="service">{model.services[model.service[row]]}</bdi> <bdi>{model.operations[model.operation[row]] || "(no name)"}</bdi>
    </>
  );
  return (
    <div class="trace-head">
      <div class="trace-title">
        <h1>{root >= 0 ? name(root) : "Root span missing"}</h1>
        <Badge status={answer.status} />
        <span class="grow" />
        <code class="trace-id" title="Trace ID">
          {answer.trace_id}
        </code>
        <CopyButton text={answer.trace_id} what="trace id" label="Copy ID" />
        <button type="button" class="quiet small" title="Copy a link to what you see (y)" onClick={() => void copy(address(), "link")}>
          Copy link
        </button>
        <button type="button" class="quiet small" title="Fetch the trace again: spans may have come since" onClick={onReload}>
          Reload
        </button>
      </div>
      <div class="trace-facts">
        <span>
          <b>{duration(answer.duration_ns)}</b>
        </span>
        <span>
          <b>{count(answer.span_count)}</b> {answer.span_count === 1 ? "span" : "spans"}
        </span>
        <span>
          <b>{count(model.services.length)}</b> {model.services.length === 1 ? "service" : "services"}
        </span>
        <span class={answer.error_count > 0 ? "bad" : undefined}>
          <b>{count(answer.error_count)}</b> {answer.error_count === 1 ? "error" : "errors"}
        </span>
        <span>
          <When ns={answer.start_time_unix_ns} /> <span class="dim">(<When ns={answer.start_time_unix_ns} relative />)</span>
        </span>
        {kept && (
          <span title={kept.long}>
            {answer.kept_because === null ? "Sampling: " : "Kept: "}
            <b>{kept.short}</b>
          </span>
        )}
        {cause >= 0 && (
          <button type="button" class="cause" onClick={() => onSelect(cause)} title="The deepest failing span with no failing child">
            <span class="mark" aria-hidden="true">
              !
            </span>
            Failure began in {name(cause)}
          </button>
        )}
        {longest && model.count > 1 && (
          <button type="button" class="slow-part" onClick={() => onSelect(longest.row)} title="Its own time on the critical path, which the whole waited for">
            <b>{duration(longest.ns)}</b> of {duration(longest.totalNs)} in {name(longest.row)}
          </button>
        )}
      </div>
    </div>
  );
}

function Toolbar({ hits, model, row, found }: { hits: number; model: TraceModel; row: number; found: Int32Array }) {
  const text = route.value.params.get("find") ?? "";
  const view = currentView();
  return (
    <div class="toolbar">
      <nav class="tabs" aria-label="Views of the trace">
        {VIEWS.map((one) => (
          <a key={one} href={href(route.value.path, withChanges(route.value.params, { view: viewParam(one) }))} aria-current={one === view ? "true" : undefined}>
            {VIEW_NAMES[one] ?? `${one[0].toUpperCase()}${one.slice(1)}`}
          </a>
        ))}
      </nav>
      <label class="find">
        <span class="unseen">Find by service, operation or span id</span>
        <input
          id="find"
          type="search"
          placeholder="Find service, operation, span id  (f)"
          value={text}
          onInput={(event) => setParams({ find: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            const next = nextOf(found, row, event.shiftKey ? -1 : 1);
            if (next >= 0) setParams({ span: spanParam(model, next), closed: closedParam(openTo(model, parseClosed(route.value.params.get("closed"), model), next), model) });
          }}
        />
      </label>
      <span class="dim" role="status">
        {text && (hits === 0 ? "nothing found" : plural(hits, "hit"))}
      </span>
      <span class="grow" />
      <span class="dim hints" aria-hidden="true">
        <kbd>e</kbd> next error <kbd>c</kbd> critical path <kbd>j</kbd>
        <kbd>k</kbd> move <kbd>z</kbd> zoom <kbd>?</kbd> keys
      </span>
    </div>
  );
}

function Loaded({ answer, onReload }: { answer: ColumnsAnswer; onReload: () => void }) {
  const { model, self, slots, cause, critical, longest } = useTrace(answer);
  const { params } = route.value;
  const row = rowOfParam(model, params.get("span"));
  const closed = useMemo(() => parseClosed(params.get("closed"), model), [params.get("closed"), model]);
  const visible = useMemo(() => visibleRows(model, closed), [model, closed]);
  const text = params.get("find") ?? "";
  const found = useMemo(() => find(model, text), [model, text]);
  const zoom = useMemo(() => parseZoom(params.get("zoom"), model.durationNs), [params.get("zoom"), model]);
  const actions = useActions(model, row, closed, zoom);
  const context: KeyContext = { model, row, visible, closed, zoom, found: found.rows, criticalRows: critical.rows, actions };
  useKeys({ ...keysOf(context), Y: () => void copy(summary(answer, model, cause), "summary") });
  // A failing trace opens where the failure began, unless the link says otherwise.
  useLayoutEffect(() => {
    if (cause >= 0 && !params.has("span")) actions.select(cause);
  }, [model]);
  useEffect(() => {
    if (params.get("span") && row < 0) say(`No span ${params.get("span")} in this trace`);
  }, [model]);
  const view = currentView();
  const look = { model, self, slots, dark: dark() };
  const hit = text ? found.hit : null;
  const drawer = row >= 0 && params.get("panel") !== "0" && view !== "json" && view !== "typical";
  return (
    <>
      <Head answer={answer} model={model} cause={cause} longest={longest} onSelect={(to) => actions.select(to, true)} onReload={onReload} />
      <Incomplete answer={answer} />
      <Partial answer={answer} onOrphan={() => jump(model.orphans, context, 1, "No orphans")} />
      <Toolbar hits={found.rows.length} model={model} row={row} found={found.rows} />
      {view === "waterfall" && <Minimap model={model} visible={visible} zoom={zoom} dark={look.dark} onZoom={actions.setZoom} />}
      <div class={`trace-body${drawer ? " with-drawer" : ""}`}>
        {view === "waterfall" && (
          <Waterfall
            {...look}
            visible={visible}
            closed={closed}
            zoom={zoom}
            cursor={row}
            hit={hit}
            critical={critical}
            onSelect={(to) => actions.select(to, true)}
            onToggle={actions.toggle}
            onZoom={actions.setZoom}
            onJumpBelow={(at) => errorsBelow(model, at) > 0 && actions.select(nextOf(model.errors, at, 1), true)}
          />
        )}
        {view === "table" && <TableView {...look} hit={hit} cursor={row} onSelect={(to) => actions.select(to, true)} />}
        {view === "services" && <ServicesView {...look} />}
        {view === "typical" && <TypicalView traceId={model.traceId} />}
        {view === "json" && <JsonView model={model} row={row} />}
        {drawer && <Drawer model={model} row={row} color={slotColor(slots[model.service[row]], look.dark)} onClose={() => setParams({ panel: "0" })} onStale={onReload} />}
      </div>
    </>
  );
}

function Failed({ id, error, retry }: { id: string; error: ApiError; retry: () => void }) {
  if (error.code !== "not_found") {
    return (
      <div class="page">
        <div class="page-head">
          <h1>This trace could not be opened</h1>
        </div>
        <Problem error={error} retry={retry} />
      </div>
    );
  }
  return (
    <div class="panel padded">
      <h1>Trace not found</h1>
      <p>
        No span of <code>{id}</code> is stored.
      </p>
      <ul>
        <li>It may still be on its way: SDKs send every few seconds.</li>
        <li>It may have been sampled out by its sender, or be older than what is kept.</li>
        <li>The id may be cut short: it has 32 hexadecimal digits (older Zipkin ones 16).</li>
      </ul>
      <button type="button" onClick={retry}>
        Look again
      </button>
    </div>
  );
}

export default function Trace({ rest }: PageProps) {
  const id = (rest[0] ?? "").toLowerCase();
  const url = `/api/traces/${encodeURIComponent(id)}?view=columns`;
  const { data, error } = useGet<ColumnsAnswer>(url, { parse: parseColumns });
  const reload = () => void refresh(url, parseColumns);
  const shown = data ? `${data.services[data.service[Math.max(0, data.root)]] ?? ""} ${data.operations[data.operation[Math.max(0, data.root)]] ?? ""}`.trim() : "";
  document.title = `${shown || id.slice(0, 16)} · Tracewell`;
  return (
    <div class="trace-page">
      {data ? <Loaded answer={data} onReload={reload} /> : error ? <Failed id={id} error={error} retry={reload} /> : <p class="loading">Loading the trace…</p>}
    </div>
  );
}
