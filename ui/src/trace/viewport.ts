// The part of the trace's time on screen: nanoseconds from its start. Pure arithmetic, kept in the URL as `zoom=a-b`.

export interface Zoom {
  from: number;
  to: number;
}

/** Closer than this a bar says nothing more. */
const NARROWEST_NS = 20;

export function parseZoom(param: string | null, total: number): Zoom {
  const match = /^(\d+)-(\d+)$/.exec(param ?? "");
  return match ? clampZoom({ from: Number(match[1]), to: Number(match[2]) }, total) : { from: 0, to: total };
}

export function zoomParam(zoom: Zoom, total: number): string | null {
  const [from, to] = [Math.round(zoom.from), Math.round(zoom.to)];
  return from <= 0 && to >= total ? null : `${from}-${to}`;
}

export function clampZoom(zoom: Zoom, total: number): Zoom {
  const narrowest = Math.min(NARROWEST_NS, total);
  const width = Math.min(total, Math.max(narrowest, zoom.to - zoom.from));
  const from = Math.min(Math.max(0, zoom.from), total - width);
  return { from, to: from + width };
}

/** `factor` below 1 goes closer; the moment `at` stays where it is on screen. */
export function zoomAround(zoom: Zoom, factor: number, at: number, total: number): Zoom {
  const width = Math.max(Math.min(NARROWEST_NS, total), (zoom.to - zoom.from) * factor);
  const share = (at - zoom.from) / (zoom.to - zoom.from);
  return clampZoom({ from: at - share * width, to: at + (1 - share) * width }, total);
}

export function panBy(zoom: Zoom, share: number, total: number): Zoom {
  const by = (zoom.to - zoom.from) * share;
  const width = zoom.to - zoom.from;
  const from = Math.min(Math.max(0, zoom.from + by), total - width);
  return { from, to: from + width };
}

/** A span with a little air on both sides. */
export function zoomToSpan(start: number, duration: number, total: number): Zoom {
  const air = Math.max(duration * 0.1, NARROWEST_NS / 4);
  return clampZoom({ from: start - air, to: start + duration + air }, total);
}
