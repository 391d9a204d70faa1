// The registry: versions, their cards and reports, and what was promoted when.

import { address, getText, hasKey } from "./api.js";
import { count, empty, failure, h, save } from "./dom.js";
import { rendered } from "./markdown.js";

const dated = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

function when(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : dated.format(date);
}

/** A model card, read when it is opened. A model outside of a registry has none. */
export function cardOf(version) {
  if (!version) return null;
  const place = h("div", { class: "prose" });
  const details = h("details", {}, h("summary", { class: "heading" }, "Model card"), place);
  async function read() {
    place.replaceChildren(h("p", { class: "note waiting" }, "Loading…"));
    try {
      const text = await getText(`v1/models/${encodeURIComponent(version)}/card`);
      place.replaceChildren(...rendered(text.replace(/^# .*\n/, ""), version)); // its title stands above it already
    } catch (error) {
      place.replaceChildren(error.status === 404 ? h("p", { class: "note" }, error.detail) : failure(error, read));
    }
  }
  details.addEventListener("toggle", () => {
    if (details.open && !place.hasChildNodes()) read();
  });
  return details;
}

export function byReason(reasons, known) {
  const rows = Object.entries(reasons).sort((one, other) => other[1].f1 - one[1].f1);
  return h("details", {}, h("summary", { class: "heading" }, "How well each reason is found"), h("div", { class: "scroll", role: "region", "aria-label": "How well each reason is found", tabindex: "0" }, h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Reason"), ["F1", "Precision", "Recall", "Texts"].map((name) => h("th", { scope: "col", class: "number" }, name)))),
    h("tbody", {}, rows.map(([name, one]) => h("tr", {}, h("th", { scope: "row" }, known.get(name)?.title ?? name), ["f1", "precision", "recall"].map((key) => h("td", { class: "number" }, one[key].toFixed(2))), h("td", { class: "number" }, count(one.support))))))));
}

export function versions(found) {
  if (!found.registry) return [h("h2", {}, "Versions"), empty("No registry", h("p", {}, "The service answers with one fixed model. Start it with ", h("code", {}, "--registry FOLDER"), " to keep several versions, promote them and roll back."))];
  return [h("h2", {}, "Versions"),
    found.error ? h("p", { class: "notice warn" }, found.error) : null,
    found.versions.length
      ? h("ul", { class: "versions" }, found.versions.map((one) => version(one, one.version === found.serving)))
      : empty("No versions yet", h("p", {}, "Train one with ", h("code", {}, "whybounce train --out runs/mine"), " and promote it with ", h("code", {}, "whybounce model promote runs/mine"), "; it appears here.")),
    found.history.length ? history(found.history) : null];
}

function version(one, serving) {
  const facts = [one.created && `made ${when(one.created)}`, one.data.templates && `${count(one.data.templates)} templates`, one.data.own_rows && `${count(one.data.own_rows)} of your rows`];
  return h("li", { class: "card" },
    h("div", { class: "verdict" },
      h("div", { class: "reason" }, h("h3", {}, h("code", {}, one.version)), serving ? h("span", { class: "chip good" }, "answers") : null, one.promoted ? h("span", { class: "chip technical" }, "promoted") : null),
      one.report ? report(one.version) : h("p", { class: "note" }, "No report")),
    h("p", { class: "note" }, facts.filter(Boolean).join(" · ")),
    one.problem ? h("p", { class: "notice warn" }, one.problem) : null,
    serving ? null : cardOf(one.version));
}

/** A link can carry no key: with one, the report is fetched and saved instead. */
function report(name) {
  const path = `v1/models/${encodeURIComponent(name)}/report`;
  if (!hasKey()) return h("a", { href: address(path), target: "_blank", rel: "noopener" }, "Report", h("span", { class: "hidden" }, ` of ${name}, opens in a new tab`), h("span", { "aria-hidden": "true" }, " ↗"));
  const button = h("button", { type: "button", class: "secondary" }, "Download the report");
  button.addEventListener("click", async () => {
    try {
      save(`${name}.html`, await getText(path), "text/html");
    } catch (error) {
      button.after(failure(error));
    }
  });
  return button;
}

function history(events) {
  return h("div", { class: "category folds" }, h("details", {}, h("summary", { class: "heading" }, "History"), h("ul", { class: "history" }, [...events].reverse().map((one) =>
    h("li", {}, `${when(one.at)}: ${one.action === "promote" ? "promoted" : "rolled back to"} `, one.version ? h("code", {}, one.version) : "the model outside of the registry", one.forced ? " (forced)" : "", one.because ? h("span", { class: "note" }, ` ${one.because}`) : null)))));
}
