// Saying that a verdict is wrong, and which reason is right.

import { post, reasons } from "./api.js";
import { failure, h, say, sentence } from "./dom.js";

/** An id of its own for what is sent: sent again, it is stored once. */
export const newId = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

/** Options of all reasons, under the categories of the report. */
export function reasonOptions(all) {
  const groups = new Map();
  for (const one of all) {
    const name = one.categories.join(" or ");
    if (!groups.has(name)) groups.set(name, h("optgroup", { label: name[0].toUpperCase() + name.slice(1) }));
    groups.get(name).append(h("option", { value: one.reason }, one.title));
  }
  return [...groups.values()];
}

/** The button that opens the form, and the place where it opens. */
export function correctable(request, found) {
  const place = h("div", { class: "place" });
  const button = h("button", { type: "button", class: "quiet", "aria-expanded": "false" }, "This is wrong");
  const close = () => {
    button.setAttribute("aria-expanded", "false");
    place.replaceChildren();
  };
  async function open() {
    button.setAttribute("aria-expanded", "true");
    try {
      const form = correction(request, found, await reasons(), button, () => { close(); button.focus(); });
      place.replaceChildren(form);
      form.querySelector("select").focus();
    } catch (error) {
      place.replaceChildren(failure(error, open));
    }
  }
  button.addEventListener("click", () => (button.getAttribute("aria-expanded") === "true" ? close() : open()));
  return { button, place };
}

let forms = 0;

function correction(request, found, all, button, cancel) {
  const id = `right-${(forms += 1)}`;
  const select = h("select", { id, required: true, "aria-describedby": `${id}-meaning` },
    h("option", { value: "" }, "Choose the right reason"), reasonOptions(all.filter((one) => one.reason !== found.reason)));
  const likely = found.alternatives.slice(0, 3).map(({ reason }) => all.find((one) => one.reason === reason)).filter(Boolean);
  const meaning = h("p", { class: "note", id: `${id}-meaning` });
  const chosen = () => all.find((one) => one.reason === select.value);
  let sent = newId();
  const changed = () => {
    meaning.textContent = sentence(chosen()?.description ?? "");
    sent = newId();
  };
  const comment = h("input", { id: `${id}-why`, maxlength: "2000", autocomplete: "off", oninput: () => { sent = newId(); } });
  const send = h("button", { type: "submit" }, "Send correction");
  const told = h("div", { class: "place" });
  select.addEventListener("change", changed);
  const pick = (reason) => {
    select.value = reason;
    changed();
    send.focus();
  };
  const form = h("form", { class: "correction" },
    h("label", { for: id }, "What is the right reason?"),
    likely.length
      ? h("div", { class: "examples", role: "group", "aria-label": "Likely reasons" },
          likely.map((one) => h("button", { type: "button", class: "pill", onclick: () => pick(one.reason) }, one.title)))
      : null,
    select, meaning,
    h("label", { for: `${id}-why` }, "Why? (optional)"), comment,
    h("p", { class: "note" }, "The text is stored with addresses and numbers masked. Please name nobody in the comment."),
    h("div", { class: "buttons" }, send, h("button", { type: "button", class: "secondary", onclick: cancel }, "Cancel")), told);
  async function submit() {
    send.disabled = true;
    told.replaceChildren();
    try {
      const body = { ...request, reason: select.value, source: "web", event_id: sent };
      if (comment.value.trim()) body.comment = comment.value.trim();
      await post("v1/feedback", body);
      const thanks = h("p", { class: "done", tabindex: "-1" }, `Thank you. “${chosen().title}” is stored as the right reason; it counts at the next training.`);
      form.replaceWith(thanks);
      button.hidden = true;
      thanks.focus();
      say(thanks.textContent);
    } catch (error) {
      told.replaceChildren(failure(error, submit));
      send.disabled = false;
    }
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel();
  });
  return form;
}
