// Starts the page in the place that is kept for it, as soon as that place is there.
(() => {
  "use strict";
  const own = window.seq2seq;

  function begun(value) {
    const place = document.getElementById("app");
    if (!place) return false;
    const root = own.h("div", { class: "app" });
    place.replaceChildren(root);
    own.app(root, { value });
    return true;
  }

  function start(value) {
    if (begun(value)) return;
    const watch = new MutationObserver(() => { if (begun(value)) watch.disconnect(); });
    watch.observe(document.documentElement, { childList: true, subtree: true });
  }

  Object.assign(own, { start });
})();
