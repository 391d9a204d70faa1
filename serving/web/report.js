// View 2: a file in, the fifteen lines of the bounce report out.

import { reasons, upload } from "./api.js";
import { empty, failure, h, head, plural, save, say, size } from "./dom.js";
import { drawn } from "./lines.js";

export const title = "Bounce report";

/** What the service reads, in the words of those who have such files. */
const FORMATS = {
  "Tables and lists": { csv: "CSV with commas", "csv-semicolon": "CSV with semicolons", tsv: "TSV (tabs)", jsonl: "JSON Lines", text: "Text, one diagnostic a line" },
  Mail: { message: "One bounce message (.eml)", mbox: "A mailbox (mbox)" },
  "Logs of mail servers": { postfix: "Postfix", exim: "Exim", sendmail: "Sendmail", qmail: "qmail", opensmtpd: "OpenSMTPD", exchange: "Exchange", powermta: "PowerMTA", kumomta: "KumoMTA" },
  "Events of sending services": { ses: "Amazon SES", sendgrid: "SendGrid", mailgun: "Mailgun", postmark: "Postmark", sparkpost: "SparkPost", mailjet: "Mailjet", brevo: "Brevo", "kumomta-hook": "KumoMTA webhook", generic: "Other JSON" },
};
const UNKNOWN = "None of the known formats was recognised in it. Known are CSV, TSV and JSON Lines, logs of mail servers, events of sending services, bounce messages and mailboxes. If it is one of these, say which:";

const largest = Number(document.querySelector('meta[name="max-report"]').content);

export function create() {
  const input = h("input", { type: "file", id: "file", class: "hidden", "aria-describedby": "file-hint" });
  const prompt = h("strong", {}, "Choose a file");
  const drop = h("label", { for: "file", class: "drop" },
    h("span", {}, prompt, " or drop it here"),
    h("span", { id: "file-hint", class: "note" }, `CSV, JSON Lines, a mail server's log, a bounce message or a mailbox, packed (.gz, .zst, .bz2) or not, up to ${size(largest)}. The service keeps nothing of it.`));
  const out = h("section", { class: "out", "aria-label": "Report" });
  const view = h("div", { class: "report" }, head("Bounce report", "What bounced, why, and what to do about it: from a log, an export or a mailbox."), input, drop, out);
  let running = null;

  async function run(file, form = "") {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    const { signal } = mine;
    const progress = h("progress", { max: "1", value: 0, "aria-label": "Upload" });
    const state = h("p", {}, `Sending ${file.name} (${size(file.size)})…`);
    const stop = h("button", { type: "button", class: "secondary" }, "Stop");
    stop.addEventListener("click", () => mine.abort());
    out.replaceChildren(h("div", { class: "card progress" }, state, progress, stop));
    out.setAttribute("aria-busy", "true");
    say(`Sending ${file.name}`);
    let reading = 0;
    try {
      if (!file.size) throw { title: "The file is empty", detail: `${file.name} holds nothing. Choose another file.`, status: 413 };
      if (file.size > largest) {
        throw { title: "The file is too large", status: 413,
          detail: `It has ${size(file.size)}; up to ${size(largest)} can be sent here. Pack it (gzip), send its parts, or use “whybounce report” on the command line.` };
      }
      const found = await upload(`v1/report?name=${encodeURIComponent(file.name.slice(0, 255))}${form && `&input=${form}`}`, file, {
        signal,
        onprogress(sent, all) {
          progress.value = sent / all;
          state.textContent = `Sending ${file.name}: ${size(sent)} of ${size(all)}`;
          if (sent < all || reading) return;
          progress.removeAttribute("value");
          progress.setAttribute("aria-label", "Reading");
          say("All is sent. Reading and counting.");
          const since = Date.now();
          const tell = () => { state.textContent = `Reading and counting… ${Math.round((Date.now() - since) / 1000)} s`; };
          tell();
          reading = setInterval(tell, 1000);
        },
      });
      if (signal.aborted) return;
      const known = new Map((await reasons()).map((one) => [one.reason, one]));
      const again = (as, type) => upload(`v1/report?format=${as}&name=${encodeURIComponent(file.name.slice(0, 255))}${form && `&input=${form}`}`, file, { asText: true })
        .then((text) => save(`${stem(file.name)}-bounces.${as}`, text, type));
      out.replaceChildren(...drawn(found, file.name, known, { again, save: (as, text, type) => save(`${stem(file.name)}-bounces.${as}`, text, type) }));
      prompt.textContent = "Choose another file";
      view.classList.add("done-once");
      say(`The report is ready: ${plural(found.bounced, "bounce")}.`);
      out.querySelector("h2")?.focus({ preventScroll: true });
    } catch (error) {
      if (running !== mine) return;
      if (error.name === "AbortError") {
        out.replaceChildren(h("p", { class: "notice" }, "Stopped. Nothing was counted."));
        say("Stopped.");
      } else if (error.status === 422 && !form) out.replaceChildren(unknown(file, (as) => run(file, as)));
      else if (error.status === 422) out.replaceChildren(failure({ ...error, title: "It could not be read so", detail: error.detail }), unknown(file, (as) => run(file, as)));
      else out.replaceChildren(failure(error, () => run(file, form)));
    } finally {
      clearInterval(reading);
      if (running === mine) out.removeAttribute("aria-busy");
      input.value = "";
    }
  }

  input.addEventListener("change", () => input.files[0] && run(input.files[0]));
  // The whole view takes the file: nobody has to aim.
  const over = (on) => (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    if (on) event.preventDefault();
    if (on || !view.contains(event.relatedTarget)) drop.classList.toggle("over", on);
  };
  view.addEventListener("dragenter", over(true));
  view.addEventListener("dragover", over(true));
  view.addEventListener("dragleave", over(false));
  view.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (!event.dataTransfer.files[0]) return;
    event.preventDefault();
    run(event.dataTransfer.files[0]);
  });
  out.append(empty("No report yet", "Choose what your mail server or provider wrote. You get the fifteen lines of the bounce report, each with its reasons and examples."));
  return view;
}

const stem = (name) => name.replace(/(\.[A-Za-z0-9]{1,5}){1,2}$/, "") || "report";

/** No format was recognised: the person knows which it is, or that it is the wrong file. */
function unknown(file, retry) {
  const select = h("select", { id: "format" }, Object.entries(FORMATS).map(([group, members]) =>
    h("optgroup", { label: group }, Object.entries(members).map(([name, label]) => h("option", { value: name }, label)))));
  const form = h("form", { class: "failure", onsubmit: (event) => { event.preventDefault(); retry(select.value); } },
    h("p", { role: "alert" }, h("strong", {}, `${file.name} could not be read.`), ` ${UNKNOWN}`),
    h("label", { for: "format" }, "The file is"),
    h("div", { class: "row" }, select, h("button", { type: "submit", class: "secondary" }, "Read it so")));
  return form;
}
