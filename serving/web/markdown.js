// A model card as elements. Only what the cards of this project use: headings, paragraphs, lists, tables, code.
// Everything ends up as text nodes: whatever a card holds, it can run nothing.

import { h } from "./dom.js";

/** Code, strong text, and what a backslash guards; links become their words. */
function inline(text) {
  const pieces = [];
  const found = /(`+)(.+?)\1|\*\*(.+?)\*\*|\[([^\]]*)\]\([^)\s]*\)|\\([\\`*_[\]|<>])/g;
  let at = 0;
  for (const match of text.matchAll(found)) {
    pieces.push(text.slice(at, match.index));
    if (match[2] !== undefined) pieces.push(h("code", {}, match[2]));
    else if (match[3] !== undefined) pieces.push(h("strong", {}, match[3]));
    else pieces.push(match[4] ?? match[5]);
    at = match.index + match[0].length;
  }
  pieces.push(text.slice(at));
  return pieces.filter((piece) => piece !== "");
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());

function table(lines, name) {
  const [first, , ...rest] = lines.map(cells);
  const isNumber = (cell) => /^[\d.,\s%–<>±-]+$/.test(cell) && cell !== "";
  const right = first.map((_, column) => rest.length > 0 && rest.every((row) => isNumber(row[column] ?? "")));
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": name }, h("table", {},
    h("thead", {}, h("tr", {}, first.map((cell, column) => h("th", { scope: "col", class: right[column] ? "number" : null }, inline(cell))))),
    h("tbody", {}, rest.map((row) => h("tr", {}, row.map((cell, column) => (column ? h("td", { class: right[column] ? "number" : null }, inline(cell)) : h("th", { scope: "row" }, inline(cell)))))))));
}

/** The card of `name`. Lists may go on in indented lines; paragraphs go on until an empty line. */
export function rendered(text, name) {
  const lines = text.split(/\r?\n/);
  const out = [];
  let heading = "Table";
  let at = 0;
  const take = (matches) => {
    const from = at;
    while (at < lines.length && matches(lines[at])) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const title = /^(#{1,6})\s+(.*)$/.exec(line);
    if (!line.trim()) at += 1;
    else if (title) {
      heading = title[2];
      // The page has its own first heading, and the card stands under a second.
      out.push(h(`h${Math.min(6, Math.max(3, title[1].length + 1))}`, {}, inline(heading)));
      at += 1;
    } else if (line.startsWith("```")) {
      at += 1;
      const code = take((one) => !one.startsWith("```"));
      at += 1;
      out.push(h("pre", { tabindex: "0", role: "group", "aria-label": `Command of ${name}` }, h("code", {}, code.join("\n"))));
    } else if (line.startsWith("|")) out.push(table(take((one) => one.startsWith("|")), `${heading} of ${name}`));
    else if (/^[-*] /.test(line)) {
      const items = [];
      for (const one of take((next) => /^([-*] |\s+\S)/.test(next))) {
        if (/^[-*] /.test(one)) items.push(one.slice(2));
        else items[items.length - 1] += ` ${one.trim()}`;
      }
      out.push(h("ul", {}, items.map((item) => h("li", {}, inline(item)))));
    } else out.push(h("p", {}, inline(take((one) => one.trim() && !/^(#{1,6} |```|\||[-*] )/.test(one)).join(" "))));
  }
  return out;
}
