// View 4: which model answers, how good it was measured to be, what it does now.

import { get, vocabulary } from "./api.js";
import { bar, count, empty, failure, h, head, percent } from "./dom.js";
import { byReason, cardOf, versions } from "./versions.js";

export const title = "Model";

const EVERY = 5000;
let root = null;
let timer = 0;
let answering;

export function create() {
  root = h("div", { class: "model" }, head("Model", "Which model answers, how good it was measured to be, and what it does now."),
    h("section", { id: "card", "aria-label": "The model that answers" }, waiting()),
    h("section", { id: "counters", "aria-label": "Live counters" }, waiting()),
    h("section", { id: "versions", "aria-label": "Versions" }, waiting()));
  return root;
}

const waiting = () => h("p", { class: "note waiting" }, "Loading…");

export function enter() {
  all();
  live();
}

function all() {
  fill("#card", async () => {
    const found = await get("v1/model");
    answering = found.model_version;
    return card(found, await vocabulary());
  });
  fill("#versions", async () => versions(await get("v1/models")));
}

export function leave() {
  clearTimeout(timer);
  timer = null;
}

async function fill(place, make) {
  const section = root.querySelector(place);
  try {
    section.replaceChildren(...(await make()).flat(Infinity).filter(Boolean));
  } catch (error) {
    section.replaceChildren(failure(error, () => fill(place, make)));
  }
}

async function live() {
  clearTimeout(timer);
  timer = 0;
  const section = root.querySelector("#counters");
  try {
    const found = await get("v1/counters");
    const known = await vocabulary(found.reasons.map((one) => one.name));
    section.replaceChildren(...counters(found, known).flat(Infinity).filter(Boolean));
    if (timer === null) return; // the view was left meanwhile
    timer = setTimeout(live, EVERY);
    // A promotion is taken over while the page is open.
    const { model_version: now } = await get("v1/model");
    if (answering !== undefined && now !== answering) all();
  } catch (error) {
    section.replaceChildren(h("h2", {}, "Since the service started"),
      error.status === 404 ? empty("No counters", "They are off: the service was started with WHYBOUNCE_METRICS=false.") : failure(error, live));
  }
}

const MEASURES = [["accuracy", "right reason", "of all bounces"], ["hard_recall", "bad addresses found", "of all that are bad"],
  ["good_called_hard", "good addresses called bad", "fewer is better"], ["macro_f1", "macro F1", "all reasons count alike"]];

function card(found, known) {
  const measured = found.metrics?.held_out_families?.both ?? null;
  const facts = [["Version of whybounce", found.whybounce_version], ["Reasons", count(found.labels.length)],
    ["Training templates", found.data.templates && count(found.data.templates)], ["Your own rows", found.data.own_rows === undefined ? null : count(found.data.own_rows)],
    ["The model decides from", found.threshold === null ? null : percent(found.threshold)],
    ["A hard reason needs", found.hard_threshold === null ? null : percent(found.hard_threshold)],
    ["A person looks below", found.review_below === null ? null : percent(found.review_below)],
    ["Fingerprint of the data", found.data.fingerprint?.slice(0, 12)],
    ["Libraries", Object.entries(found.libraries).map(([name, version]) => `${name} ${version}`).join(", ")]].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return [
    h("h2", {}, found.model_version ? "Model " : "No model", found.model_version ? h("code", {}, found.model_version) : null),
    found.degraded ? h("p", { class: "notice warn" }, `The rules answer alone. ${found.degraded_because ?? ""}`) : null,
    found.promoted_error ? h("p", { class: "notice warn" }, `The promoted model does not answer: ${found.promoted_error}`) : null,
    measured
      ? [h("p", { class: "note" }, "Measured on texts of mail servers that it had never seen, together with the rules:"),
         h("div", { class: "figures four" }, MEASURES.filter(([name]) => measured[name] !== undefined).map(([name, label, meaning]) =>
           h("div", {}, h("strong", {}, percent(measured[name], 1)), h("span", {}, label), h("small", {}, meaning))))]
      : null,
    h("div", { class: "category folds" },
      cardOf(found.model_version),
      measured?.reasons ? byReason(measured.reasons, known) : null,
      h("details", {}, h("summary", { class: "heading" }, "Settings and origin"), h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))))),
  ];
}

function counters(found, known) {
  const hits = found.cache_hits + found.cache_misses;
  const most = Math.max(1, ...found.reasons.map((one) => one.count));
  const figures = [[count(found.predictions), "predictions"], [found.predictions ? percent(found.unsure / found.predictions, 1) : "–", "unsure"],
    [hits ? percent(found.cache_hits / hits) : "–", "answered from memory"], [count(found.requests), "requests"],
    [count(found.failed_requests), "failed"], [found.mean_milliseconds === null ? "–" : `${found.mean_milliseconds.toFixed(1)} ms`, "per request, on average"]];
  const rest = found.reasons.slice(12);
  return [h("h2", {}, "Since the service started"),
    h("div", { class: "figures six" }, figures.map(([value, label]) => h("div", {}, h("strong", {}, value), h("span", {}, label)))),
    found.reasons.length
      ? h("div", { class: "category" }, h("h3", { class: "plain" }, "Reasons that were given"),
          h("ul", { class: "bars" }, found.reasons.slice(0, 12).map((one) => h("li", {}, h("span", {}, known.get(one.name)?.title ?? one.name), bar(one.count / most, known.get(one.name)?.categories[0]), h("span", { class: "number" }, count(one.count))))),
          rest.length ? h("p", { class: "note" }, `and ${count(rest.length)} more, ${count(rest.reduce((sum, one) => sum + one.count, 0))} together.`) : null)
      : empty("No predictions yet", "They are counted as they come; this page looks again every five seconds.")];
}
