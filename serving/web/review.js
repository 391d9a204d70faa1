// View 3: what nobody is sure of, labelled by keyboard.

import { get, post, reasons } from "./api.js";
import { bar, count, empty, failure, h, head, percent, plural, say } from "./dom.js";
import { reasonOptions, sentence } from "./verdict.js";

export const title = "Review";

const PAGE = 50;
const WHY = { unsure: "The model is unsure.", disagree: "Model and rules disagree.", both: "The model is unsure, and the rules disagree." };
const KEYS = [["1 … 9", "choose a reason"], ["/", "search all reasons"], ["↓ or j, ↑ or k", "next, previous"], ["s", "skip"], ["u", "go back to the last one labelled"], ["Esc", "leave the search"]];

let root = null;
let items = [];
let total = 0;
let place = 0;
let all = [];
let past = [];
let sending = false;
let shown = false;
let note = "";

export function create() {
  root = h("div", {});
  return root;
}

export function enter() {
  shown = true;
  document.addEventListener("keydown", keys);
  load();
}

export function leave() {
  shown = false;
  document.removeEventListener("keydown", keys);
}

const intro = () => head("Review", "What the model is unsure of. Each answer teaches it; the most valuable come first.");

async function load() {
  root.replaceChildren(intro(), h("p", { class: "note" }, "Loading…"));
  try {
    const [page, known] = await Promise.all([get(`v1/review?limit=${PAGE}`), reasons()]);
    ({ total, items } = page);
    all = known;
    place = 0;
    past = [];
    note = "";
    draw();
  } catch (error) {
    root.replaceChildren(intro(), failure(error, load));
  }
}

/** The reasons behind the number keys: what was predicted, what the rules say, what else it could be. */
function choices(item) {
  const wanted = [item.reason, ...item.alternatives.map((one) => one.reason), item.rules_reason, "no_information", "not_a_bounce"];
  const known = new Map(all.map((one) => [one.reason, one]));
  return [...new Set(wanted)].filter((reason) => known.has(reason)).slice(0, 9).map((reason) => known.get(reason));
}

function sure(item, reason) {
  if (reason === item.reason) return item.confidence;
  return item.alternatives.find((one) => one.reason === reason)?.confidence ?? null;
}

function draw(focus = false) {
  const item = items[place];
  if (!item) {
    const again = h("button", { type: "button", onclick: load }, "Look again");
    root.replaceChildren(intro(), status(), empty(past.length ? "All done. Thank you." : "Nothing to review",
      past.length ? "You have seen everything that was loaded." : "When the service meets a bounce that it is unsure of, it appears here.", h("p", {}, again)), help());
    if (focus) again.focus();
    return;
  }
  const options = choices(item);
  const search = h("select", { id: "reason" }, h("option", { value: "" }, "Another reason"), reasonOptions(all));
  const filter = h("input", { id: "search", type: "search", autocomplete: "off", spellcheck: "false", role: "combobox",
    "aria-expanded": "false", "aria-controls": "found", "aria-autocomplete": "list", placeholder: "Search a reason" });
  search.addEventListener("change", () => search.value && label(search.value));
  const panel = h("article", { class: "card review", tabindex: "-1", "aria-label": `Item ${place + 1} of ${items.length}` },
    h("p", { class: "note" }, `${place + 1} of ${items.length}${total > items.length ? ` (${count(total)} in all)` : ""} · ${WHY[item.why]}`),
    h("p", { class: "diagnostic large", dir: "auto" }, item.template || "(empty)"),
    h("p", { class: "note" }, [`Seen ${plural(item.count, "time")}`, item.provider, [item.reply_code, item.enhanced_status].filter(Boolean).join(" "), item.command,
      item.rules_reason && `rules say ${item.rules_reason}`].filter(Boolean).join(" · ")),
    h("ol", { class: "choices" }, options.map((one, number) => {
      const confidence = sure(item, one.reason);
      return h("li", {}, h("button", { type: "button", class: "choice", "aria-keyshortcuts": String(number + 1), title: sentence(one.description), onclick: () => label(one.reason) },
        h("kbd", { "aria-hidden": "true" }, String(number + 1)), h("span", {}, one.title), confidence === null ? h("span") : bar(confidence, one.categories[0]),
        h("span", { class: "number" }, confidence === null ? "" : percent(confidence))));
    })),
    finder(filter),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "secondary", "aria-keyshortcuts": "s", onclick: () => skip() }, "Skip"),
      h("button", { type: "button", class: "secondary", "aria-keyshortcuts": "u", disabled: !past.length, onclick: () => undo() }, "Back to the last one"),
      h("label", { for: "reason", class: "hidden" }, "Another reason"), search));
  root.replaceChildren(intro(), status(), panel, help());
  if (focus) panel.focus();
}

const status = () => (note ? h("p", { class: "done" }, note) : "");

const help = () => h("details", { class: "keys", open: true }, h("summary", {}, "Keys"),
  h("dl", {}, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))));

function finder(filter) {
  const list = h("ul", { id: "found", role: "listbox", "aria-label": "Reasons", hidden: true });
  let at = 0;
  let hits = [];
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = words.length ? all.filter((one) => words.every((word) => `${one.reason} ${one.title} ${one.description}`.toLowerCase().includes(word))).slice(0, 8) : [];
    at = Math.min(at, Math.max(0, hits.length - 1));
    list.hidden = !hits.length;
    filter.setAttribute("aria-expanded", String(hits.length > 0));
    if (hits.length) filter.setAttribute("aria-activedescendant", `found-${at}`);
    else filter.removeAttribute("aria-activedescendant");
    list.replaceChildren(...hits.map((one, number) => h("li", { id: `found-${number}`, role: "option", "aria-selected": String(number === at), onclick: () => label(one.reason) },
      h("strong", {}, one.title), " ", h("span", {}, sentence(one.description)))));
  };
  filter.addEventListener("input", () => { at = 0; show(); });
  filter.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at = Math.max(0, Math.min(hits.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)));
      show();
    } else if (event.key === "Enter" && hits[at]) {
      event.preventDefault();
      label(hits[at].reason);
    } else if (event.key === "Escape") {
      event.preventDefault();
      filter.value = "";
      show();
      root.querySelector(".card").focus();
    }
    event.stopPropagation();
  });
  return h("div", { class: "finder" }, h("label", { for: "search" }, "Search all reasons"), filter, list);
}

async function label(reason) {
  const item = items[place];
  if (!item || sending) return;
  sending = true;
  try {
    const body = { template: item.template, reason, source: "web-review" };
    for (const name of ["reply_code", "enhanced_status", "command", "provider"]) if (item[name]) body[name] = item[name];
    await post("v1/feedback", body);
    past.push({ item, place });
    items.splice(place, 1);
    total -= 1;
    if (place >= items.length) place = Math.max(0, items.length - 1);
    note = `Stored: ${all.find((one) => one.reason === reason)?.title ?? reason}.`;
    draw(shown);
    say(`${note} ${items.length ? `${count(items.length)} left.` : "All done."}`);
  } catch (error) {
    root.querySelector(".failure")?.remove();
    root.querySelector(".card")?.after(failure(error));
  } finally {
    sending = false;
  }
}

function skip() {
  if (!items[place]) return;
  items.push(items.splice(place, 1)[0]);
  note = "Skipped: it comes again at the end.";
  draw(true);
  say(note);
}

/** What was sent is stored; labelling it again sends a newer word, and the newest word of a source counts. */
function undo() {
  const last = past.pop();
  if (!last) return;
  place = Math.min(last.place, items.length);
  items.splice(place, 0, last.item);
  total += 1;
  note = "Choose again: the newer answer counts.";
  draw(true);
  say(note);
}

function move(by) {
  const next = Math.max(0, Math.min(items.length - 1, place + by));
  if (next === place) return;
  place = next;
  note = "";
  draw(true);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const number = Number(event.key);
  const item = items[place];
  if (number >= 1 && number <= 9 && item) {
    const chosen = choices(item)[number - 1];
    if (chosen) label(chosen.reason);
  } else if (event.key === "/") root.querySelector("#search")?.focus();
  else if (event.key === "ArrowDown" || event.key === "j") move(1);
  else if (event.key === "ArrowUp" || event.key === "k") move(-1);
  else if (event.key === "s") skip();
  else if (event.key === "u") undo();
  else return;
  event.preventDefault();
}
