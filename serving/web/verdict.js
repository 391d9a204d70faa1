// One verdict as a card, and saying that it is wrong.

import { address, post, reasons, titles } from "./api.js";
import { bar, copy, failure, h, percent, say, sureness } from "./dom.js";

const LONG = 1200;

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
  return shown(pieces.filter((piece) => piece !== ""), points.length);
}

/** A text of a server; a long one scrolls, by keyboard, too. */
function shown(pieces, length) {
  const long = length > LONG ? { class: "diagnostic long", tabindex: "0", role: "group", "aria-label": "Diagnostic" } : { class: "diagnostic" };
  return h("p", { ...long, dir: "auto" }, pieces);
}

const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function curl(path, body) {
  return `curl ${address(path)} -H 'content-type: application/json' -d ${shellQuoted(JSON.stringify(body))}`;
}

const RETRYABLE = new Map([[true, "yes"], [false, "no"], [null, "–"]]);

/** A card of one explanation; `request` is what was asked. */
export async function card(request, found, { note } = {}) {
  const names = await titles();
  const facts = [
    ["Report line", found.group],
    ["Retry the same message?", RETRYABLE.get(found.retryable)],
    ["Codes", [found.reply_code, found.enhanced_status].filter(Boolean).join(" ")],
    ["Provider", found.provider],
    ["Blocklist", found.blocklist],
    ["Asked to wait", found.retry_after_seconds ? `${found.retry_after_seconds} seconds` : ""],
    ["Decided by", found.decided_by === "default" ? "nobody: nothing is said" : `the ${found.decided_by}`],
    ["Rules that match", found.rules?.join(", ")],
  ].filter(([, value]) => value);
  const foot = h("div", { class: "buttons" });
  const asJson = h("button", { type: "button", class: "quiet" }, "Copy JSON");
  asJson.addEventListener("click", () => copy(asJson, JSON.stringify(found, null, 2)));
  const asCurl = h("button", { type: "button", class: "quiet" }, "Copy curl");
  asCurl.addEventListener("click", () => copy(asCurl, curl("v1/explain", request)));
  const wrong = h("button", { type: "button", class: "quiet", "aria-expanded": "false" }, "This is wrong");
  const place = h("div", {});
  wrong.addEventListener("click", async () => {
    const open = wrong.getAttribute("aria-expanded") !== "true";
    wrong.setAttribute("aria-expanded", String(open));
    place.replaceChildren();
    if (!open) return;
    try {
      const form = correction(request, found, await reasons());
      place.replaceChildren(form);
      form.querySelector("select").focus();
    } catch (error) {
      place.replaceChildren(failure(error));
    }
  });
  foot.append(asJson, asCurl, wrong);
  return h(
    "article",
    { class: "card" },
    note ? h("p", { class: "note" }, note) : null,
    marked(request.diagnostic, found.highlights),
    h("div", { class: "verdict" },
      h("div", { class: "reason" },
        h("span", { class: `chip ${found.category}` }, found.category),
        h("h3", {}, found.title), h("code", {}, found.reason)),
      h("div", { class: "sure" }, h("span", {}, `${sureness(found.confidence)} sure`), bar(found.confidence, found.category))),
    h("p", { class: "happened" }, sentence(found.description)),
    h("p", { class: `advice ${found.action}` }, h("strong", {}, "What to do: "), found.advice),
    found.degraded ? h("p", { class: "note" }, "No model is loaded: the rules answered alone.") : null,
    found.truncated ? h("p", { class: "note" }, "The text was cut after 16,384 characters.") : null,
    found.alternatives.length
      ? h("div", { class: "alternatives" }, h("h4", {}, "It could also be"),
          h("ul", {}, found.alternatives.map((other) =>
            h("li", {}, h("span", {}, names.get(other.reason) ?? other.reason), bar(other.confidence, "other"),
              h("span", { class: "number" }, percent(other.confidence))))))
      : null,
    h("details", {}, h("summary", {}, "Details"),
      h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      found.evidence.length
        ? h("div", {}, h("h4", {}, "Evidence"), h("ul", { class: "evidence" }, found.evidence.map((piece) =>
            h("li", {}, h("code", {}, piece.text), " ", piece.kind === "rule" ? `rule ${piece.id}` : piece.kind === "code" ? "code" : "words",
              piece.weight === null ? "" : ` +${piece.weight.toFixed(2)}`))))
        : null,
      h("h4", {}, "Template"), shown([found.template || "(empty)"], found.template.length)),
    foot,
    place,
  );
}

export const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1).replace(/\.?$/, ".") : "");

/** Options of all reasons, under the categories of the report. */
export function reasonOptions(all, chosen) {
  const groups = new Map();
  for (const one of all) {
    const name = one.categories.join(" or ");
    if (!groups.has(name)) groups.set(name, h("optgroup", { label: name }));
    groups.get(name).append(h("option", { value: one.reason, selected: one.reason === chosen }, one.title));
  }
  return [...groups.values()];
}

let forms = 0;

function correction(request, found, all) {
  const id = `right-${(forms += 1)}`;
  const select = h("select", { id, required: true },
    h("option", { value: "" }, "Choose the right reason"), reasonOptions(all.filter((one) => one.reason !== found.reason)));
  const meaning = h("p", { class: "note" });
  select.addEventListener("change", () => {
    meaning.textContent = sentence(all.find((one) => one.reason === select.value)?.description ?? "");
  });
  const comment = h("input", { id: `${id}-why`, maxlength: "2000", autocomplete: "off" });
  const send = h("button", { type: "submit" }, "Send correction");
  const told = h("div", {});
  const event = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const form = h("form", { class: "correction" },
    h("label", { for: id }, "What is the right reason?"), select, meaning,
    h("label", { for: `${id}-why` }, "Why? (optional)"), comment,
    h("p", { class: "note" }, "The text is stored with addresses and numbers masked."), send, told);
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    send.disabled = true;
    told.replaceChildren();
    try {
      const body = { ...request, reason: select.value, source: "web", event_id: event };
      if (comment.value.trim()) body.comment = comment.value.trim();
      await post("v1/feedback", body);
      const thanks = h("p", { class: "done", role: "status", tabindex: "-1" }, "Thank you. The correction is stored; it counts at the next training.");
      form.replaceWith(thanks);
      thanks.focus();
      say(thanks.textContent);
    } catch (error) {
      told.replaceChildren(failure(error));
      send.disabled = false;
    }
  });
  return form;
}
