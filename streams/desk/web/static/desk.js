// A page says so when it has stood for a minute: what it shows is no longer what is. The live list
// is new with each message of its stream, which come every 15 s at the least; where none comes it
// asks for the stream again, for the library does so only for one that had begun.
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
