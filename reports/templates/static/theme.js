// The switch between light, dark and the system's colours; loaded first, so that no page flashes.
"use strict";

(function () {
  const NAMES = { "": "as the system", light: "light", dark: "dark" };
  let chosen = "";
  try {
    chosen = localStorage.getItem("theme") || "";
  } catch (error) {
    // a browser that keeps nothing for files: the switch works for this page
  }
  if (!(chosen in NAMES)) chosen = "";

  function apply() {
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = "Theme: " + NAMES[chosen];
  }

  apply();
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.hidden = false;
    apply();
    button.addEventListener("click", () => {
      const order = Object.keys(NAMES);
      chosen = order[(order.indexOf(chosen) + 1) % order.length];
      try {
        localStorage.setItem("theme", chosen);
      } catch (error) {
        // as above
      }
      apply();
      window.dispatchEvent(new Event("themechange"));
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    window.dispatchEvent(new Event("themechange")),
  );
})();
