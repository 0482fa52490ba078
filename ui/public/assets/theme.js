// Runs before the first paint: a chosen theme must not flash the other one. External because the CSP forbids inline scripts.
try {
  const theme = localStorage.getItem("tracewell.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's theme is used then.
}
