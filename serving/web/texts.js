// What was pasted: single diagnostics or a whole message; and the commands that ask for the same.

import { address, hasKey } from "./api.js";

const OWN = ["from", "to", "subject", "date", "message-id", "received", "return-path", "content-type", "mime-version"];
const OF_STATUS = /^(?:Final-Recipient|Original-Recipient|Diagnostic-Code|Reporting-MTA|Action|Status|Remote-MTA):[ \t]/gim;

/** The names of the header at the beginning of a text; null where it is none. */
function header(text) {
  const names = new Set();
  for (const line of text.trimStart().split(/\r?\n/).slice(0, 200)) {
    if (/^\s*$/.test(line)) break;
    if (/^From \S+ /.test(line) || /^[ \t]/.test(line)) continue;
    const found = /^([A-Za-z][A-Za-z0-9-]*):(\s|$)/.exec(line);
    if (!found) return null;
    names.add(found[1].toLowerCase());
  }
  return names;
}

/** The message that a text is: a whole one, or the part about the delivery that many programs show alone. */
export function messageOf(text) {
  const names = header(text);
  if (names === null) return null;
  if (OWN.filter((name) => names.has(name)).length >= 2) return text.trimStart();
  if (text.match(OF_STATUS)?.length >= 3) return `Content-Type: message/delivery-status\n\n${text.trim()}\n`;
  return null;
}

/** One diagnostic a line; what a server or a log wrapped over several lines is one diagnostic, too. */
export function diagnosticsOf(text) {
  const found = [];
  let open = null; // the code of a reply of several lines, `550-…`, that its last line `550 …` ends
  for (const line of text.split(/\r?\n/)) {
    const piece = line.trim();
    if (!piece) {
      open = null;
      continue;
    }
    const reply = /^([245]\d\d)([- ])/.exec(piece);
    const goesOn = open !== null && reply?.[1] === open;
    if (found.length && (goesOn || /^[ \t]/.test(line))) found[found.length - 1] += `\n${piece}`;
    else found.push(piece);
    open = reply && reply[2] === "-" ? reply[1] : null;
  }
  return found;
}

/** Diagnostics with how often each was given, in their order. */
export function counted(all) {
  const times = new Map();
  for (const one of all) times.set(one, (times.get(one) ?? 0) + 1);
  return times;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const LONGEST = 30_000; // what fits onto a command line on every system

/** A command that sends the same; a key stays out of it: the shell takes it from its environment. */
export function curl(path, body, type = "application/json") {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const key = hasKey() ? ' -H "Authorization: Bearer $WHYBOUNCE_KEY"' : "";
  const command = `curl ${quoted(String(address(path)))}${key} -H ${quoted(`content-type: ${type}`)}`;
  if (text.length <= LONGEST) return `${command} --data-binary ${quoted(text)}`;
  let end = "END";
  while (text.split("\n").includes(end)) end += "_";
  return `${command} --data-binary @- <<'${end}'\n${text}\n${end}`;
}
