// What was translated in this tab, in this tab alone: it goes with the tab, and the server keeps nothing.
(() => {
  "use strict";
  const { h, t, download } = window.seq2seq;
  const PLACE = "seq2seq.session", MOST = 500, STOOD = 2000; // milliseconds a translation stands before it is one of the session

  function restored() {
    try {
      const found = JSON.parse(sessionStorage.getItem(PLACE));
      return Array.isArray(found) ? found.filter((each) => typeof each?.source === "string" && typeof each?.target === "string") : [];
    } catch { return []; }
  }

  const flat = (text) => text.replace(/\s+/g, " ").trim();
  const FIELDS = ["time", "model", "source_language", "target_language", "origin", "source", "target"];
  const table = (entries) => [FIELDS, ...entries.map((entry) => FIELDS.map((field) => flat(String(entry[field] ?? ""))))].map((row) => row.join("\t") + "\n").join("");

  // `again(entry)` shows one of the past again.
  function session(again) {
    let entries = restored(), root = h("details"), waiting = 0, next = null;

    function save() {
      while (entries.length > MOST) entries.shift();
      try { sessionStorage.setItem(PLACE, JSON.stringify(entries)); } catch { /* it is full or forbidden: the list lasts as long as the page */ }
      const old = root;
      view(old.open);
      old.replaceWith(root);
    }

    // Writes down what stands; a text that grew out of the last one takes its place.
    function write() {
      clearTimeout(waiting);
      if (!next) return;
      const entry = { time: new Date().toISOString(), ...next }, last = entries.at(-1);
      next = null;
      if (last && last.source === entry.source && last.target === entry.target) return;
      const grown = last && last.model === entry.model && (last.source === entry.source || entry.source.startsWith(last.source));
      if (grown) entries.pop();
      entries.push(entry);
      save();
    }

    function stands(entry) {
      clearTimeout(waiting);
      next = entry;
      waiting = setTimeout(write, STOOD);
    }

    const row = (entry) => h("li", {}, h("button", { type: "button", class: "plain", click: () => again(entry) },
      h("span", { dir: "auto", lang: entry.source_language }, entry.source), h("span", { class: "arrow", "aria-hidden": "true" }, " → "), h("span", { class: "hidden" }, ` ${t("to")} `), h("strong", { dir: "auto", lang: entry.target_language }, entry.target)));

    function view(open = false) {
      const button = (text, click) => h("button", { type: "button", class: "plain", disabled: entries.length ? null : "", click }, text);
      root = h("details", { class: "card", id: "session", open: open ? "" : null },
        h("summary", {}, h("h2", {}, t("This session ({count})", { count: entries.length }))),
        h("p", { class: "hint" }, t("Kept in this tab alone, until it is closed. The server stores nothing of it.")),
        h("div", { class: "saves" },
          button(t("Download {kind}", { kind: "JSON" }), () => download("session.json", "application/json", JSON.stringify(entries, null, 1))),
          button(t("Download {kind}", { kind: "TSV" }), () => download("session.tsv", "text/tab-separated-values", table(entries))),
          button(t("Forget all"), () => { entries = []; next = null; save(); root.querySelector("summary").focus(); })),
        h("ol", {}, entries.toReversed().map(row)));
      return root;
    }

    addEventListener("pagehide", write);
    return { view: () => view(root.open), stands, write, drop: () => { clearTimeout(waiting); next = null; } };
  }

  Object.assign(window.seq2seq, { session });
})();
