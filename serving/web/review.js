// View 3: what nobody is sure of, labelled by keyboard.

import { get, post, reasons } from "./api.js";
import { newId } from "./correction.js";
import { bar, count, empty, failure, h, head, percent, plural, say, sentence, verbatim } from "./dom.js";
import { finder } from "./finder.js";

export const title = "Review";

const PAGE = 50;
const WHY = { unsure: "The model is unsure.", disagree: "Model and rules disagree.", both: "The model is unsure, and the rules disagree." };
const KEYS = [[["1", "9"], "choose a reason", " … "], [["/"], "find another reason"], [["j", "→"], "next", " or "], [["k", "←"], "previous", " or "], [["s"], "skip: it comes again at the end"], [["u"], "undo: choose again for the last one"], [["Esc"], "leave the search"]];
const OFF = "whybounce-keys-off";

let root = null;
let items = [];
let total = 0;
let place = 0;
let all = [];
let past = [];
let sending = false;
let changes = 0; // of the list, by whoever sits here
let shown = false;
let note = "";
let keysOn = stored() !== "yes";

function stored() {
  try {
    return localStorage.getItem(OFF);
  } catch {
    return null; // then the keys are on
  }
}

/** The heading stays while the rest is drawn anew: who was brought to it is still there when the list arrives. */
export function create() {
  root = h("div");
  return h("div", {}, head("Review", "What the model is unsure of, the most valuable first. Each answer teaches it at the next training."), root);
}

export function enter() {
  shown = true;
  document.addEventListener("keydown", keys);
  note = "";
  load();
}

export function leave() {
  shown = false;
  document.removeEventListener("keydown", keys);
}

async function load(focus = false) {
  if (!items.length) root.replaceChildren(h("p", { class: "note waiting" }, "Loading…"));
  const before = changes;
  try {
    const [page, known] = await Promise.all([get(`v1/review?limit=${PAGE}`), reasons()]);
    if (sending || changes !== before) return; // the list as it was asked for is older than what was done since
    ({ total, items } = page);
    all = known;
    place = 0;
    draw(focus && shown);
  } catch (error) {
    // Without a store there is nothing to try again: somebody has to start the service otherwise.
    const off = error.status === 503 && error.detail.includes("--feedback-url");
    root.replaceChildren(off ? empty("This service keeps no corrections", error.detail) : failure(error, () => load(true)));
  }
}

/** The reasons behind the number keys: what was predicted, what the rules say, what else it could be. */
function choices(item) {
  const wanted = [item.reason, ...item.alternatives.map((one) => one.reason), item.rules_reason, "no_information", "not_a_bounce"];
  const known = new Map(all.map((one) => [one.reason, one]));
  return [...new Set(wanted)].filter((reason) => known.has(reason)).slice(0, 9).map((reason) => known.get(reason));
}

const named = (reason) => all.find((one) => one.reason === reason)?.title ?? reason;

function sure(item, reason) {
  if (reason === item.reason) return item.confidence;
  return item.alternatives.find((one) => one.reason === reason)?.confidence ?? null;
}

const button = (text, key, more) => h("button", { type: "button", class: "secondary", "aria-keyshortcuts": keysOn ? key : null, ...more }, text,
  keysOn ? h("kbd", { "aria-hidden": "true" }, key) : null);

const undoing = () => button("Undo", "u", { disabled: !past.length, onclick: undo });

function draw(focus = false) {
  const item = items[place];
  if (!item) {
    const again = h("button", { type: "button", onclick: () => { note = ""; load(true); } }, "Look again");
    root.replaceChildren(status(), empty(past.length ? "All done. Thank you." : "Nothing to review",
      past.length ? "You have labelled everything that was waiting." : "When the service meets a bounce that it is unsure of, it appears here.",
      h("div", { class: "buttons" }, again, past.length ? undoing() : null)), help());
    if (focus) again.focus();
    return;
  }
  const choose = choices(item);
  const facts = [`Seen ${plural(item.count, "time")}`, item.provider, [item.reply_code, item.enhanced_status].filter(Boolean).join(" "), item.command && `after ${item.command}`];
  const panel = h("article", { class: "card review", tabindex: "-1", "aria-labelledby": "place review-text" },
    h("div", { class: "reason" }, h("p", { class: "note" }, h("strong", { id: "place" }, `${count(place + 1)} of ${count(items.length)}`), total > items.length ? ` (${count(total)} in all)` : "", ` · ${WHY[item.why]}`)),
    h("div", { id: "review-text", class: "large" }, verbatim([item.template], item.template.length)),
    h("p", { class: "note" }, facts.filter(Boolean).join(" · ")),
    h("ol", { class: "choices" }, choose.map((one, number) => {
      const confidence = sure(item, one.reason);
      const says = [item.rules_reason === one.reason && "the rules’ choice"].filter(Boolean).join(", ");
      return h("li", {}, h("button", { type: "button", class: "choice", "aria-keyshortcuts": keysOn ? String(number + 1) : null, onclick: () => label(one.reason) },
        keysOn ? h("kbd", { "aria-hidden": "true" }, String(number + 1)) : h("span", {}), h("span", { class: "what" }, h("strong", {}, one.title), " ", h("small", {}, sentence(one.description), says ? ` (${says})` : "")),
        confidence === null ? h("span") : bar(confidence, one.categories[0]), h("span", { class: "number" }, confidence === null ? "" : percent(confidence))));
    })),
    finder(all, label, () => root.querySelector(".card.review")?.focus()),
    h("div", { class: "buttons" },
      button("Previous", "k", { disabled: place === 0, onclick: () => move(-1) }), button("Next", "j", { disabled: place >= items.length - 1, onclick: () => move(1) }),
      button("Skip", "s", { onclick: skip }), undoing()));
  root.replaceChildren(status(), panel, help());
  if (focus) panel.focus({ preventScroll: true });
}

const status = () => (note ? h("p", { class: "done" }, note) : "");

function help() {
  const toggle = h("input", { type: "checkbox", id: "keys-on", checked: keysOn });
  toggle.addEventListener("change", () => {
    keysOn = toggle.checked;
    try {
      if (keysOn) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "yes");
    } catch {
      // Then it holds until the page is closed.
    }
    draw();
    document.getElementById("keys-on").focus();
  });
  return h("section", { class: "keys", "aria-label": "Keys" },
    h("p", { class: "check" }, toggle, h("label", { for: "keys-on" }, "Label with single keys")),
    keysOn ? h("dl", {}, KEYS.map(([names, what, between]) => h("div", {}, h("dt", {}, names.flatMap((name, number) => [number ? between : "", h("kbd", {}, name)])), h("dd", {}, what)))) : null);
}

/** Send what a person says. Only what the service has stored leaves the list; sent again it is stored once. */
async function label(reason, event = newId()) {
  const item = items[place];
  if (!item || sending) return;
  sending = true;
  root.querySelector(".card.review")?.setAttribute("aria-busy", "true");
  try {
    const body = { template: item.template, reason, source: "web-review", event_id: event };
    for (const name of ["reply_code", "enhanced_status", "command", "provider"]) if (item[name]) body[name] = item[name];
    await post("v1/feedback", body);
    const at = items.indexOf(item);
    if (at >= 0) {
      past.push({ item, place: at });
      items.splice(at, 1);
      total = Math.max(0, total - 1);
    }
    if (place >= items.length) place = Math.max(0, items.length - 1);
    note = `Stored: ${named(reason)}.`;
    changes += 1;
    sending = false;
    if (!items.length && total > 0) await load(true);
    else draw(shown);
    say(`${note} ${items.length ? `${count(items.length)} left.` : "All done."}`);
  } catch (error) {
    sending = false;
    note = "";
    draw();
    const told = failure(error, () => label(reason, event));
    told.firstChild.append(` “${named(reason)}” is not stored yet.`);
    root.querySelector(".card.review")?.before(told);
    told.querySelector("button")?.focus();
  }
}

function skip() {
  if (!items[place] || sending) return;
  changes += 1;
  items.push(items.splice(place, 1)[0]);
  note = items.length > 1 ? "Skipped: it comes again at the end." : "This is the only one left.";
  draw(true);
  say(note);
}

/** What was sent is stored; labelling it again sends a newer word, and the newest word of a source counts. */
function undo() {
  const last = past.pop();
  if (!last || sending) return;
  changes += 1;
  place = Math.min(last.place, items.length);
  items.splice(place, 0, last.item);
  total += 1;
  note = "Choose again: the newer answer counts. Until then, the earlier one stays.";
  draw(true);
  say(note);
}

function move(by) {
  const next = Math.max(0, Math.min(items.length - 1, place + by));
  if (next === place || sending) return;
  place = next;
  note = "";
  draw(true);
}

function keys(event) {
  if (!keysOn || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.target.closest("input, select, textarea")) return;
  const number = Number(event.key);
  const item = items[place];
  if (number >= 1 && number <= 9 && item) {
    const chosen = choices(item)[number - 1];
    if (chosen) label(chosen.reason);
  } else if (event.key === "/") root.querySelector("#search")?.focus();
  else if (event.key === "ArrowRight" || event.key === "j") move(1);
  else if (event.key === "ArrowLeft" || event.key === "k") move(-1);
  else if (event.key === "s") skip();
  else if (event.key === "u") undo();
  else return;
  event.preventDefault();
}
