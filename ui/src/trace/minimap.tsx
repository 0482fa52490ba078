// The whole trace in 48 pixels: all spans, errors red, and the part on screen. Dragging chooses a part, a click centres it.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { useWidth } from "../parts/canvas";
import type { TraceModel } from "./model";
import { minimapImage } from "./paint";
import { clampZoom, panBy, type Zoom } from "./viewport";

const HEIGHT = 48;

interface Props {
  model: TraceModel;
  visible: Int32Array;
  zoom: Zoom;
  dark: boolean;
  onZoom: (zoom: Zoom) => void;
}

export function Minimap({ model, visible, zoom, dark, onZoom }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(canvas);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  useLayoutEffect(() => {
    const now = canvas.current;
    if (!now || width === 0) return;
    now.width = width;
    now.height = HEIGHT;
    now.getContext("2d")?.putImageData(minimapImage(model, visible, width, HEIGHT, dark), 0, 0);
  }, [model, visible, width, dark]);
  const total = model.durationNs;
  const whole = zoom.from <= 0 && zoom.to >= total;
  const [from, to] = drag ? [Math.min(...drag) / width, Math.max(...drag) / width] : [zoom.from / total, zoom.to / total];
  const finish = () => {
    if (!drag) return;
    const [x0, x1] = [Math.min(...drag), Math.max(...drag)];
    if (x1 - x0 > 3) onZoom(clampZoom({ from: (x0 / width) * total, to: (x1 / width) * total }, total));
    else if (!whole) {
      const middle = (x0 / width) * total;
      onZoom(panBy(zoom, (middle - (zoom.from + zoom.to) / 2) / (zoom.to - zoom.from), total));
    }
    setDrag(null);
  };
  return (
    <div class="minimap">
      <canvas
        ref={canvas}
        role="img"
        aria-label="All spans of the trace over time, errors in red"
        style={{ height: `${HEIGHT}px` }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag([event.offsetX, event.offsetX]);
        }}
        onPointerMove={(event) => drag && setDrag([drag[0], Math.max(0, Math.min(width, event.offsetX))])}
        onPointerUp={finish}
        onPointerCancel={() => setDrag(null)}
        onDblClick={() => onZoom({ from: 0, to: total })}
      />
      {(!whole || (drag && drag[0] !== drag[1])) && (
        <>
          <div class="veil" style={{ left: 0, width: `${from * 100}%` }} />
          <div class="veil" style={{ left: `${to * 100}%`, right: 0 }} />
        </>
      )}
    </div>
  );
}
