// Small helpers: building elements from text (never from markup), numbers, announcements.

import { askForKey, currentKey } from "./key.js";

/** Build an element. Strings become text nodes, so nothing that a server said can become markup. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Build an element of a drawing. */
export function s(tag, props = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A bar from 0 to 1, drawn rather than styled: the page allows no inline style. */
export function bar(share, kind = "") {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return s(
    "svg",
    { class: `meter ${kind}`, viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "rail", x: 0, y: 0, width: 100, height: 6 }),
    s("rect", { class: "fill", x: 0, y: 0, width: share > 0 ? Math.max(width, 0.8) : 0, height: 6 }),
  );
}

const whole = new Intl.NumberFormat("en");

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));

/** As percent; what is not certain is never shown as 100 %. */
export function percent(share, digits = 0) {
  const shown = (100 * share).toFixed(digits);
  if (share < 1 && Number(shown) === 100) return digits ? `>99.${"9".repeat(digits)} %` : ">99 %";
  if (share > 0 && Number(shown) === 0) return digits ? `<0.${"0".repeat(digits - 1)}1 %` : "<1 %";
  return `${shown} %`;
}

/** A confidence: rounded to 1 it is still no certainty. */
export const sureness = (confidence) => (confidence >= 0.995 ? ">99 %" : percent(confidence));

const SIZES = ["bytes", "kB", "MB", "GB"];

/** A number of bytes. */
export function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit ? value.toFixed(1) : value} ${SIZES[unit]}`;
}

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A sentence of a text that has neither a capital nor a full stop. */
export const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1).replace(/[.]?$/, ".") : "");

/** A text of a server, as it came; a long one scrolls, by keyboard, too. */
export function verbatim(pieces, length, long = 1200) {
  const more = length > long ? { class: "diagnostic long", tabindex: "0", role: "group", "aria-label": "Text of the server" } : { class: "diagnostic" };
  return h("p", { ...more, dir: "auto" }, length ? pieces : h("em", {}, "(no text)"));
}

/** Show what came last where it can be seen, below what was entered. */
export function reveal(element) {
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > innerHeight * 0.55) {
    element.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }
}

let speaking = 0;

/** Tell a screen reader. */
export function say(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  clearTimeout(speaking);
  speaking = setTimeout(() => { live.textContent = text; }, 60);
}

/** Copy a text, and say on the button that it worked. */
export async function copy(button, text) {
  const label = button.dataset.label ?? button.textContent;
  button.dataset.label = label;
  let done = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https a browser may have no clipboard; the old way still works there.
    const area = h("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    if (!document.execCommand("copy")) done = "Not allowed by the browser";
    area.remove();
    button.focus();
  }
  button.textContent = done;
  say(done);
  setTimeout(() => { button.textContent = label; }, 1600);
}

/** Let the browser save a text as a file. */
export function save(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** An error as text, with what to do: try again, or take a key that is allowed to. */
export function failure(error, retry) {
  const title = error.title ?? "It did not work";
  const box = h(
    "div",
    { class: "failure", role: "alert" },
    h("p", {}, h("strong", {}, /[.?!]$/.test(title) ? title : `${title}.`), " ", error.detail ?? String(error.message ?? error)),
    error.errors?.length
      ? h("ul", {}, error.errors.slice(0, 8).map((item) => h("li", {}, h("code", {}, item.location), `: ${item.message}`)))
      : null,
  );
  if (!retry) return box;
  if (error.status === 401 || error.status === 403) {
    const why = currentKey() ? error.detail : "missing";
    const another = async () => (await askForKey(why)) && retry();
    box.append(h("button", { type: "button", class: "secondary", onclick: another }, currentKey() ? "Use another key" : "Enter a key"));
  } else if (error.status !== 413) {
    box.append(h("button", { type: "button", class: "secondary", onclick: () => retry() }, "Try again"));
  }
  return box;
}

export function head(title, text) {
  return h("div", { class: "head" }, h("h1", { tabindex: "-1" }, title), text ? h("p", { class: "lead" }, text) : null);
}

export function empty(title, ...text) {
  return h("div", { class: "empty" }, h("h2", {}, title), text.map((one) => (typeof one === "string" ? h("p", {}, one) : one)));
}
