// Rows of one height in a scroll box: which are on screen is a division. Beyond the height a browser can lay out
// (1,000,000 rows) the scroll bar stands for more than its pixels.
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";

const TALLEST_PX = 8_000_000;

export interface Virtual {
  box: (element: HTMLElement | null) => void;
  onScroll: () => void;
  /** Height of the element that gives the scroll bar its length. */
  spacer: number;
  height: number;
  first: number;
  last: number;
  /** Pixels of the first row that are scrolled away. */
  shift: number;
  show: (place: number) => void;
}

export function useVirtual(count: number, rowHeight: number): Virtual {
  const element = useRef<HTMLElement | null>(null);
  const [scrolled, setScrolled] = useState(0);
  const [height, setHeight] = useState(0);
  const whole = count * rowHeight;
  const spacer = Math.min(whole, TALLEST_PX);
  const scale = spacer > height ? Math.max(1, (whole - height) / (spacer - height)) : 1;
  const box = useCallback((next: HTMLElement | null) => (element.current = next), []);
  useLayoutEffect(() => {
    const now = element.current;
    if (!now) return;
    const watcher = new ResizeObserver(() => setHeight(now.clientHeight));
    watcher.observe(now);
    setHeight(now.clientHeight);
    return () => watcher.disconnect();
  }, []);
  const top = Math.min(scrolled * scale, Math.max(0, whole - height));
  const first = Math.floor(top / rowHeight);
  const show = (place: number) => {
    const now = element.current;
    if (!now || place < 0) return;
    const y = place * rowHeight;
    const seen = now.clientHeight;
    const at = now.scrollTop * scale;
    if (y >= at && y + rowHeight <= at + seen) return;
    // A neighbour comes just into view; a far row is put where the eye is.
    const near = y + rowHeight > at + seen && y < at + seen + 3 * rowHeight ? y + rowHeight - seen : y < at && y > at - 3 * rowHeight ? y : y - seen / 3;
    now.scrollTop = Math.max(0, near) / scale;
    setScrolled(now.scrollTop);
  };
  return {
    box,
    onScroll: () => element.current && setScrolled(element.current.scrollTop),
    spacer,
    height,
    first,
    last: Math.min(count, Math.ceil((top + height) / rowHeight)),
    shift: top - first * rowHeight,
    show,
  };
}
