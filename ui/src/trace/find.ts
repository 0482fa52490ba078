// Find in a trace: the words are looked up in the dictionaries of names once, so the pass over the rows only compares numbers.
import type { TraceModel } from "./model";

export interface Found {
  rows: Int32Array;
  /** One byte a row, for painting. */
  hit: Uint8Array;
}

function matching(names: string[], word: string): Uint8Array {
  return Uint8Array.from(names, (name) => (name.toLowerCase().includes(word) ? 1 : 0));
}

/** Every word must be in the service or operation name, or begin the span id. */
export function find(model: TraceModel, text: string): Found {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hit = new Uint8Array(model.count);
  if (words.length === 0) return { rows: new Int32Array(0), hit };
  hit.fill(1);
  for (const word of words) {
    const service = matching(model.services, word);
    const operation = matching(model.operations, word);
    const maybeId = /^[0-9a-f]{4,16}$/.test(word);
    for (let row = 0; row < model.count; row++) {
      if (hit[row] === 0 || service[model.service[row]] || operation[model.operation[row]]) continue;
      if (!maybeId || !model.spanId[row].startsWith(word)) hit[row] = 0;
    }
  }
  let total = 0;
  for (let row = 0; row < model.count; row++) total += hit[row];
  const rows = new Int32Array(total);
  for (let row = 0, at = 0; row < model.count; row++) if (hit[row]) rows[at++] = row;
  return { rows, hit };
}
