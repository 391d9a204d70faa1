// One verdict as a card.

import { vocabulary } from "./api.js";
import { correctable } from "./correction.js";
import { bar, copy, count, h, percent, sentence, sureness, verbatim } from "./dom.js";
import { curl } from "./texts.js";

/** The diagnostic with the words that decided marked. Offsets count code points, JavaScript counts halves. */
export function marked(text, highlights) {
  const points = Array.from(text);
  const pieces = [];
  let at = 0;
  for (const { start, end } of highlights) {
    pieces.push(points.slice(at, start).join(""), h("mark", {}, points.slice(start, end).join("")));
    at = end;
  }
  pieces.push(points.slice(at).join(""));
  return verbatim(pieces.filter((piece) => piece !== ""), points.length);
}

const RETRYABLE = new Map([[true, "Yes, it may succeed later"], [false, "No, something has to change first"]]);
const DECIDED = { model: "The model", rules: "The rules", default: "Nobody: the text says nothing" };

function seconds(value) {
  if (value < 120) return `${count(value)} seconds`;
  return value < 7200 ? `${count(Math.round(value / 60))} minutes` : `${count(Math.round(value / 3600))} hours`;
}

/** A button that copies what `make` makes. */
export function copying(label, make) {
  const button = h("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", () => copy(button, make()));
  return button;
}

/** A card of one explanation; `request` is what was asked. */
export async function card(request, found, { note, times = 1 } = {}) {
  const known = await vocabulary([found.reason, ...found.alternatives.map((one) => one.reason)]);
  const { button, place } = correctable(request, found);
  const unsure = found.action === "review" && found.alternatives.length > 0;
  return h(
    "article",
    { class: `card ${found.category}` },
    note || times > 1 ? h("p", { class: "note" }, [note, times > 1 && `Given ${count(times)} times`].filter(Boolean).join(" · ")) : null,
    marked(request.diagnostic, found.highlights),
    h("div", { class: "verdict" },
      h("div", { class: "reason" },
        h("h3", {}, unsure ? h("span", { class: "perhaps" }, "Perhaps ") : null, found.title),
        h("span", { class: `chip ${found.category}` }, found.category), h("code", {}, found.reason)),
      h("div", { class: "sure" }, h("span", {}, `${sureness(found.confidence)} sure`), bar(found.confidence, found.category))),
    h("div", { class: "words" },
      h("p", {}, sentence(found.description)),
      h("p", { class: `advice ${found.action}` }, h("strong", {}, "What to do: "), found.advice)),
    found.degraded ? h("p", { class: "notice warn" }, "No model is loaded: the rules answered alone.") : null,
    found.truncated ? h("p", { class: "notice warn" }, "The text was cut after 16,384 characters.") : null,
    found.alternatives.length
      ? h("div", { class: "alternatives" }, h("h4", {}, "It could also be"),
          h("ul", {}, found.alternatives.map((other) =>
            h("li", {}, h("span", {}, known.get(other.reason)?.title ?? other.reason), bar(other.confidence, "other"),
              h("span", { class: "number" }, percent(other.confidence))))))
      : null,
    details(found),
    h("div", { class: "buttons" }, copying("Copy JSON", () => JSON.stringify(found, null, 2)),
      copying("Copy curl", () => curl("v1/explain", request)), request.diagnostic.trim() ? button : null),
    place,
  );
}

function details(found) {
  const facts = [
    ["Line of the report", found.group],
    ["Send the same again?", RETRYABLE.get(found.retryable)],
    ["Codes", [found.reply_code, found.enhanced_status].filter(Boolean).join(" ")],
    ["Provider", found.provider],
    ["Blocklist", found.blocklist],
    ["Asked to wait", found.retry_after_seconds ? seconds(found.retry_after_seconds) : ""],
    ["Decided by", DECIDED[found.decided_by] ?? found.decided_by],
    ["Rules that match", found.rules?.length ? found.rules.map((rule) => h("code", { class: "rule" }, rule)) : null],
  ].filter(([, value]) => value);
  return h("details", {}, h("summary", {}, "Details"),
    h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    found.evidence.length
      ? h("div", {}, h("h4", {}, "What decided, and how much"), h("ul", { class: "evidence" }, found.evidence.map((piece) =>
          h("li", {}, h("code", {}, piece.text), " ", piece.kind === "rule" ? `rule ${piece.id}` : piece.kind === "code" ? "code" : "words",
            piece.weight === null ? "" : ` +${piece.weight.toFixed(2)}`))))
      : null,
    h("h4", {}, "What the model read"), verbatim([found.template], found.template.length));
}
