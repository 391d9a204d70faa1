// The bounce report, drawn: figures, fifteen lines with what is behind them, tables.

import { bar, count, failure, h, percent, plural, s, sentence } from "./dom.js";

const CATEGORIES = { hard: "the address is not good", soft: "the address exists but cannot receive now", technical: "a problem at the mail server", other: "nothing was said" };
const DOING = { suppress: "to suppress", retry: "to try again", review: "to look at", keep: "to keep" };

/** All of it; `out` makes the downloads. */
export function drawn(found, name, known, out) {
  const figures = [["Bounced", found.bounced], ["Delivered", found.delivered], ["Put off for now", found.deferred], ["Not a bounce", found.not_bounces], ...(found.complaints ? [["Complaints", found.complaints]] : [])];
  const most = Math.max(1, ...found.lines.map((line) => line.count), ...found.other.map((one) => one.count));
  const read = found.sources.reduce((sum, source) => sum + source.records, 0);
  const skipped = found.sources.reduce((sum, source) => sum + source.skipped, 0);
  const forms = [...new Set(found.sources.map((source) => source.format))].join(", ");
  const told = [`Read as ${forms || "unknown"}: ${plural(read, "record")}`, skipped && `${count(skipped)} could not be read`, period(found.period)];
  return [
    h("div", { class: "named" }, h("h2", { tabindex: "-1" }, name), h("p", { class: "note" }, told.filter(Boolean).join(" · "))),
    h("div", { class: "figures" }, figures.map(([label, value]) => h("div", {}, h("strong", {}, count(value)), h("span", {}, value === null ? `${label}: the file does not tell` : label)))),
    found.bounced === 0 ? h("p", { class: "notice warn" }, "No bounce is in this file. Is it the right one?") : null,
    downloads(found, out),
    incidents(found),
    toDo(found, known),
    Object.entries(CATEGORIES).slice(0, 3).map(([category]) => section(category, found.lines.filter((line) => line.category === category)
      .map((line) => row(line, most, known)), sum(found.lines, category), found.bounced)),
    found.other.length
      ? section("other", found.other.map((one) => row({ line: known.get(one.reason)?.title ?? one.reason, category: "other", count: one.count, share: one.count / found.bounced, reasons: [] }, most, known)),
          found.other.reduce((all, one) => all + one.count, 0), found.bounced)
      : null,
    actions(found),
    days(found.by_day),
    table("By provider", found.by_provider),
    same(found.by_provider, found.by_domain) ? null : table("By domain", found.by_domain),
    table("By campaign", found.by_campaign),
    found.deferrals?.length ? putOff(found.deferrals, known) : null,
  ].flat(Infinity).filter(Boolean);
}

const sum = (lines, category) => lines.filter((line) => line.category === category).reduce((all, line) => all + line.count, 0);

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

const dated = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });
const day = (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? dated.format(new Date(`${text}T00:00:00Z`)) : text);
const period = (of) => (of ? (of.first === of.last ? day(of.first) : `${day(of.first)} to ${day(of.last)}`) : null);

function downloads(found, out) {
  const place = h("div", { class: "place" });
  const maker = (label, as, type) => {
    const button = h("button", { type: "button", class: "secondary" }, label);
    async function make() {
      button.disabled = true;
      button.textContent = "Making it…";
      place.replaceChildren();
      try {
        await out.again(as, type);
      } catch (error) {
        place.replaceChildren(failure(error, make));
      } finally {
        button.disabled = false;
        button.textContent = label;
      }
    }
    button.addEventListener("click", make);
    return button;
  };
  const json = h("button", { type: "button", class: "secondary", onclick: () => out.save("json", `${JSON.stringify(found, null, 1)}\n`, "application/json") }, "Download JSON");
  return [h("div", { class: "buttons" }, maker("Download CSV", "csv", "text/csv"), json, maker("Download HTML", "html", "text/html"),
    h("button", { type: "button", class: "quiet", onclick: () => print() }, "Print")), place];
}

function columns(label, share, category, value, part) {
  return [label, share === null ? h("span") : bar(share, category), h("span", { class: "number" }, count(value)), h("span", { class: "number share" }, value ? percent(part, 1) : "")];
}

function section(category, rows, value, all) {
  return h("section", { class: "category", "aria-labelledby": `category-${category}` },
    h("h3", { id: `category-${category}`, class: "summary" }, columns(h("span", {}, h("span", { class: `chip ${category}` }, category), " ", h("small", {}, CATEGORIES[category])), null, category, value, all ? value / all : 0)),
    rows);
}

function row(line, most, known) {
  const top = columns(h("span", { class: "name" }, line.line), line.count / most, line.category, line.count, line.share);
  if (!line.count || !line.reasons.length) return h("div", { class: `line ${line.category === "other" ? "category-other" : ""} ${line.count ? "" : "none"}` }, h("div", { class: "summary" }, top));
  return h("details", { class: "line" }, h("summary", { class: "summary" }, top),
    h("div", { class: "inside" }, h("p", { class: "note" }, sentence(line.description)),
      line.reasons.map((reason) => behind(reason, known.get(reason.reason)))));
}

/** A reason of a line: what it means, what to do, and the texts. */
function behind(reason, info) {
  const left = reason.distinct_templates - reason.templates.length;
  return h("div", { class: "behind" },
    h("h4", {}, info?.title ?? reason.reason, " ", h("code", {}, reason.reason), " ", h("small", {}, plural(reason.count, "bounce"))),
    info ? h("p", {}, sentence(info.description), " ", h("strong", {}, "What to do: "), info.advice) : null,
    h("ul", { class: "templates" }, reason.templates.map((one) => h("li", {},
      h("span", { class: "number" }, `${count(one.count)} ×`),
      h("div", {}, h("p", { class: "diagnostic bare", dir: "auto" }, one.example || h("em", {}, "(no text)")),
        one.template && one.template !== one.example.toLowerCase() ? h("p", { class: "template" }, h("span", { class: "hidden" }, "Template: "), h("code", { dir: "auto" }, one.template)) : null)))),
    left > 0 ? h("p", { class: "note" }, `${plural(left, "other text")} came less often.`) : null);
}

function incidents(found) {
  return found.incidents.map((one) => h("div", { class: "notice warn" },
    h("p", {}, h("strong", {}, `Incident at ${one.provider}: `), `${one.start} to ${one.end}, ${plural(one.count, "bounce")}, ${count(one.held_back)} held back. ${one.warning}`),
    h("code", { dir: "auto" }, one.template)));
}

/** Steps of addresses; those of causes come with what the service advises. */
const STEPS = {
  suppress: (many) => [`Stop mailing ${many}.`, "On the command line, “whybounce report --suppress-list” writes them, with the evidence."],
  review: (many) => [`Look at ${many}.`, "On the command line, “whybounce report --addresses” writes them, with what was said."],
  retry: (many) => [`Mail ${many} again at the next occasion.`, "What was wrong may pass."],
};
const CAUSES = ["fix_sender", "fix_message", "slow_down"];

/** What to do, addresses first and then causes, as a list to go through. */
function toDo(found, known) {
  const steps = Object.entries(STEPS).filter(([name]) => found.actions[name]).map(([name, step]) => step(plural(found.actions[name], "address", "addresses")));
  for (const one of found.to_do.filter((item) => CAUSES.includes(item.action))) {
    const why = one.reasons.map((reason) => `${known.get(reason.reason)?.title ?? reason.reason}${one.reasons.length > 1 ? ` ${count(reason.count)}` : ""}`).join(", ");
    steps.push([one.advice, `${plural(one.count, "bounce")}: ${why}.`]);
  }
  if (!steps.length) return null;
  return h("section", { class: "category", "aria-labelledby": "to-do" }, h("h3", { id: "to-do", class: "plain" }, "What to do"),
    h("ol", { class: "steps" }, steps.map(([what, more]) => h("li", {}, h("strong", {}, what), h("span", {}, more)))));
}

function actions(found) {
  const unnamed = found.bounces_without_address ?? 0;
  const named = Object.values(found.actions).some(Boolean);
  return h("section", { class: "category", "aria-labelledby": "actions" }, h("h3", { id: "actions", class: "plain" }, "The addresses"),
    named ? h("div", { class: "figures" }, Object.entries(DOING).map(([name, label]) => h("div", {}, h("strong", {}, count(found.actions[name] ?? 0)), h("span", {}, label)))) : null,
    unnamed || !named ? h("p", { class: "note" }, named ? `${plural(unnamed, "bounce")} named no address.` : "The file names no addresses, so nothing can be said about them.") : null);
}

/** Bounces by day: a column a day, stacked by category. The figures stand in the table below it. */
function days(rows) {
  if (!rows?.length) return null;
  const tall = Math.max(1, ...rows.map((one) => one.bounced));
  const columns = rows.map((one, place) => {
    let at = 60;
    const parts = ["hard", "soft", "technical"].map((name) => [name, one[name]]);
    parts.push(["other", one.bounced - one.hard - one.soft - one.technical]);
    return parts.filter(([, value]) => value > 0).map(([name, value]) => {
      const height = (60 * value) / tall;
      at -= height;
      return s("rect", { class: name, x: place * 10 + 1, y: at, width: 8, height });
    });
  });
  const figure = rows.length > 1
    ? h("div", { class: "days" }, s("svg", { viewBox: `0 0 ${rows.length * 10} 60`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...columns.flat()),
        h("p", { class: "note ends" }, h("span", {}, day(rows[0].name)), h("span", {}, `up to ${count(tall)} a day`), h("span", {}, day(rows.at(-1).name))))
    : null;
  return folded("By day", figure, grid("By day", rows.slice(-62).map((one) => ({ ...one, name: day(one.name) }))), rows.length > 62 ? "The last 62 days; the others are in the downloads." : null);
}

function table(caption, rows, most = 12) {
  if (!rows?.length) return null;
  return folded(caption, null, grid(caption, rows.slice(0, most)), rows.length > most ? `${count(rows.length - most)} more are in the downloads.` : null);
}

function folded(caption, figure, inside, note) {
  return h("section", { class: "category", "aria-label": caption },
    figure ? h("h3", { class: "plain" }, caption) : null, figure,
    h("details", { open: figure === null }, h("summary", { class: figure ? "" : "heading" }, figure ? "Table" : caption), inside, note ? h("p", { class: "note" }, note) : null));
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const HEADS = { name: "", bounced: "Bounced", hard: "Hard", soft: "Soft", technical: "Technical" };

function grid(caption, rows) {
  return h("div", { class: "scroll", role: "region", "aria-label": `${caption}, table`, tabindex: "0" }, h("table", {},
    h("thead", {}, h("tr", {}, Object.entries({ ...HEADS, name: capital(caption.replace("By ", "")) }).map(([name, label]) => h("th", { scope: "col", class: name === "name" ? "" : "number" }, label)))),
    h("tbody", {}, rows.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), ["bounced", "hard", "soft", "technical"].map((name) => h("td", { class: "number" }, count(one[name]))))))));
}

function putOff(deferrals, known) {
  const most = Math.max(...deferrals.map((one) => one.count));
  return folded("Put off for now", null, h("ul", { class: "bars" }, deferrals.map((one) =>
    h("li", {}, h("span", {}, known.get(one.reason)?.title ?? one.reason), bar(one.count / most, "soft"), h("span", { class: "number" }, count(one.count))))),
    "Attempts that the server tries again; they count as bounces only when it gives up.");
}
