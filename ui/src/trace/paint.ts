// Draws the bars of the rows on screen, and the minimap of all rows. Cost depends on the screen, never on the trace.
import { slotColor } from "../colors";
import { prepare } from "../parts/canvas";
import { duration } from "../format";
import type { CriticalPath } from "./critical";
import { FLAG, type TraceModel } from "./model";
import type { Zoom } from "./viewport";

export const ROW = 24;
// From the top of the row: the critical path's line, the bar, and the error's line.
const CRITICAL = { top: 3, height: 2 };
const BAR = { top: 6, height: 12 };
const FAILED = { top: 19, height: 3 };
const NARROWEST_PX = 2;

export interface Scene {
  model: TraceModel;
  visible: Int32Array;
  first: number;
  last: number;
  shift: number;
  zoom: Zoom;
  marks: number[];
  cursor: number;
  hover: number;
  hit: Uint8Array | null;
  critical: CriticalPath;
  slots: number[];
  dark: boolean;
}

interface Palette {
  grid: string;
  text: string;
  cursor: string;
  hover: string;
  hit: string;
  error: string;
  critical: string;
  orphan: string;
  /** Text on a bar. */
  inside: string;
}

const PALETTES: Record<"light" | "dark", Palette> = {
  light: { grid: "#e8ebef", text: "#55606e", cursor: "#0f766e1f", hover: "#1a20270a", hit: "#f2c94c55", error: "#c0281c", critical: "#1a2027b0", orphan: "#8a5a00", inside: "#ffffff" },
  dark: { grid: "#222933", text: "#9aa6b5", cursor: "#4fd1c526", hover: "#ffffff0a", hit: "#e3b34140", error: "#ff7b72", critical: "#f0f4f8b0", orphan: "#e3b341", inside: "#0d1117" },
};

/** Returns the number of boxes drawn: the gate of the browser tests. */
export function paintRows(canvas: HTMLCanvasElement, width: number, height: number, scene: Scene): number {
  const context = prepare(canvas, width, height);
  if (!context) return 0;
  const palette = PALETTES[scene.dark ? "dark" : "light"];
  const scale = width / (scene.zoom.to - scene.zoom.from);
  context.fillStyle = palette.grid;
  for (const mark of scene.marks) context.fillRect(Math.round((mark - scene.zoom.from) * scale), 0, 1, height);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  let boxes = 0;
  for (let place = scene.first; place < scene.last; place++) {
    const y = (place - scene.first) * ROW - scene.shift;
    boxes += paintRow(context, scene, palette, scene.visible[place], y, width, scale);
  }
  return boxes;
}

function paintRow(context: CanvasRenderingContext2D, scene: Scene, palette: Palette, row: number, y: number, width: number, scale: number): number {
  const { model, zoom, critical } = scene;
  let boxes = 0;
  const wash = row === scene.cursor ? palette.cursor : scene.hit?.[row] ? palette.hit : row === scene.hover ? palette.hover : null;
  if (wash) {
    context.fillStyle = wash;
    context.fillRect(0, y, width, ROW);
    boxes++;
  }
  if (model.flags[row] & FLAG.orphan) dashes(context, palette.orphan, y + 0.5, width);
  const x0 = (model.start[row] - zoom.from) * scale;
  const x1 = x0 + Math.max(NARROWEST_PX, model.duration[row] * scale);
  const [left, right] = [Math.max(0, x0), Math.min(width, x1)];
  if (right <= left) {
    context.fillStyle = palette.text;
    context.fillText(x1 <= 0 ? "◂" : "▸", x1 <= 0 ? 2 : width - 10, y + ROW / 2);
    return boxes;
  }
  const failed = (model.flags[row] & FLAG.error) !== 0;
  context.fillStyle = slotColor(scene.slots[model.service[row]], scene.dark);
  context.fillRect(left, y + BAR.top, right - left, BAR.height);
  boxes++;
  if (failed) {
    context.fillStyle = palette.error;
    context.fillRect(left, y + FAILED.top, right - left, FAILED.height);
    boxes++;
  }
  if (critical.on[row]) {
    const [from, to] = [Math.max(0, (critical.from[row] - zoom.from) * scale), Math.min(width, (critical.to[row] - zoom.from) * scale)];
    context.fillStyle = palette.critical;
    context.fillRect(from, y + CRITICAL.top, Math.max(1, to - from), CRITICAL.height);
    boxes++;
  }
  label(context, duration(model.duration[row]), failed ? palette.error : palette.text, left, right, y + ROW / 2, width, palette.inside);
  return boxes;
}

/** After the bar where there is room, else before it, else on it. */
function label(context: CanvasRenderingContext2D, text: string, color: string, left: number, right: number, y: number, width: number, inside: string): void {
  const wide = text.length * 6.2 + 8;
  context.fillStyle = color;
  if (right + wide <= width) context.fillText(text, right + 5, y);
  else if (left - wide >= 0) context.fillText(text, left - wide + 3, y);
  else {
    context.fillStyle = inside;
    context.fillText(text, left + 5, y);
  }
}

function dashes(context: CanvasRenderingContext2D, color: string, y: number, width: number): void {
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.setLineDash([5, 4]);
  context.beginPath();
  context.moveTo(0, y);
  context.lineTo(width, y);
  context.stroke();
  context.setLineDash([]);
}

/** All visible rows in lanes of the minimap's height: each span adds two numbers, so a million spans are a million additions. */
export function minimapImage(model: TraceModel, visible: Int32Array, width: number, height: number, dark: boolean): ImageData {
  const lanes = Math.min(height, Math.max(1, visible.length));
  const all = new Float32Array((width + 1) * lanes);
  const failing = new Float32Array((width + 1) * lanes);
  const scale = width / model.durationNs;
  for (let place = 0; place < visible.length; place++) {
    const row = visible[place];
    const lane = Math.floor((place * lanes) / visible.length) * (width + 1);
    const x0 = Math.min(width - 1, Math.max(0, Math.floor(model.start[row] * scale)));
    const x1 = Math.min(width, Math.max(x0 + 1, Math.ceil((model.start[row] + model.duration[row]) * scale)));
    all[lane + x0]++;
    all[lane + x1]--;
    if ((model.flags[row] & FLAG.error) === 0) continue;
    failing[lane + x0]++;
    failing[lane + x1]--;
  }
  return colorLanes(all, failing, lanes, width, height, dark);
}

function colorLanes(all: Float32Array, failing: Float32Array, lanes: number, width: number, height: number, dark: boolean): ImageData {
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const [plain, error] = dark ? [0x00a8a05c, 0x00727bff] : [0x00978f3f, 0x001c28c0]; // 0xAABBGGRR
  const laneHeight = lanes < height ? Math.max(1, Math.min(4, Math.floor(height / lanes) - 1)) : 1;
  for (let lane = 0; lane < lanes; lane++) {
    const top = Math.floor((lane * height) / lanes);
    let [spans, errors] = [0, 0];
    for (let x = 0; x < width; x++) {
      spans += all[lane * (width + 1) + x];
      errors += failing[lane * (width + 1) + x];
      if (spans <= 0) continue;
      const shade = errors > 0 ? 0xff : Math.min(0xf0, 0x78 + 0x28 * Math.log2(1 + spans));
      const pixel = ((shade << 24) | (errors > 0 ? error : plain)) >>> 0;
      for (let y = top; y < top + laneHeight && y < height; y++) pixels[y * width + x] = pixel;
    }
  }
  return image;
}
