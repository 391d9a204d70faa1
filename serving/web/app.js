// The frame of the page: which view is shown, where the focus goes, light or dark.

import { say } from "./dom.js";
import * as explain from "./explain.js";
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

function labelTheme() {
  themeButton.firstElementChild.textContent = isDark() ? "☀" : "☾";
  themeButton.lastElementChild.textContent = isDark() ? "Use the light theme" : "Use the dark theme";
}

themeButton.addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("whybounce-theme", theme);
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

addEventListener("hashchange", () => show(false));
show(true);
