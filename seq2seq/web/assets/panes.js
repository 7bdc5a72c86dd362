// The two panes: what is typed, what it becomes, and what one does with either.
(() => {
  "use strict";
  const { h, t, languageName, count } = window.seq2seq;
  const ENGINES = { "litert-int8": () => t("LiteRT, 8-bit weights"), "litert-float32": () => t("LiteRT, float weights"), "tensorflow-float32": () => t("TensorFlow, float weights") };
  const SETTLED = 1000; // milliseconds after which a translation is read out

  async function copy(box) {
    try {
      await navigator.clipboard.writeText(box.value);
    } catch { // there is no clipboard where the page comes over plain HTTP from another machine
      box.focus();
      box.select();
      document.execCommand("copy");
    }
  }

  // A translation with another wording in the place of one of its sentences; null where that does not stand in it.
  function reworded(translation, wordings, place, now) {
    let from = 0;
    for (const [k, wording] of wordings.entries()) {
      const at = wording ? translation.indexOf(wording, from) : -1;
      if (k === place) return at < 0 ? null : translation.slice(0, at) + now + translation.slice(at + wording.length);
      if (at >= 0) from = at + wording.length;
    }
    return null;
  }

  // Code points, as the server counts them.
  const length = (text) => [...text].length;

  // `on`: typed(), asked(), stopped(), cleared(), copied(), kept(text), forgotten(id); `state` is app.js'.
  function panes(state, on) {
    const { source: from, target: to } = state.languages();
    const direct = (box, language) => { box.dir = box.value.trim() ? "auto" : language.rtl ? "rtl" : "ltr"; };
    const names = [languageName(from.code, from.name), languageName(to.code, to.name)];
    const button = (text, click, more = {}) => h("button", { type: "button", class: "plain", click, ...more }, text);
    let editing = false, about = "", reading = 0;

    const counted = h("span", { class: "count" });
    const source = h("textarea", { "aria-label": names[0], lang: from.code || null, rows: 5, spellcheck: "true", placeholder: t("Type or paste text"), input: () => { measure(); on.typed(source.value); } });
    const target = h("textarea", { "aria-label": names[1], lang: to.code || null, rows: 5, readonly: "", placeholder: t("The translation appears here") });
    source.value = state.text;

    const clear = button(t("Clear"), () => { source.value = ""; measure(); source.focus(); on.cleared(); }, { id: "clear" });
    const stop = button(t("Stop"), () => on.stopped(), { id: "stop", hidden: "", title: t("Esc") });
    const go = h("button", { type: "button", id: "translate", class: "primary", title: t("Ctrl+Enter"), click: () => on.asked() }, t("Translate"));
    const copied = button(t("Copy"), async () => {
      await copy(target);
      copied.textContent = t("Copied");
      setTimeout(() => { copied.textContent = t("Copy"); }, 1500);
      on.copied();
    }, { id: "copy" });
    const correct = button(t("Correct"), () => edit(target.value), { id: "correct" });
    const keep = h("button", { type: "button", class: "primary", id: "keep", click: () => on.kept(target.value) }, t("Keep"));
    const leave = button(t("Cancel"), () => { edit(null); show(); target.focus(); }, { id: "leave" });
    const facts = h("p", { class: "facts" });
    const notes = h("div", { class: "notes", role: "status", "aria-live": "polite" });
    const aloud = h("div", { class: "hidden spoken", "aria-live": "polite", lang: to.code || null });
    const found = h("div", { class: "found" });

    function measure() {
      const size = length(source.value);
      counted.textContent = `${count(size)} / ${count(state.limit)}`;
      counted.classList.toggle("over", size > state.limit);
      clear.hidden = !source.value;
      direct(source, from);
    }

    // Has the translation of a source edited, starting from a text; null ends that.
    function edit(text, of = state.source) {
      editing = text !== null;
      about = of;
      target.readOnly = !editing;
      for (const one of [keep, leave]) one.hidden = !editing;
      for (const one of [copied, correct]) one.hidden = editing || !target.value || (one === correct && !state.memory);
      target.closest(".pane")?.classList.toggle("editing", editing);
      if (!editing) return;
      target.value = text;
      target.focus();
    }

    // What is remembered, and the translation that it would make: of a sentence, with this sentence in its place.
    function matches({ memory, origin, sentences }) {
      const found = new Map(memory.map((match) => [match.id, { match, made: match.kind === "exact" ? null : match.target }]));
      for (const [place, { memory: own }] of origin === "memory" || sentences.length < 2 ? [] : sentences.entries()) {
        for (const match of own) if (!found.has(match.id)) found.set(match.id, { match, made: reworded(state.translation, state.wordings, place, match.target) });
      }
      return [...found.values()].map(({ match, made }) => h("li", {},
        h("span", { class: "kind" }, match.kind === "exact" ? t("Your correction") : t("{share} alike", { share: window.seq2seq.parts(match.similarity) })),
        h("span", { dir: "auto", class: "remembered" }, match.source, h("span", { class: "arrow", "aria-hidden": "true" }, " → "), h("strong", { dir: "auto" }, match.target)),
        made === null ? null : button(t("Use"), () => edit(made), { "aria-label": t("Use “{text}”", { text: match.target }) }),
        button(t("Forget"), () => on.forgotten(match.id), { "aria-label": t("Forget “{text}”", { text: match.target }) })));
    }

    // Shows the state as it is now.
    function show() {
      const { answer, error, warnings, said } = state;
      if (!editing) {
        target.value = state.translation;
        direct(target, to);
        edit(null);
      }
      const first = answer?.translations[0], sure = first?.origin === "model" ? first.confidence : null;
      facts.textContent = answer ? [ENGINES[answer.engine]?.() || answer.engine, `${count(answer.milliseconds < 10 ? answer.milliseconds : Math.round(answer.milliseconds))} ms`, ...(sure == null ? [] : [t("{share} sure", { share: window.seq2seq.parts(sure) })])].join(" · ") : "";
      facts.title = sure == null ? "" : t("Of translations of which the model is so sure, about so many were near a person’s on held-out text.");
      const remembered = first ? matches(first) : [];
      found.replaceChildren(...(remembered.length ? [h("h3", {}, first.origin === "memory" ? t("From your corrections") : t("Remembered of texts like this")), h("ul", {}, remembered)] : []));
      notes.replaceChildren(...(error ? [h("p", { class: "error" }, error)] : []), ...(said ? [h("p", {}, said)] : []), ...warnings.map((warning) => h("p", { class: "warning" }, warning)));
      clearTimeout(reading);
      reading = setTimeout(() => { aloud.textContent = state.translation; }, SETTLED);
    }

    const live = h("label", { class: "check" }, h("input", { type: "checkbox", id: "live", checked: state.live ? "" : null, change: (event) => { state.live = event.target.checked; } }), h("span", {}, t("As I type")));
    const root = h("div", { id: "panes" },
      h("section", { class: "pane", id: "source", "aria-label": t("Text") },
        h("div", { class: "top" }, h("h2", {}, names[0]), clear),
        source,
        h("div", { class: "foot" }, counted, h("span", { class: "keys", "aria-hidden": "true" }, t("Ctrl+Enter").split("+").map((key) => h("kbd", {}, key))), h("span", { class: "push" }), live, stop, go)),
      h("section", { class: "pane", id: "target", "aria-label": t("Translation") },
        h("div", { class: "top" }, h("h2", {}, names[1]), copied, correct, leave, keep),
        target,
        h("div", { class: "foot status" }, facts, notes), found, aloud));
    measure();
    edit(null);
    return {
      root, source, target, show, edit,
      editing: () => editing,
      edited: () => about,
      leave: () => edit(null),
      busy(is) { stop.hidden = !is; root.setAttribute("aria-busy", String(is)); },
    };
  }

  Object.assign(window.seq2seq, { panes, length, reworded });
})();
