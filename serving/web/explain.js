// View 1: paste diagnostics or a bounce message, see why.

import { post, vocabulary } from "./api.js";
import { bar, count, failure, h, head, plural, reveal, say } from "./dom.js";
import { counted, curl, diagnosticsOf, messageOf } from "./texts.js";
import { card, copying } from "./verdict.js";

export const title = "Explain a bounce";

const AT_MOST = 200;
const AT_ONCE = 4;
const LARGEST_DROP = 5_000_000;

const EXAMPLES = [
  ["Unknown user", "550 5.1.1 <jane@example.com>: Recipient address rejected: User unknown in virtual mailbox table"],
  ["Full mailbox", "host mx.example.net[192.0.2.1] said: 452 4.2.2 The mailbox is over its storage quota (in reply to RCPT TO command)"],
  ["Blocklisted", "554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org"],
  ["Greylisted", "450 4.7.1 Greylisted, please try again in 300 seconds"],
  ["DMARC", "550 5.7.26 Unauthenticated email from example.org is not accepted due to the domain's DMARC policy"],
];

export function create() {
  const text = h("textarea", { id: "diagnostics", rows: "5", spellcheck: "false", autocomplete: "off", required: true, "aria-describedby": "hint",
    placeholder: "550 5.1.1 <jane@example.com>: User unknown" });
  const send = h("button", { type: "submit" }, "Explain");
  const found = h("section", { class: "cards", "aria-label": "Results" });
  let running = null;

  function missing() {
    found.replaceChildren(failure({ title: "Nothing to explain", detail: "Paste what the mail server answered, or choose an example." }));
    text.setAttribute("aria-invalid", "true");
    text.focus();
  }

  async function run({ asLines = false } = {}) {
    if (!text.value.trim()) return missing();
    text.removeAttribute("aria-invalid");
    running?.abort();
    const mine = new AbortController();
    running = mine;
    send.disabled = true;
    found.setAttribute("aria-busy", "true");
    const waiting = h("p", { class: "note waiting" }, "Reading…");
    found.replaceChildren(waiting);
    const progress = (done, all) => { if (all > AT_ONCE) waiting.textContent = `Reading: ${count(done)} of ${count(all)}…`; };
    const message = asLines ? null : messageOf(text.value);
    try {
      const shown = message ? await ofMessage(message, mine.signal, progress) : await ofLines(text.value, mine.signal, progress);
      if (mine.signal.aborted) return;
      found.replaceChildren(...shown.nodes);
      reveal(found);
      say(shown.said);
    } catch (error) {
      if (mine.signal.aborted) return;
      mine.abort(); // the requests that are still under way would be answered for nobody
      found.replaceChildren(failure(error, run));
      if (message && error.status === 422) {
        found.replaceChildren(failure({ title: "This is no bounce message", detail: "It is neither a bounce nor an automatic reply. Paste the whole message with its header, or only what the server said." }));
        found.firstChild.append(h("button", { type: "button", class: "secondary", onclick: () => run({ asLines: true }) }, "Explain its lines one by one"));
      }
    } finally {
      if (running === mine) {
        send.disabled = false;
        found.removeAttribute("aria-busy");
      }
    }
  }

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  const clear = h("button", { type: "button", class: "quiet", onclick: () => {
    running?.abort();
    running = null;
    send.disabled = false;
    found.removeAttribute("aria-busy");
    text.value = "";
    found.replaceChildren();
    text.focus();
  } }, "Clear");
  const form = h("form", { class: "ask", novalidate: true, onsubmit: (event) => { event.preventDefault(); run(); } },
    h("label", { for: "diagnostics" }, "Diagnostics or a bounce message"), text,
    h("div", { class: "buttons" }, send, clear, h("p", { id: "hint", class: "note keyboard" }, "Ctrl + Enter explains.")),
    h("div", { class: "examples", role: "group", "aria-label": "Examples" }, h("span", { class: "note", "aria-hidden": "true" }, "Try:"),
      EXAMPLES.map(([name, example]) => h("button", { type: "button", class: "pill", onclick: () => { text.value = example; run(); } }, name))));
  form.addEventListener("drop", async (event) => {
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    if (file.size > LARGEST_DROP) {
      found.replaceChildren(failure({ title: "This file is large", detail: "Whole files are for the bounce report: open it above, and drop the file there." }));
      return;
    }
    text.value = await file.text();
    run();
  });
  return h("div", {}, head("Why did it bounce?", "Paste what the mail server answered, one diagnostic a line, or a whole bounce message."), form, found);
}

/** Ask for several explanations, a few at a time, and keep their order. */
async function explained(requests, signal, progress) {
  const answers = new Array(requests.length).fill(null);
  let next = 0;
  let done = 0;
  async function work() {
    while (next < requests.length && !signal.aborted) {
      const place = next;
      next += 1;
      answers[place] = await post("v1/explain", requests[place], { signal });
      progress((done += 1), requests.length);
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, requests.length) }, work));
  return answers;
}

const heading = () => h("h2", { class: "hidden" }, "Results");

/** What several results have in common, and all of them to take along. */
function summary(what, answers, times, command) {
  if (answers.length < 2) return null;
  const tally = {};
  answers.forEach((one, place) => { tally[one.category] = (tally[one.category] ?? 0) + times[place]; });
  const all = times.reduce((sum, one) => sum + one, 0);
  const doubtful = answers.filter((one) => one.action === "review").length;
  return h("div", { class: "summing" },
    h("p", {}, h("strong", {}, what), doubtful ? ` ${count(doubtful)} to look at.` : ""),
    h("ul", { class: "tally" }, ["hard", "soft", "technical", "other"].filter((one) => tally[one]).map((category) =>
      h("li", {}, h("span", { class: `chip ${category}` }, category), bar(tally[category] / all, category), h("span", { class: "number" }, count(tally[category]))))),
    h("div", { class: "buttons" }, copying("Copy all as JSON", () => JSON.stringify(answers, null, 2)), copying("Copy one curl for all", command)));
}

async function ofLines(value, signal, progress) {
  const times = counted(diagnosticsOf(value));
  const requests = [...times.keys()].slice(0, AT_MOST).map((diagnostic) => ({ diagnostic }));
  const answers = await explained(requests, signal, progress);
  const given = requests.map((one) => times.get(one.diagnostic));
  const cards = await Promise.all(requests.map((one, place) => card(one, answers[place], { times: given[place] })));
  const sum = given.reduce((all, one) => all + one, 0);
  const what = sum === requests.length ? `${plural(sum, "diagnostic")}.` : `${plural(sum, "diagnostic")}, ${count(requests.length)} different.`;
  return {
    nodes: [
      heading(),
      times.size > AT_MOST ? h("p", { class: "notice warn" }, `Only the first ${AT_MOST} are explained here; for a whole file, use `, h("a", { href: "#/report" }, "the bounce report"), ".") : "",
      summary(what, answers, given, () => curl("v1/predict/batch", { diagnostics: requests })) ?? "",
      ...cards,
    ],
    said: requests.length === 1 ? `${answers[0].title}, ${cards[0].querySelector(".sure").textContent}` : what,
  };
}

/** A whole message: the service reads it; each recipient's diagnostic is explained. */
async function ofMessage(value, signal, progress) {
  const { records, cut } = await post("v1/message", value, { signal, type: "message/rfc822" });
  if (!records.length) {
    const nothing = "This message reports no bounce: neither a recipient nor a diagnostic stands in it.";
    return { nodes: [h("p", { class: "notice" }, nothing)], said: nothing };
  }
  const some = records.slice(0, AT_MOST);
  const requests = some.map((one) => ({
    diagnostic: one.diagnostic ?? "", ...(one.status ? { enhanced_status: one.status } : {}), ...(one.remote_mta ? { remote_host: one.remote_mta } : {}),
  }));
  const answers = await explained(requests, signal, progress);
  const known = await vocabulary();
  some.forEach(({ prediction }, place) => {
    if (prediction.reason === answers[place].reason) return;
    // The message itself says more than its text: a notice that it is no bounce stays one.
    const { advice, description } = known.get(prediction.reason) ?? answers[place];
    answers[place] = { ...answers[place], ...prediction, advice, description, highlights: [] };
  });
  const cards = await Promise.all(some.map((one, place) => card(requests[place], answers[place], {
    note: [one.recipient ?? "Recipient not named", one.outcome.replaceAll("_", " "), one.kind?.replaceAll("_", " ")].filter(Boolean).join(" · ") })));
  const what = `A bounce message with ${plural(records.length, "recipient")}.`;
  return {
    nodes: [
      heading(),
      summary(what, answers, some.map(() => 1), () => curl("v1/message", value, "message/rfc822")) ?? h("p", { class: "note" }, what),
      cut ? h("p", { class: "notice warn" }, "The message is too long or too deeply nested to be read whole.") : "",
      records.length > AT_MOST ? h("p", { class: "notice warn" }, `Only the first ${AT_MOST} recipients are shown.`) : "",
      ...cards,
    ],
    said: what,
  };
}
