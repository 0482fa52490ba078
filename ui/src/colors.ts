// A service has one colour, by its name, on every page. Reds are kept for errors.

const HUES = [205, 145, 285, 70, 180, 325, 255, 110, 230, 165, 305, 90, 195, 270, 130];

export function slotOf(name: string): number {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  return (hash >>> 4) % HUES.length;
}

/** Slots for the services of one trace: the own one when it is free, else the next free one. */
export function assignSlots(names: string[]): number[] {
  const taken = new Set<number>();
  return names.map((name) => {
    const wanted = slotOf(name);
    if (taken.size >= HUES.length) return wanted;
    let slot = wanted;
    while (taken.has(slot)) slot = (slot + 1) % HUES.length;
    taken.add(slot);
    return slot;
  });
}

export function slotColor(slot: number, dark: boolean): string {
  const hue = HUES[slot % HUES.length];
  const light = (slot & 1 ? 0.62 : 0.56) + (dark ? 0.12 : 0);
  return `oklch(${light} ${dark ? 0.11 : 0.12} ${hue})`;
}

export const serviceColor = (name: string, dark: boolean): string => slotColor(slotOf(name), dark);
