// Shows a warning on a page that is older than a minute, because its content may be outdated. The
// live list is updated by each message of its event stream, at least every 15 s. If no message comes
// for 40 s, this script reconnects. The library reconnects only a stream that had begun.
"use strict";
(() => {
  const TICK_MS = 5000, SILENT_MS = 40000, OLD_MS = 60000;
  const old = document.querySelector("[data-old]");
  if (!old) return;
  let shown = Date.now(), asked = shown, over = false;
  const live = document.querySelector("[data-live]");
  live?.addEventListener("htmx:sse:after:message", () => { shown = asked = Date.now(); });
  live?.addEventListener("htmx:sse:close", (told) => { over = told.detail?.reason === "message"; });
  setInterval(() => {
    const now = Date.now(), age = old.querySelector("[data-age]");
    if (live && !over && now - asked > SILENT_MS) {
      asked = now;
      live.dispatchEvent(new Event("again"));
    }
    old.hidden = now - shown < OLD_MS;
    if (age) age.textContent = String(Math.floor((now - shown) / OLD_MS));
  }, TICK_MS);
})();
