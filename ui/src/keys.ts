// The keyboard: the page on screen lays its keys over the ones that work everywhere. Keys are `event.key` values.
import { useLayoutEffect } from "preact/hooks";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const layers: Keys[] = [];
let prefix: { key: string; at: number } | null = null;
const PREFIX_MS = 1500;

/** A layout effect: the next key, however soon, must meet the page as the last one left it. */
export function useKeys(keys: Keys): void {
  useLayoutEffect(() => {
    layers.push(keys);
    return () => void layers.splice(layers.indexOf(keys), 1);
  });
}

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));

/** Enter and Space belong to the button or link that has the focus. */
const ownsEnter = (target: EventTarget | null): boolean => target instanceof HTMLElement && /^(a|button|summary)$/i.test(target.tagName);

export function startKeys(everywhere: Keys): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target)) {
      if (event.key !== "Escape") return;
      // Leaves the field; the browser's own Escape would empty it on screen and leave the URL as it is.
      event.preventDefault();
      (event.target as HTMLElement).blur();
      return;
    }
    if (document.querySelector("dialog[open]")) return; // its own keys: Escape closes it
    if ((event.key === "Enter" || event.key === " ") && ownsEnter(event.target)) return;
    const combined = prefix && event.timeStamp - prefix.at < PREFIX_MS ? `${prefix.key} ${event.key}` : event.key;
    prefix = null;
    const found = [everywhere, ...layers].reverse().find((keys) => keys[combined])?.[combined];
    if (found) {
      event.preventDefault();
      found(event);
    } else if (event.key === "g") prefix = { key: "g", at: event.timeStamp };
  });
}

/** j and k on lists: the focus moves along the rows' links, so Enter and the screen reader work by themselves. */
export function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row-link]")];
  if (rows.length === 0) return;
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = rows[at < 0 ? (step === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
