// View 2: a file in, the fifteen lines of the bounce report out.

import { upload } from "./api.js";
import { bar, count, empty, failure, h, head, percent, plural, save, say } from "./dom.js";
import { sentence } from "./verdict.js";

export const title = "Bounce report";

const CATEGORIES = { hard: "the address is not good", soft: "the address exists but cannot receive now", technical: "a problem at the mail server" };
const SIZES = ["bytes", "kB", "MB", "GB"];

function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit ? value.toFixed(1) : value} ${SIZES[unit]}`;
}

export function create() {
  const input = h("input", { type: "file", id: "file", class: "hidden", "aria-describedby": "file-hint",
    accept: ".csv,.tsv,.json,.jsonl,.ndjson,.log,.txt,.mbox,.eml,.gz,.bz2,.xz,.zst,.zip" });
  const drop = h("label", { for: "file", class: "drop" },
    h("strong", {}, "Choose a file"), h("span", {}, " or drop it here"),
    h("span", { id: "file-hint", class: "note" }, "CSV, JSON Lines, an MTA's log or a mailbox (mbox); packed or not."));
  const out = h("section", { class: "out", "aria-label": "Report" });
  let running = null;

  async function run(file) {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    const progress = h("progress", { max: "1", value: 0, "aria-label": "Upload" });
    const state = h("p", { class: "note" }, `Sending ${file.name} (${size(file.size)})…`);
    const stop = h("button", { type: "button", class: "secondary" }, "Stop");
    stop.addEventListener("click", () => running.abort());
    out.replaceChildren(h("div", { class: "progress" }, state, progress, stop));
    out.setAttribute("aria-busy", "true");
    say(`Sending ${file.name}`);
    try {
      if (!file.size) throw { title: "The file is empty", detail: `${file.name} holds nothing. Choose another file.` };
      const found = await upload(`v1/report?name=${encodeURIComponent(file.name)}`, file, {
        signal,
        onprogress(sent, all) {
          progress.value = sent / all;
          state.textContent = sent < all ? `Sending ${file.name}: ${size(sent)} of ${size(all)}` : "All is sent. Reading and counting…";
          if (sent >= all) progress.removeAttribute("value");
        },
      });
      if (signal.aborted) return;
      out.replaceChildren(...drawn(found, file));
      say(`The report is ready: ${plural(found.bounced, "bounce")}.`);
      out.querySelector("h2")?.focus();
    } catch (error) {
      if (running.signal !== signal) return;
      if (error.name === "AbortError") out.replaceChildren(h("p", { class: "notice", role: "status" }, "Stopped. Nothing was counted."));
      else out.replaceChildren(failure(error, () => run(file)));
    } finally {
      if (running.signal === signal) out.removeAttribute("aria-busy");
      input.value = "";
    }
  }

  input.addEventListener("change", () => input.files[0] && run(input.files[0]));
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) run(event.dataTransfer.files[0]);
  });
  out.append(empty("No report yet", "Choose what your mail server or provider wrote. You get the fifteen lines of the bounce report, each with its reasons and examples."));
  return h("div", {}, head("Bounce report", "What bounced, why, and what to do about it: from a log, an export or a mailbox."), input, drop, out);
}

/** Another form of the report: the service makes it of the same file, as its command line does. */
async function download(button, file, form, type) {
  const label = button.textContent;
  button.disabled = true;
  button.textContent = "Making it…";
  try {
    const text = await upload(`v1/report?format=${form}&name=${encodeURIComponent(file.name)}`, file, { asText: true });
    save(`${stem(file)}-bounces.${form}`, text, type);
  } catch (error) {
    button.parentElement.after(failure(error));
  } finally {
    button.disabled = false;
    button.textContent = label;
  }
}

const stem = (file) => file.name.replace(/\.[^.]*$/, "") || "report";

function maker(label, file, form, type) {
  const button = h("button", { type: "button", class: "secondary" }, label);
  button.addEventListener("click", () => download(button, file, form, type));
  return button;
}

function drawn(found, file) {
  const figures = [["Bounced", found.bounced], ["Delivered", found.delivered], ["Put off", found.deferred], ["Not a bounce", found.not_bounces]];
  const most = Math.max(1, ...found.lines.map((line) => line.count));
  const skipped = found.sources.reduce((sum, source) => sum + source.skipped, 0);
  const read = found.sources.reduce((sum, source) => sum + source.records, 0);
  const forms = found.sources.map((source) => source.format).filter((form, place, all) => all.indexOf(form) === place).join(", ");
  return [
    h("h2", { tabindex: "-1" }, file.name),
    h("p", { class: "note" }, `Read as ${forms || "unknown"}: ${plural(read, "record")}${skipped ? `, ${count(skipped)} could not be read` : ""}.`),
    h("div", { class: "figures" }, figures.map(([label, value]) => h("div", {}, h("strong", {}, count(value)), h("span", {}, label)))),
    found.bounced === 0 ? h("p", { class: "notice" }, "No bounce is in this file. Is it the right one?") : null,
    h("div", { class: "buttons" },
      maker("Download CSV", file, "csv", "text/csv"),
      h("button", { type: "button", class: "secondary", onclick: () => save(`${stem(file)}-bounces.json`, `${JSON.stringify(found, null, 1)}\n`, "application/json") }, "Download JSON"),
      maker("Download HTML", file, "html", "text/html")),
    incidents(found),
    Object.entries(CATEGORIES).map(([category, meaning]) => {
      const lines = found.lines.filter((line) => line.category === category);
      return h("section", { class: "category", "aria-labelledby": `category-${category}` },
        h("h3", { id: `category-${category}` }, h("span", { class: `chip ${category}` }, category), ` ${count(lines.reduce((sum, line) => sum + line.count, 0))} `, h("small", {}, meaning)),
        lines.map((line) => row(line, most)));
    }),
    found.other.length
      ? h("section", { class: "category", "aria-labelledby": "category-other" },
          h("h3", { id: "category-other" }, h("span", { class: "chip other" }, "other"), ` ${count(found.other.reduce((sum, one) => sum + one.count, 0))} `, h("small", {}, "nothing was said")),
          found.other.map((one) => h("div", { class: "line" }, h("div", { class: "summary" }, h("span", { class: "name" }, one.reason), bar(one.count / most, "other"), h("span", { class: "number" }, count(one.count)), h("span", { class: "number" })))))
      : null,
    actions(found.actions),
    table("By provider", found.by_provider, 12),
    table("By domain", found.by_domain, 12),
    table("By campaign", found.by_campaign, 12),
    table("By day", found.by_day, 31),
  ].flat(Infinity).filter(Boolean);
}

function row(line, most) {
  const top = [h("span", { class: "name" }, line.line), bar(line.count / most, line.category), h("span", { class: "number" }, count(line.count)), h("span", { class: "number share" }, percent(line.share, 1))];
  if (!line.count) return h("div", { class: "line none" }, h("div", { class: "summary" }, top));
  return h("details", { class: "line" }, h("summary", { class: "summary" }, top),
    h("div", { class: "inside" }, h("p", { class: "note" }, sentence(line.description)),
      line.reasons.map((reason) => h("div", {}, h("h4", {}, reason.reason, " ", h("small", {}, count(reason.count))),
        h("ul", { class: "templates" }, reason.templates.map((one) => h("li", {},
          h("span", { class: "number" }, `${count(one.count)} ×`),
          h("span", {}, h("span", { class: "diagnostic", dir: "auto" }, one.example || "(no text)"), one.template && one.template !== one.example ? h("code", { dir: "auto" }, one.template) : null))))))));
}

function incidents(found) {
  return found.incidents.map((one) => h("div", { class: "notice warn" },
    h("p", {}, h("strong", {}, `Incident at ${one.provider}: `), `${one.start} to ${one.end}, ${plural(one.count, "bounce")}, ${count(one.held_back)} held back. ${one.warning}`),
    h("code", { dir: "auto" }, one.template)));
}

const DOING = { suppress: "to suppress", retry: "to try again", review: "to look at", keep: "to keep" };

function actions(found) {
  return h("section", { class: "category", "aria-labelledby": "actions" }, h("h3", { id: "actions" }, "What to do with the addresses"),
    h("div", { class: "figures" }, Object.entries(DOING).map(([name, label]) => h("div", {}, h("strong", {}, count(found[name] ?? 0)), h("span", {}, label)))));
}

function table(caption, rows, most) {
  if (!rows?.length) return null;
  return h("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, h("table", {}, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ["", "Bounced", "Hard", "Soft", "Technical"].map((name) => (name ? h("th", { scope: "col", class: "number" }, name) : h("td", {}))))),
    h("tbody", {}, rows.slice(0, most).map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), ["bounced", "hard", "soft", "technical"].map((name) => h("td", { class: "number" }, count(one[name]))))))),
    rows.length > most ? h("p", { class: "note" }, `${count(rows.length - most)} more are in the downloads.`) : null);
}
