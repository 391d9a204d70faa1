// A field that finds a reason by its words: type, arrows, Enter.

import { h, say, sentence } from "./dom.js";

const AT_MOST = 8;

/** The field; `chosen` gets the reason, `left` is called on Escape. */
export function finder(all, chosen, left) {
  const filter = h("input", { id: "search", type: "text", autocomplete: "off", spellcheck: "false", role: "combobox", "aria-expanded": "false",
    "aria-controls": "found", "aria-autocomplete": "list", placeholder: "For example: full, blocked, spam" });
  const list = h("ul", { id: "found", role: "listbox", "aria-label": "Reasons", hidden: true });
  const none = h("p", { class: "note", hidden: true }, "No reason holds these words.");
  let at = 0;
  let hits = [];

  function show(said = false) {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rank = (one) => (words.every((word) => one.title.toLowerCase().includes(word)) ? 0 : 1);
    hits = words.length
      ? all.filter((one) => words.every((word) => `${one.reason} ${one.title} ${one.description}`.toLowerCase().includes(word))).sort((one, other) => rank(one) - rank(other)).slice(0, AT_MOST)
      : [];
    at = Math.min(at, Math.max(0, hits.length - 1));
    list.hidden = !hits.length;
    none.hidden = !words.length || hits.length > 0;
    filter.setAttribute("aria-expanded", String(hits.length > 0));
    if (hits.length) filter.setAttribute("aria-activedescendant", `found-${at}`);
    else filter.removeAttribute("aria-activedescendant");
    list.replaceChildren(...hits.map((one, number) => h("li", { id: `found-${number}`, role: "option", "aria-selected": String(number === at), onclick: () => chosen(one.reason) },
      h("strong", {}, one.title), " ", h("span", {}, sentence(one.description)))));
    if (said) say(hits.length ? `${hits.length} found: ${hits[0].title} first.` : none.hidden ? "" : none.textContent);
  }

  filter.addEventListener("input", () => {
    at = 0;
    show(true);
  });
  filter.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      at = Math.max(0, Math.min(hits.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)));
      show();
    } else if (event.key === "Enter" && hits[at]) chosen(hits[at].reason);
    else if (event.key === "Escape") {
      filter.value = "";
      show();
      left();
    } else return;
    event.preventDefault();
  });
  return h("div", { class: "finder" }, h("label", { for: "search" }, "Another reason"), filter, list, none);
}
