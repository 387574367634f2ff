// A page says so when it has stood for a minute: what it shows is no longer what is.
"use strict";
(() => {
  const old = document.querySelector("[data-old]");
  if (!old) return;
  const shown = Date.now();
  setInterval(() => {
    const s = Math.round((Date.now() - shown) / 1000);
    if (s < 60) return;
    old.hidden = false;
    const age = old.querySelector("[data-age]");
    if (age) age.textContent = String(Math.floor(s / 60));
  }, 5000);
})();
