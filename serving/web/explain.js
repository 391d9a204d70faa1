// View 1: paste diagnostics or a bounce message, see why.

import { post } from "./api.js";
import { failure, h, head, plural, say } from "./dom.js";
import { card } from "./verdict.js";

export const title = "Explain a bounce";

const AT_MOST = 200;
const AT_ONCE = 4;

const EXAMPLES = [
  ["Unknown user", "550 5.1.1 <jane@example.com>: Recipient address rejected: User unknown in virtual mailbox table"],
  ["Full mailbox", "host mx.example.net[192.0.2.1] said: 452 4.2.2 The mailbox is over its storage quota (in reply to RCPT TO command)"],
  ["Blocklisted", "554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org"],
  ["Greylisted", "450 4.7.1 Greylisted, please try again in 300 seconds"],
  ["DMARC", "550 5.7.26 Unauthenticated email from example.org is not accepted due to the domain's DMARC policy"],
];

/** Whether a text is a whole message: several header lines, one of them a message's own, before an empty line. */
export function isMessage(text) {
  const lines = text.replace(/^\s+/, "").split(/\r?\n/).slice(0, 200);
  let names = new Set();
  for (const line of lines) {
    if (/^\s*$/.test(line)) break;
    if (/^From \S+ /.test(line) || /^[ \t]/.test(line)) continue;
    const header = /^([A-Za-z][A-Za-z0-9-]*):(\s|$)/.exec(line);
    if (!header) return false;
    names.add(header[1].toLowerCase());
  }
  const own = ["from", "to", "subject", "date", "message-id", "received", "return-path", "content-type", "mime-version"];
  return names.size >= 2 && own.filter((name) => names.has(name)).length >= 2;
}

export function create() {
  const text = h("textarea", { id: "diagnostics", rows: "5", spellcheck: "false", autocomplete: "off", required: true, "aria-describedby": "hint",
    placeholder: "550 5.1.1 <jane@example.com>: User unknown" });
  const send = h("button", { type: "submit" }, "Explain");
  const clear = h("button", { type: "button", class: "quiet" }, "Clear");
  const found = h("section", { class: "cards", "aria-label": "Results" });
  let running = null;

  async function run() {
    if (!text.value.trim()) {
      found.replaceChildren(failure({ title: "Nothing to explain", detail: "Paste what the mail server answered, or choose an example." }));
      text.focus();
      return;
    }
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    send.disabled = true;
    found.setAttribute("aria-busy", "true");
    found.replaceChildren(h("p", { class: "note" }, "Reading…"));
    try {
      if (isMessage(text.value)) await message(text.value, found, signal);
      else await diagnostics(text.value, found, signal);
    } catch (error) {
      if (error.name !== "AbortError") found.replaceChildren(failure(error, run));
    } finally {
      if (!signal.aborted) {
        send.disabled = false;
        found.removeAttribute("aria-busy");
      }
    }
  }

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  clear.addEventListener("click", () => {
    running?.abort();
    send.disabled = false;
    text.value = "";
    found.replaceChildren();
    text.focus();
  });
  return h("div", {},
    head("Why did it bounce?", "Paste what the mail server answered: one diagnostic a line, or a whole bounce message."),
    h("form", { class: "ask", novalidate: true, onsubmit: (event) => { event.preventDefault(); run(); } },
      h("label", { for: "diagnostics" }, "Diagnostics or a bounce message"), text,
      h("div", { class: "buttons" }, send, clear, h("p", { id: "hint", class: "note" }, "Ctrl + Enter explains.")),
      h("div", { class: "examples", role: "group", "aria-label": "Examples" }, h("span", { class: "note", "aria-hidden": "true" }, "Try:"),
        EXAMPLES.map(([name, example]) => h("button", { type: "button", class: "pill", onclick: () => { text.value = example; run(); } }, name)))),
    found);
}

const heading = () => h("h2", { class: "hidden" }, "Results");

async function diagnostics(value, found, signal) {
  const lines = value.split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
  const wanted = lines.slice(0, AT_MOST);
  const cards = new Array(wanted.length).fill(null);
  let next = 0;
  async function work() {
    while (next < wanted.length && !signal.aborted) {
      const place = next;
      next += 1;
      const request = { diagnostic: wanted[place] };
      cards[place] = await card(request, await post("v1/explain", request, { signal }));
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, wanted.length) }, work));
  if (signal.aborted) return;
  const more = lines.length - wanted.length;
  found.replaceChildren(
    heading(),
    more > 0 ? h("p", { class: "notice" }, `Only the first ${AT_MOST} lines are explained here; for a whole file, use `, h("a", { href: "#/report" }, "the bounce report"), ".") : "",
    ...cards);
  say(wanted.length === 1 ? `${found.querySelector("h3").textContent}, ${found.querySelector(".sure").textContent}` : `${plural(wanted.length, "result")}.`);
}

/** A whole message: the service reads it; each recipient's diagnostic is explained. */
async function message(value, found, signal) {
  const read = await post("v1/message", value, { signal, type: "message/rfc822" });
  const records = read.records;
  if (!records.length) {
    found.replaceChildren(h("p", { class: "notice" }, "This message reports no bounce: no recipient and no diagnostic were found in it. If you meant single diagnostics, paste only those lines."));
    say("No bounce in this message.");
    return;
  }
  const cards = [];
  for (const one of records.slice(0, AT_MOST)) {
    const request = { diagnostic: one.diagnostic ?? "" };
    if (one.status) request.enhanced_status = one.status;
    if (one.remote_mta) request.remote_host = one.remote_mta;
    const who = [one.recipient && `Recipient ${one.recipient}`, one.outcome && one.outcome.replaceAll("_", " "), one.kind].filter(Boolean).join(" · ");
    cards.push(await card(request, await post("v1/explain", request, { signal }), { note: who }));
  }
  if (signal.aborted) return;
  found.replaceChildren(heading(), h("p", { class: "notice" }, `Read as a bounce message: ${plural(records.length, "recipient")}.`), ...cards);
  say(`A bounce message with ${plural(records.length, "recipient")}.`);
}
