// The waterfall: labels are DOM rows (only those on screen), bars are one canvas beside them. Keys live in the page.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { count, duration, ticks } from "../format";
import { slotColor } from "../colors";
import { useWidth } from "../parts/canvas";
import type { CriticalPath } from "./critical";
import { errorsBelow, FLAG, isError, KINDS, placeOf, type TraceModel } from "./model";
import { paintRows, ROW } from "./paint";
import { useVirtual } from "./virtual";
import { clampZoom, panBy, zoomAround, type Zoom } from "./viewport";

export interface WaterfallProps {
  model: TraceModel;
  visible: Int32Array;
  closed: ReadonlySet<number>;
  zoom: Zoom;
  cursor: number;
  hit: Uint8Array | null;
  critical: CriticalPath;
  slots: number[];
  dark: boolean;
  onSelect: (row: number) => void;
  onToggle: (row: number) => void;
  onZoom: (zoom: Zoom) => void;
  /** To the first error folded away under a row. */
  onJumpBelow: (row: number) => void;
}

const INDENT = 12;
const INDENTS_MAX = 14;

interface LabelProps {
  model: TraceModel;
  row: number;
  closed: boolean;
  indent: number;
  selected: boolean;
  hit: boolean;
  color: string;
}

function Label({ model, row, closed, indent, selected, hit, color }: LabelProps) {
  const service = model.services[model.service[row]];
  const operation = model.operations[model.operation[row]];
  const failed = isError(model, row);
  const orphan = (model.flags[row] & FLAG.orphan) !== 0;
  const because = orphan && model.missingBecause[model.missingParent[row]];
  const below = closed ? errorsBelow(model, row) : 0;
  const parent = model.size[row] > 1;
  return (
    <div
      role="treeitem"
      id={`row-${row}`}
      data-row={row}
      class={`wf-row${selected ? " selected" : ""}${hit ? " hit" : ""}${orphan ? " orphan" : ""}${failed ? " failed" : ""}`}
      aria-level={model.depth[row] + 1}
      aria-selected={selected}
      aria-expanded={parent ? !closed : undefined}
      aria-description={`${duration(model.duration[row])}${failed ? ", error" : ""}${below > 0 ? `, ${below} errors inside` : ""}`}
      title={`${service} · ${operation}${KINDS[model.kind[row]] ? ` (${KINDS[model.kind[row]]})` : ""}`}
      style={{ paddingLeft: `${6 + indent * INDENT}px` }}
    >
      <span class="toggle" data-toggle={parent ? "" : undefined} aria-hidden="true">
        {parent ? (closed ? "▸" : "▾") : ""}
      </span>
      <span class="swatch" style={{ background: color }} aria-hidden="true" />
      {orphan && (
        <span class="gap">parent missing{because && ` – ${because}`}</span>
      )}
      {failed && (
        <span class="mark" aria-hidden="true">
          !
        </span>
      )}
      {below > 0 && (
        <span class="mark hollow" data-jump="" aria-hidden="true">
          {below}
        </span>
      )}
      <bdi class="service">{service}</bdi>
      <bdi class="operation">{operation || "(no name)"}</bdi>
    </div>
  );
}

function Axis({ zoom, marks, width, total }: { zoom: Zoom; marks: number[]; width: number; total: number }) {
  const scale = width / (zoom.to - zoom.from);
  return (
    <div class="wf-axis" aria-hidden="true">
      {marks.map((mark) => {
        const x = (mark - zoom.from) * scale;
        return x > width - 40 && mark < total ? null : (
          <span key={mark} style={{ transform: `translateX(${x}px)${x > width - 60 ? " translateX(-100%)" : ""}` }}>
            {mark === 0 ? "0" : duration(mark)}
          </span>
        );
      })}
    </div>
  );
}

interface Drag {
  x0: number;
  x1: number;
}

export function Waterfall(props: WaterfallProps) {
  const { model, visible, closed, zoom, cursor, hit, critical, slots, dark, onZoom } = props;
  const rows = useVirtual(visible.length, ROW);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(canvas);
  const [hover, setHover] = useState(-1);
  const [drag, setDrag] = useState<Drag | null>(null);
  const place = cursor < 0 ? -1 : placeOf(visible, cursor);
  const total = model.durationNs;
  const marks = width > 0 ? ticks(zoom.from, zoom.to, Math.max(2, Math.floor(width / 120))) : [];

  useLayoutEffect(() => rows.show(place), [place, rows.height > 0]);

  useLayoutEffect(() => {
    if (!canvas.current || width === 0) return;
    const { first, last, shift } = rows;
    const boxes = paintRows(canvas.current, width, rows.height, { model, visible, first, last, shift, zoom, marks, cursor, hover, hit, critical, slots, dark });
    const counters = (window as { __tracewell?: { boxes: number; rows: number } }).__tracewell;
    if (counters) Object.assign(counters, { boxes, rows: last - first });
  });

  // Wheel needs a listener that may prevent the page's own zoom.
  const latest = useRef({ zoom, total, width, onZoom });
  latest.current = { zoom, total, width, onZoom };
  useEffect(() => {
    const now = canvas.current;
    const wheel = (event: WheelEvent) => {
      const { zoom: seen, total: all, width: wide, onZoom: change } = latest.current;
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const at = seen.from + (event.offsetX / wide) * (seen.to - seen.from);
        change(zoomAround(seen, Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.005), at, all));
      } else if (sideways !== 0) {
        event.preventDefault();
        change(panBy(seen, sideways / wide, all));
      }
    };
    now?.addEventListener("wheel", wheel, { passive: false });
    return () => now?.removeEventListener("wheel", wheel);
  }, []);

  const rowAt = (event: MouseEvent): number => visible[rows.first + Math.floor((event.offsetY + rows.shift) / ROW)] ?? -1;
  const finishDrag = (event: PointerEvent) => {
    if (drag && Math.abs(drag.x1 - drag.x0) > 4) {
      const at = (x: number) => zoom.from + (x / width) * (zoom.to - zoom.from);
      onZoom(clampZoom({ from: at(Math.min(drag.x0, drag.x1)), to: at(Math.max(drag.x0, drag.x1)) }, total));
    } else {
      const row = rowAt(event);
      if (row >= 0) props.onSelect(row);
    }
    setDrag(null);
  };

  const shown = Array.from(visible.subarray(rows.first, rows.last));
  const shallowest = shown.reduce((least, row) => Math.min(least, model.depth[row]), Number.MAX_SAFE_INTEGER);
  const base = Math.max(0, shallowest - 3);
  return (
    <div class="waterfall">
      <div class="wf-head">
        <div class="wf-label-head">{base > 0 ? `Span, from level ${count(base + 1)}` : "Span"}</div>
        <Axis zoom={zoom} marks={marks} width={width} total={total} />
      </div>
      <div class="wf-scroll" ref={rows.box} onScroll={rows.onScroll}>
        <div style={{ height: `${rows.spacer}px` }}>
          <div class="wf-sticky" style={{ height: `${rows.height}px` }}>
            <div
              class="wf-labels"
              role="tree"
              tabIndex={0}
              aria-label="Spans"
              aria-activedescendant={place >= rows.first && place < rows.last ? `row-${visible[place]}` : undefined}
              onClick={(event) => {
                const target = event.target as HTMLElement;
                const row = Number(target.closest<HTMLElement>("[data-row]")?.dataset.row ?? -1);
                if (row < 0) return;
                if (target.closest("[data-toggle]")) props.onToggle(row);
                else if (target.closest("[data-jump]")) props.onJumpBelow(row);
                else props.onSelect(row);
              }}
            >
              <div role="presentation" style={{ transform: `translateY(${-rows.shift}px)` }}>
                {shown.map((row) => (
                  <Label
                    key={row}
                    model={model}
                    row={row}
                    closed={closed.has(row)}
                    indent={Math.min(INDENTS_MAX, model.depth[row] - base)}
                    selected={row === cursor}
                    hit={hit !== null && hit[row] === 1}
                    color={slotColor(slots[model.service[row]], dark)}
                  />
                ))}
              </div>
            </div>
            <div class="wf-bars">
              <canvas
                ref={canvas}
                role="img"
                aria-label="Bars of the spans over time; the list beside it has the same spans"
                style={{ height: `${rows.height}px` }}
                onPointerDown={(event) => {
                  if (event.button !== 0) return;
                  event.currentTarget.setPointerCapture(event.pointerId);
                  setDrag({ x0: event.offsetX, x1: event.offsetX });
                }}
                onPointerMove={(event) => {
                  if (drag) setDrag({ ...drag, x1: Math.max(0, Math.min(width, event.offsetX)) });
                  else setHover(rowAt(event));
                }}
                onPointerLeave={() => setHover(-1)}
                onPointerUp={finishDrag}
                onPointerCancel={() => setDrag(null)}
              />
              {drag && Math.abs(drag.x1 - drag.x0) > 4 && (
                <div class="wf-drag" style={{ left: `${Math.min(drag.x0, drag.x1)}px`, width: `${Math.abs(drag.x1 - drag.x0)}px` }}>
                  {duration((Math.abs(drag.x1 - drag.x0) / width) * (zoom.to - zoom.from))}
                </div>
              )}
            </div>
          </div>
        </div>
      </div>
    </div>
  );
}
