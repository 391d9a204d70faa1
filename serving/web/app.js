// The frame of the page: which view is shown, where the focus goes, light or dark.

import { s, say } from "./dom.js";
import * as explain from "./explain.js";
import { install as installKey } from "./key.js";
import * as model from "./model.js";
import * as report from "./report.js";
import * as review from "./review.js";

const VIEWS = { explain, report, review, model };
const main = document.getElementById("main");
const shown = new Map();
let current = null;

function show(first) {
  const name = location.hash.replace(/^#\/?/, "").split("/")[0];
  if (location.hash === "#main") return; // the skip link
  const view = VIEWS[name] ?? explain;
  if (view === current) return;
  current?.leave?.();
  current = view;
  // A view is kept as it was left: nobody loses what they entered by looking elsewhere.
  if (!shown.has(view)) shown.set(view, view.create());
  main.replaceChildren(shown.get(view));
  view.enter?.();
  document.title = `${view.title} · whybounce`;
  for (const link of document.querySelectorAll("nav a")) {
    if (VIEWS[link.hash.slice(2)] === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!first) {
    window.scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
    say(view.title);
  }
}

const themeButton = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : system.matches;
}

const SUN = "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10ZM12 1v3M12 20v3M4.2 4.2l2.1 2.1M17.7 17.7l2.1 2.1M1 12h3M20 12h3M4.2 19.8l2.1-2.1M17.7 6.3l2.1-2.1";
const MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z";

function labelTheme() {
  themeButton.firstElementChild.replaceChildren(s("svg", { viewBox: "0 0 24 24" }, s("path", { d: isDark() ? SUN : MOON })));
  themeButton.lastElementChild.textContent = isDark() ? "Use the light theme" : "Use the dark theme";
}

themeButton.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  // Back at what the system wants, the page follows the system again.
  const own = (theme === "dark") !== system.matches;
  if (own) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    if (own) localStorage.setItem("whybounce-theme", theme);
    else localStorage.removeItem("whybounce-theme");
  } catch {
    // Then it holds until the page is closed.
  }
  labelTheme();
});
system.addEventListener("change", labelTheme);
labelTheme();

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

// A file that misses its place must not replace the page, and with it what was entered.
for (const kind of ["dragover", "drop"]) {
  addEventListener(kind, (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
}

installKey(say);
addEventListener("hashchange", () => show(false));
show(true);
