// Shows a warning on a page that is older than a minute, because its content may be outdated. The
// live list is updated by each message of its event stream, at least every 15 s. If no message comes
// for 40 s, this script reconnects. The library reconnects only a stream that had begun.
"use strict";
(() => {
  const TICK_MS = 5000, SILENT_MS = 40000, OLD_MS = 60000;
  const old = document.querySelector("[data-old]");
  if (!old) return;
  let shown = Date.now(), asked = shown, over = false;
  // On the document, because a filter puts another list in the place of the live one.
  for (const name of ["htmx:sse:after:message", "htmx:after:swap"])
    document.addEventListener(name, () => { shown = asked = Date.now(); });
  document.addEventListener("htmx:sse:close", (told) => { over = told.detail?.reason === "message"; });
  setInterval(() => {
    const now = Date.now(), age = old.querySelector("[data-age]");
    const live = document.querySelector("[data-live]");
    if (live && !over && now - asked > SILENT_MS) {
      asked = now;
      live.dispatchEvent(new Event("again"));
    }
    old.hidden = now - shown < OLD_MS;
    if (age) age.textContent = String(Math.floor((now - shown) / OLD_MS));
  }, TICK_MS);
})();
// Single keys go where an element with this `data-key` is. A person can switch them off, because
// speech input types single letters too. The choice is kept in this browser.
(() => {
  const choice = document.querySelector("[data-keys]");
  if (choice) {
    choice.hidden = false;
    const box = choice.querySelector("input");
    box.checked = localStorage.getItem("keys") !== "off";
    box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
  }
  document.addEventListener("keydown", (told) => {
    if (told.ctrlKey || told.metaKey || told.altKey || localStorage.getItem("keys") === "off") return;
    if (told.target.closest("input, select, textarea")) return;
    const named = `[data-key="${CSS.escape(told.key)}"]`;
    const found = document.querySelector(`input${named}`) ?? document.querySelector(named);
    if (!found) return;
    told.preventDefault();
    if (found.matches("input")) found.focus();
    else found.click();
  });
})();
// Copies a text of the page, such as a masked number for a ticket, and reports that it did.
(() => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const said = button.nextElementSibling;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        said.textContent = button.dataset.done;
      } catch { said.textContent = button.dataset.copy; }
    });
  }
})();
