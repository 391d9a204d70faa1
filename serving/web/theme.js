// Runs before anything is drawn, so that a chosen theme does not flash in late.
try {
  const chosen = localStorage.getItem("whybounce-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden; then the system's theme holds.
}
