// Talking to the service that this page came from, and to nobody else.

import { askForKey, currentKey } from "./key.js";

const BASE = new URL("../", import.meta.url);

export const address = (path) => new URL(path, BASE);

export const hasKey = () => currentKey() !== "";

/** An error that the service answered with (RFC 9457), or that kept it from answering. */
export class Problem extends Error {
  constructor(title, detail, status = 0, errors = []) {
    super(detail);
    Object.assign(this, { title, detail, status, errors });
  }
}

const UNREACHABLE = "No answer came. Is the service still running, and the network there? Then try again.";

/** The names of HTTP are for programs; these are for people. */
const TITLES = {
  400: "This could not be read", 401: "An API key is needed", 403: "This key is not enough", 404: "Not found", 408: "It took too long",
  413: "This is too large", 415: "This could not be read", 422: "This could not be read", 503: "Not possible now",
};

function problemOf(status, text, type) {
  const title = TITLES[status] ?? (status >= 500 ? "The service failed" : "The service refused");
  if (type.includes("json")) {
    try {
      const body = JSON.parse(text);
      return new Problem(title, body.detail ?? `The service answered ${status}.`, status, body.errors ?? []);
    } catch {
      // Said to be JSON and is not: told like any other answer.
    }
  }
  return new Problem(title, `Something between this page and the service answered ${status}.`, status);
}

const headers = (more = {}) => ({ ...more, ...(hasKey() ? { authorization: `Bearer ${currentKey()}` } : {}) });

/** Send a request; ask for a key as often as the service wants one. */
async function answered(send) {
  for (;;) {
    const used = currentKey();
    const { status, text, type } = await send();
    if (status >= 200 && status < 300) return { status, text, type };
    const problem = problemOf(status, text, type);
    if (status !== 401) throw problem;
    // Another request may have asked meanwhile.
    if (currentKey() === used && !(await askForKey(used ? "wrong" : "missing"))) {
      throw new Problem(problem.title, "Without a key the service does not answer this.", status);
    }
  }
}

async function fetched(path, options = {}) {
  return answered(async () => {
    try {
      const response = await fetch(address(path), { ...options, headers: headers(options.headers), redirect: "error", cache: "no-store" });
      return { status: response.status, text: await response.text(), type: response.headers.get("content-type") ?? "" };
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("No connection", UNREACHABLE);
    }
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("An answer that cannot be read", "Something between this page and the service answered in its place.");
  }
}

export async function get(path) {
  return parsed((await fetched(path)).text);
}

export async function getText(path) {
  return (await fetched(path)).text;
}

export async function post(path, body, { signal, type = "application/json" } = {}) {
  const content = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetched(path, { method: "POST", body: content, signal, headers: { "content-type": type } });
  return parsed(answer.text);
}

/** Send a file; fetch cannot tell how much has gone, XMLHttpRequest can. */
export async function upload(path, file, { onprogress, signal, asText = false } = {}) {
  const answer = await answered(
    () =>
      new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open("POST", address(path));
        for (const [name, value] of Object.entries(headers({ "content-type": "application/octet-stream" }))) {
          request.setRequestHeader(name, value);
        }
        request.upload.addEventListener("progress", (event) => {
          if (event.lengthComputable) onprogress?.(event.loaded, event.total);
        });
        request.addEventListener("load", () =>
          resolve({ status: request.status, text: request.responseText, type: request.getResponseHeader("content-type") ?? "" }),
        );
        request.addEventListener("error", () =>
          reject(new Problem("No connection", `${UNREACHABLE} If the file was changed or moved since you chose it, choose it again.`)),
        );
        request.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
        signal?.addEventListener("abort", () => request.abort());
        request.send(file);
      }),
  );
  return asText ? answer.text : parsed(answer.text);
}

let reasonsOnce = null;

/** The taxonomy, read once. */
export function reasons() {
  reasonsOnce ??= get("v1/reasons").then(
    (answer) => answer.reasons,
    (error) => {
      reasonsOnce = null;
      throw error;
    },
  );
  return reasonsOnce;
}

/** The reasons by name. A promoted model may know others than the one before: what is missing is read again. */
export async function vocabulary(needed = []) {
  let known = new Map((await reasons()).map((one) => [one.reason, one]));
  if (needed.some((reason) => !known.has(reason))) {
    reasonsOnce = null;
    known = new Map((await reasons()).map((one) => [one.reason, one]));
  }
  return known;
}
