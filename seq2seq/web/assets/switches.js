// The head of the page and the switches: languages, models and their directions, how to search.
(() => {
  "use strict";
  const { h, s, t, languageName, OWN_NAMES } = window.seq2seq;

  // A group of buttons of which one is pressed.
  function radios(name, key, options, chosen, choose) {
    return h("fieldset", { class: "radios" }, h("legend", {}, name), h("div", { class: "segments" },
      options.map(([value, text]) => h("label", { class: "radio" }, h("input", { type: "radio", name: key, value, checked: value === chosen ? "" : null, change: () => choose(value) }), h("span", {}, text)))));
  }

  function slider(name, hint, { low, high, step, value, id, disabled }, choose) {
    const shown = h("output", { for: id }, String(value));
    const input = h("input", { type: "range", id, min: low, max: high, step, disabled: disabled ? "" : null, "aria-describedby": `${id}-hint`, input: () => { shown.textContent = input.value; choose(Number(input.value)); } });
    input.value = value;
    return h("div", { class: "slider" }, h("label", { for: id }, name), shown, input, h("p", { class: "hint", id: `${id}-hint` }, hint));
  }

  function switches(state, changed) {
    const root = h("div", { id: "switches" });
    function draw() {
      const { search } = state, greedy = search.kind === "greedy";
      root.replaceChildren(
        h("div", {}, radios(t("Search"), "search", [["beam", t("Beam")], ["greedy", t("Greedy")]], search.kind, (kind) => { search.kind = kind; draw(); root.querySelector(`input[value="${kind}"]`).focus(); changed(); }),
          h("p", { class: "hint" }, t("Several translations at once, or the likeliest piece each time."))),
        slider(t("Beam size"), t("How many translations are kept."), { low: state.beams[0], high: state.beams[1], step: 1, value: search.beam, id: "beam-size", disabled: greedy }, (value) => { search.beam = value; changed(); }),
        slider(t("Length penalty"), t("More is kinder to long translations."), { low: 0, high: 2, step: 0.1, value: search.length_penalty, id: "length-penalty", disabled: greedy }, (value) => { search.length_penalty = value; changed(); }));
    }
    draw();
    return root;
  }

  const named = (model) => t("{source} to {target}", { source: languageName(model.source_language, model.source_name), target: languageName(model.target_language, model.target_name) });

  // Models by direction; the name of a model stands there where its direction does not tell it from another.
  function chooser(state, choose) {
    const directions = state.models.map(named);
    const option = (model, k) => h("option", { value: model.name, selected: model === state.model ? "" : null }, directions[k] + (directions.filter((each) => each === directions[k]).length > 1 ? ` · ${model.name}` : ""));
    return h("select", { id: "model", "aria-label": t("Model and direction"), change: (event) => choose(event.target.value) }, state.models.map(option));
  }

  function swap(state, swapped) {
    const back = state.models.find((each) => each.name === state.model.reverse);
    const picture = s("svg", { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true" }, s("path", { d: "M7 7h12l-3.5-3.5M17 17H5l3.5 3.5", fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" }));
    return h("button", { type: "button", id: "swap", class: "plain icon", disabled: back ? null : "", title: back ? t("Swap languages") : t("No model here translates back."), "aria-label": t("Swap languages"), click: () => swapped(back.name) }, picture);
  }

  // `on`: spoken(code), painted(), modelled(name), swapped(name)
  function head(state, on) {
    const { source, target } = state.languages(), several = state.models.length > 1;
    const dark = h("button", { type: "button", id: "dark", class: "plain", "aria-pressed": String(window.seq2seq.dark()), click: () => { on.painted(); dark.setAttribute("aria-pressed", String(window.seq2seq.dark())); } }, t("Dark"));
    const speaks = h("select", { id: "language", "aria-label": t("Language of the page"), change: (event) => on.spoken(event.target.value) },
      Object.entries(OWN_NAMES).map(([code, name]) => h("option", { value: code, lang: code, selected: code === window.seq2seq.language ? "" : null }, name)));
    return h("header", { class: "header" },
      h("h1", {}, languageName(source.code, source.name), h("span", { class: "arrow" }, h("span", { class: "hidden" }, ` ${t("to")} `), h("span", { "aria-hidden": "true" }, "→")), languageName(target.code, target.name)),
      h("div", { class: "direction" }, several ? chooser(state, on.modelled) : null, several ? swap(state, on.swapped) : null),
      h("div", { class: "tools" }, h("span", { class: "mark", "aria-hidden": "true" }, "seq2seq"), speaks, dark));
  }

  function examples(sentences, chosen) {
    if (!sentences.length) return null;
    return h("div", { id: "examples", role: "group", "aria-label": t("Examples") }, sentences.map((sentence) => h("button", { type: "button", dir: "auto", click: () => chosen(sentence) }, sentence)));
  }

  Object.assign(window.seq2seq, { switches, head, examples, named });
})();
