// View 4: which model answers, how good it was measured to be, what it does now.

import { address, get, getText, hasKey } from "./api.js";
import { bar, count, empty, failure, h, head, percent, save } from "./dom.js";

export const title = "Model";

const EVERY = 5000;
let root = null;
let timer = 0;

export function create() {
  root = h("div", {}, head("Model", "Which model answers, how good it was measured to be, and what it does now."),
    h("section", { id: "card", "aria-label": "The model that answers" }),
    h("section", { id: "counters", "aria-label": "Live counters" }),
    h("section", { id: "versions", "aria-label": "Versions" }));
  return root;
}

export function enter() {
  fill("#card", "v1/model", card);
  fill("#versions", "v1/models", versions);
  live();
}

export function leave() {
  clearTimeout(timer);
}

async function fill(place, path, draw) {
  const section = root.querySelector(place);
  try {
    section.replaceChildren(...draw(await get(path)).flat(Infinity).filter(Boolean));
  } catch (error) {
    section.replaceChildren(failure(error, () => fill(place, path, draw)));
  }
}

async function live() {
  clearTimeout(timer);
  const section = root.querySelector("#counters");
  try {
    section.replaceChildren(...counters(await get("v1/counters")).flat(Infinity).filter(Boolean));
    timer = setTimeout(live, EVERY);
  } catch (error) {
    section.replaceChildren(h("h2", {}, "Since the service started"),
      error.status === 404 ? empty("No counters", "They are off: the service was started with WHYBOUNCE_METRICS=false.") : failure(error, live));
  }
}

const MEASURES = [["macro_f1", "Macro F1", "how well each reason is found, all reasons alike"], ["accuracy", "Accuracy", "bounces with the right reason"],
  ["hard_recall", "Hard bounces found", "of all bad addresses"], ["good_called_hard", "Good addresses called bad", "fewer is better"]];

function card(found) {
  const measured = found.metrics?.held_out_families?.both ?? null;
  const facts = [["Whybounce", found.whybounce_version], ["Reasons", count(found.labels.length)],
    ["Training templates", found.data.templates && count(found.data.templates)], ["Your own rows", found.data.own_rows === undefined ? null : count(found.data.own_rows)],
    ["The model decides from", found.threshold === null ? null : percent(found.threshold)],
    ["A hard reason needs", found.hard_threshold === null ? null : percent(found.hard_threshold)],
    ["A person looks below", found.review_below === null ? null : percent(found.review_below)],
    ["Trained on data", found.data.fingerprint?.slice(0, 12)],
    ["Libraries", Object.entries(found.libraries).map(([name, version]) => `${name} ${version}`).join(", ")]].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return [
    h("h2", {}, found.model_version ? "Model " : "No model", found.model_version ? h("code", {}, found.model_version) : null),
    found.degraded ? h("p", { class: "notice warn" }, `The rules answer alone. ${found.degraded_because ?? ""}`) : null,
    found.promoted_error ? h("p", { class: "notice warn" }, `The promoted model does not answer: ${found.promoted_error}`) : null,
    measured
      ? [h("p", {}, "Measured on kinds of texts that it had never seen, with the rules beside it:"),
         h("div", { class: "figures" }, MEASURES.filter(([name]) => measured[name] !== undefined).map(([name, label, meaning]) =>
           h("div", {}, h("strong", {}, percent(measured[name], 1)), h("span", {}, label), h("small", {}, meaning))))]
      : null,
    measured?.reasons ? byReason(measured.reasons) : null,
    h("details", {}, h("summary", {}, "Model card"), h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))),
  ];
}

function byReason(reasons) {
  const rows = Object.entries(reasons).sort((one, other) => other[1].f1 - one[1].f1);
  return h("details", {}, h("summary", {}, "F1 by reason"), h("div", { class: "scroll", role: "region", "aria-label": "F1 by reason", tabindex: "0" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Reason"), ["F1", "Precision", "Recall", "Texts"].map((name) => h("th", { scope: "col", class: "number" }, name)))),
    h("tbody", {}, rows.map(([name, one]) => h("tr", {}, h("th", { scope: "row" }, name), ["f1", "precision", "recall"].map((key) => h("td", { class: "number" }, one[key].toFixed(2))), h("td", { class: "number" }, count(one.support))))))));
}

function counters(found) {
  const hits = found.cache_hits + found.cache_misses;
  const most = Math.max(1, ...found.reasons.map((one) => one.count));
  const figures = [[count(found.predictions), "predictions"], [found.predictions ? percent(found.unsure / found.predictions, 1) : "–", "unsure"],
    [count(found.requests), "requests"], [count(found.failed_requests), "failed"], [found.mean_milliseconds === null ? "–" : `${found.mean_milliseconds.toFixed(1)} ms`, "per request, on average"],
    [hits ? percent(found.cache_hits / hits) : "–", "answered from memory"]];
  return [h("h2", {}, "Since the service started"),
    h("div", { class: "figures" }, figures.map(([value, label]) => h("div", {}, h("strong", {}, value), h("span", {}, label)))),
    found.reasons.length
      ? h("ul", { class: "bars" }, found.reasons.slice(0, 12).map((one) => h("li", {}, h("span", {}, one.name), bar(one.count / most), h("span", { class: "number" }, count(one.count)))))
      : empty("No predictions yet", "They are counted as they come; this page looks again every five seconds.")];
}

function versions(found) {
  if (!found.registry) return [h("h2", {}, "Versions"), empty("No registry", h("p", {}, "The service answers with one fixed model. Start it with ", h("code", {}, "--registry FOLDER"), " to keep several versions, promote them and roll back."))];
  return [h("h2", {}, "Versions"),
    found.error ? h("p", { class: "notice warn" }, found.error) : null,
    found.versions.length
      ? h("ul", { class: "versions" }, found.versions.map((one) => h("li", { class: "card" },
          h("div", { class: "reason" }, h("h3", {}, h("code", {}, one.version)), one.serving ? h("span", { class: "chip soft" }, "answers") : null, one.promoted ? h("span", { class: "chip technical" }, "promoted") : null),
          h("p", { class: "note" }, [one.created && new Date(one.created).toLocaleString("en"), one.data.templates && `${count(one.data.templates)} templates`, one.data.own_rows && `${count(one.data.own_rows)} of your rows`].filter(Boolean).join(" · ")),
          one.problem ? h("p", { class: "notice warn" }, one.problem) : null,
          one.report ? reportLink(one.version) : h("p", { class: "note" }, "No report."))))
      : empty("No versions yet", "Train one, and it appears here."),
    found.history.length ? history(found.history) : null];
}

/** A link can carry no key: with one, the report is fetched and saved instead. */
function reportLink(version) {
  const path = `v1/models/${encodeURIComponent(version)}/report`;
  if (!hasKey()) return h("p", {}, h("a", { href: address(path), target: "_blank", rel: "noopener" }, "Report (opens in a new tab)"));
  const button = h("button", { type: "button", class: "secondary" }, "Download the report");
  button.addEventListener("click", async () => {
    try {
      save(`${version}.html`, await getText(path), "text/html");
    } catch (error) {
      button.after(failure(error));
    }
  });
  return h("p", {}, button);
}

function history(events) {
  return h("details", {}, h("summary", {}, "History"), h("ol", { class: "history" }, [...events].reverse().map((one) =>
    h("li", {}, `${one.at}: ${one.action} ${one.version ?? "the model outside of the registry"}${one.forced ? " (forced)" : ""}`, one.because ? h("span", { class: "note" }, ` ${one.because}`) : null))));
}
