// The API key: asked for when the service wants one, kept until the tab is closed, forgotten on demand.

const STORED = "whybounce-key";

let key = "";
try {
  key = sessionStorage.getItem(STORED) ?? "";
} catch {
  // Without storage the key lives as long as the page.
}

export const currentKey = () => key;

function keep(value) {
  key = value;
  try {
    if (value) sessionStorage.setItem(STORED, value);
    else sessionStorage.removeItem(STORED);
  } catch {
    // See above.
  }
  document.getElementById("forget").hidden = !value;
}

const WHY = {
  missing: "Ask the person who runs it for one; they make keys with “whybounce key new”.",
  wrong: "The service does not know this key. Please check that it was copied whole.",
};

let asking = null;

/** Ask for a key; answers whether one was given. `why` is a text, or one of the two usual reasons. */
export function askForKey(why) {
  asking ??= new Promise((resolve) => {
    const before = document.activeElement;
    const form = document.getElementById("key");
    const field = document.getElementById("key-value");
    document.getElementById("key-why").textContent = WHY[why] ?? why;
    field.setAttribute("aria-invalid", String(why === "wrong"));
    field.value = "";
    form.hidden = false;
    form.scrollIntoView({ block: "nearest" });
    field.focus();
    const done = (given) => {
      form.hidden = true;
      field.value = "";
      asking = null;
      if (before?.isConnected && before !== document.body) before.focus();
      else document.getElementById("main").focus({ preventScroll: true });
      resolve(given);
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!field.value.trim()) return;
      keep(field.value.trim());
      done(true);
    };
    form.onkeydown = (event) => {
      if (event.key === "Escape") done(false);
    };
    document.getElementById("key-not").onclick = () => done(false);
  });
  return asking;
}

export function install(told) {
  const forget = document.getElementById("forget");
  forget.hidden = !key;
  forget.addEventListener("click", () => {
    keep("");
    document.getElementById("main").focus({ preventScroll: true });
    told("The API key is forgotten.");
  });
}
