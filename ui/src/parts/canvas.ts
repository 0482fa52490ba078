// A canvas has the width it has on the page, followed as it changes, and as many pixels as the screen.
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

/** Gives the canvas the pixels of the screen; the drawing units stay CSS pixels. */
export function prepare(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  context?.clearRect(0, 0, width, height);
  return context;
}
