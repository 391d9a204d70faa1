// Talking to the service that this page came from, and to nobody else.

const BASE = new URL("../", import.meta.url);
const STORED = "whybounce-key";

export const address = (path) => new URL(path, BASE);

let key = "";
try {
  key = sessionStorage.getItem(STORED) ?? "";
} catch {
  // Without storage the key lives as long as the page.
}

export const hasKey = () => key !== "";

/** An error that the service answered with (RFC 9457), or that kept it from answering. */
export class Problem extends Error {
  constructor(title, detail, status = 0, errors = []) {
    super(detail);
    Object.assign(this, { title, detail, status, errors });
  }
}

const UNREACHABLE = "No answer came. Is the service still running, and the network there? Then try again.";

function problemOf(status, text, type) {
  if (type.includes("json")) {
    try {
      const body = JSON.parse(text);
      return new Problem(body.title ?? "Error", body.detail ?? `The service answered ${status}.`, status, body.errors ?? []);
    } catch {
      // Said to be JSON and is not: told like any other answer.
    }
  }
  return new Problem("Error", `Something between this page and the service answered ${status}.`, status);
}

const headers = (more = {}) => ({ ...more, ...(key ? { authorization: `Bearer ${key}` } : {}) });

/** Send a request; ask for a key as often as the service wants one. */
async function answered(send) {
  for (;;) {
    const used = key;
    const { status, text, type } = await send();
    if (status >= 200 && status < 300) return { status, text, type };
    const problem = problemOf(status, text, type);
    if (status !== 401) throw problem;
    // Another request may have asked meanwhile.
    if (key === used) await askForKey(used ? "This key is not known. Please check it." : problem.detail);
  }
}

async function fetched(path, options = {}) {
  return answered(async () => {
    let response;
    try {
      response = await fetch(address(path), { ...options, headers: headers(options.headers), redirect: "error", cache: "no-store" });
      return { status: response.status, text: await response.text(), type: response.headers.get("content-type") ?? "" };
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Problem("No connection", UNREACHABLE);
    }
  });
}

export async function get(path) {
  return JSON.parse((await fetched(path)).text);
}

export async function getText(path) {
  return (await fetched(path)).text;
}

export async function post(path, body, { signal, type = "application/json" } = {}) {
  const content = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetched(path, { method: "POST", body: content, signal, headers: { "content-type": type } });
  return JSON.parse(answer.text);
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
        request.addEventListener("error", () => reject(new Problem("No connection", `${UNREACHABLE} A file that is too large may be cut off, too.`)));
        request.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
        signal?.addEventListener("abort", () => request.abort());
        request.send(file);
      }),
  );
  return asText ? answer.text : JSON.parse(answer.text);
}

let asking = null;

function askForKey(why) {
  asking ??= new Promise((resolve) => {
    const form = document.getElementById("key");
    const field = document.getElementById("key-value");
    document.getElementById("key-why").textContent = why;
    form.hidden = false;
    field.value = "";
    field.focus();
    form.onsubmit = (event) => {
      event.preventDefault();
      key = field.value.trim();
      if (!key) return;
      try {
        sessionStorage.setItem(STORED, key);
      } catch {
        // See above.
      }
      form.hidden = true;
      field.value = "";
      asking = null;
      document.getElementById("main").focus();
      resolve();
    };
  });
  return asking;
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

export async function titles() {
  return new Map((await reasons()).map((one) => [one.reason, one.title]));
}
