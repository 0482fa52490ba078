import { B as d, L as F } from "./index.js";
// src/parts/canvas.ts
function useWidth(canvas) {
	const [width, setWidth] = d(0);
	F(() => {
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
function prepare(canvas, width, height) {
	const ratio = devicePixelRatio || 1;
	const [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
	if (canvas.width !== wide) canvas.width = wide;
	if (canvas.height !== high) canvas.height = high;
	const context = canvas.getContext("2d");
	context?.setTransform(ratio, 0, 0, ratio, 0, 0);
	context?.clearRect(0, 0, width, height);
	return context;
}
export { useWidth as n, prepare as t };
