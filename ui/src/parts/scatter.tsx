// Found traces by start and duration (logarithmic), errors in red; a click opens the nearest. The list below says the same in words.
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, duration } from "../format";
import { dark, now, zone } from "../prefs";
import { href, navigate } from "../router";
import type { TraceHit } from "../types";

const HEIGHT = 96;
const PAD = { left: 56, right: 12, top: 8, bottom: 18 };
const REACH = 14;

interface Dot {
  x: number;
  y: number;
  hit: TraceHit;
}

const msOf = (hit: TraceHit): number => Number(BigInt(hit.start_time_unix_ns) / 1000n) / 1000;

function place(hits: TraceHit[], width: number) {
  const times = hits.map(msOf);
  const longs = hits.map((hit) => Math.log10(Math.max(1, Number(hit.duration_ns))));
  const [t0, t1] = [Math.min(...times), Math.max(...times)];
  const [low, high] = [Math.min(...longs) - 0.1, Math.max(...longs) + 0.1];
  const dots: Dot[] = hits.map((hit, at) => ({
    hit,
    x: PAD.left + ((times[at] - t0) / Math.max(1, t1 - t0)) * (width - PAD.left - PAD.right),
    y: HEIGHT - PAD.bottom - ((longs[at] - low) / (high - low)) * (HEIGHT - PAD.top - PAD.bottom),
  }));
  return { dots, t0, t1, low, high };
}

function paint(canvas: HTMLCanvasElement, hits: TraceHit[], isDark: boolean): Dot[] {
  const width = canvas.clientWidth;
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  const context = canvas.getContext("2d");
  if (!context || hits.length === 0) return [];
  context.scale(ratio, ratio);
  const { dots, t0, t1, low, high } = place(hits, width);
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = isDark ? "#9aa6b5" : "#55606e";
  context.strokeStyle = isDark ? "#2a313c" : "#e1e5ea";
  context.textAlign = "right";
  for (let power = Math.ceil(low); power <= high; power++) {
    const y = HEIGHT - PAD.bottom - ((power - low) / (high - low)) * (HEIGHT - PAD.top - PAD.bottom);
    context.fillText(duration(10 ** power), PAD.left - 8, y + 4);
    context.beginPath();
    context.moveTo(PAD.left, y);
    context.lineTo(width - PAD.right, y);
    context.stroke();
  }
  const text = (ms: number) => clock(BigInt(Math.round(ms)) * 1_000_000n, zone.value, now.value);
  context.textAlign = "left";
  context.fillText(text(t0), PAD.left, HEIGHT - 4);
  context.textAlign = "right";
  context.fillText(text(t1), width - PAD.right, HEIGHT - 4);
  for (const dot of [...dots].sort((a, b) => a.hit.error_count - b.hit.error_count)) {
    const failed = dot.hit.error_count > 0;
    context.fillStyle = failed ? (isDark ? "#ff7b72" : "#c0281c") : isDark ? "#4fd1c5aa" : "#0f766eaa";
    context.beginPath();
    context.arc(dot.x, dot.y, failed ? 3.5 : 3, 0, 7);
    context.fill();
  }
  return dots;
}

export function Scatter({ hits }: { hits: TraceHit[] }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dots = useRef<Dot[]>([]);
  const [over, setOver] = useState<Dot | null>(null);
  const [width, setWidth] = useState(0);
  const isDark = dark();
  useEffect(() => {
    const watcher = new ResizeObserver(() => setWidth(canvas.current?.clientWidth ?? 0));
    if (canvas.current) watcher.observe(canvas.current);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (canvas.current) dots.current = paint(canvas.current, hits, isDark);
  }, [hits, width, isDark, zone.value]);
  const nearest = (event: MouseEvent): Dot | null => {
    let best: Dot | null = null;
    let reach = REACH;
    for (const dot of dots.current) {
      const away = Math.hypot(dot.x - event.offsetX, dot.y - event.offsetY);
      if (away < reach) [best, reach] = [dot, away];
    }
    return best;
  };
  return (
    <div class="scatter">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${hits.length} traces by start and duration`}
        style={{ height: `${HEIGHT}px`, cursor: over ? "pointer" : "default" }}
        onMouseMove={(event) => setOver(nearest(event))}
        onMouseLeave={() => setOver(null)}
        onClick={(event) => {
          const dot = nearest(event);
          if (dot) navigate(href(`/trace/${dot.hit.trace_id}`));
        }}
      />
      {over && (
        <span class="tip" style={{ left: `${Math.min(over.x, width - 240)}px`, top: `${over.y + 12}px` }}>
          {over.hit.root_service ?? "root span missing"} {over.hit.root_operation ?? ""} · {duration(over.hit.duration_ns)}
        </span>
      )}
    </div>
  );
}
