// The width a canvas has on the page, followed as it changes: a drawing must have as many pixels.
import { useLayoutEffect, useState } from "preact/hooks";

export function useWidth(canvas: { current: HTMLCanvasElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const now = canvas.current;
    if (!now) return;
    const watcher = new ResizeObserver(() => setWidth(now.clientWidth));
    watcher.observe(now);
    setWidth(now.clientWidth);
    return () => watcher.disconnect();
  }, []);
  return width;
}
