// Panel: how sure the network was of each piece, what else it might have said, and the translation that would follow.
(() => {
  "use strict";
  const { h, t, percent, decimal, labels, geometry, scroll, reading, table, bars, instead } = window.seq2seq;

  function draw(body, { trace: own, about, width, request, ask, fail }) {
    let trace = own, said = 0, chosen = -1, turns = 0; // said: characters that were demanded
    const state = { pictures: [], json: null, resized(now) { width = now; show(chosen); } };

    async function use(position, piece) {
      const prefix = instead(trace, position, piece), mine = ++turns;
      body.setAttribute("aria-busy", "true");
      try {
        const found = await ask({ ...request(), alternatives: 8, terms: { ...(request().terms || {}), prefix } });
        if (mine !== turns) return;
        trace = found;
        said = Array.from(prefix).length;
        chosen = -1;
        show();
        body.querySelectorAll(".flow button")[Math.min(position, trace.target.length - 1)]?.focus();
      } catch (error) {
        if (mine !== turns) return;
        fail(error);
      }
      body.removeAttribute("aria-busy");
    }

    function alternatives(i, names) {
      const rows = trace.alternatives[i].map(([piece, value], rank) => {
        const possible = piece !== trace.target[i] && instead(trace, i, piece) !== null;
        const name = piece === "</s>" ? t("the end") : piece.replaceAll("▁", " ").trim() || "␣";
        return h("tr", { class: piece === trace.target[i] ? "said" : null }, h("th", { scope: "row", dir: "auto" }, name, piece.startsWith("▁") || piece === "</s>" ? null : h("span", { class: "soft" }, " ", t("(goes on with the word)"))),
          h("td", { class: "number" }, percent(Math.exp(value))),
          h("td", { class: "meter" }, h("i", { style: `width:${(100 * Math.exp(value)).toFixed(1)}%` })),
          h("td", {}, piece === trace.target[i] ? h("span", { class: "soft" }, t("said"))
            : h("button", { type: "button", class: "small", disabled: possible ? null : "", "aria-label": t("Use “{piece}” instead", { piece: name }), "data-rank": rank, click: () => use(i, piece) }, t("use this instead"))));
      });
      return h("div", { class: "alternatives" },
        h("h3", {}, t("In the place of “{piece}”", { piece: names[i] })),
        h("p", { class: "soft" }, t("Probability {probability}; undecided by {entropy} nats, as if it chose among {choices} equally likely pieces.", { probability: percent(Math.exp(trace.log_probs[i])), entropy: decimal(trace.entropy[i]), choices: decimal(Math.exp(trace.entropy[i]), 1) })),
        scroll(h("table", {}, h("caption", { class: "hidden" }, t("What the network might have said here")), h("thead", { class: "hidden" }, h("tr", {}, [t("Piece"), t("Probability"), "", t("Use")].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, rows))));
    }

    function show(at = -1) {
      const names = labels(trace.target), probabilities = trace.log_probs.map(Math.exp);
      const place = h("div", { class: "place" });
      const choose = (i) => {
        chosen = i;
        buttons.forEach((button, k) => { button.setAttribute("aria-pressed", String(k === i)); button.setAttribute("tabindex", k === Math.max(0, i) ? 0 : -1); });
        place.replaceChildren(...(i < 0 ? [] : [alternatives(i, names)]));
      };
      const buttons = names.map((text, i) => {
        const p = probabilities[i], forced = trace.target_spans[i][1] <= said && trace.target[i] !== "</s>" && said > 0;
        const word = trace.target[i].startsWith("▁") || trace.target[i] === "</s>";
        return h("button", { type: "button", class: ["token", p < 0.5 ? "unsure" : "", forced ? "forced" : "", word ? "word" : ""].filter(Boolean).join(" "), style: `--doubt:${(1 - p).toFixed(3)}`, tabindex: i ? -1 : 0, "aria-pressed": "false",
          "aria-label": t("{piece}, {probability}", { piece: text, probability: percent(p) }) + (forced ? t(", demanded") : ""), click: () => choose(chosen === i ? -1 : i) }, word && trace.target[i] !== "</s>" ? text : text.replace(/^·/, ""));
      });
      const flow = h("div", { class: "flow", role: "toolbar", "aria-label": t("Pieces of the translation, coloured by probability"), dir: "auto" }, buttons);
      flow.addEventListener("keydown", (event) => {
        const at = buttons.indexOf(document.activeElement), rtl = getComputedStyle(flow).direction === "rtl" ? -1 : 1;
        const next = { ArrowRight: at + rtl, ArrowLeft: at - rtl, Home: 0, End: buttons.length - 1 }[event.key];
        if (at < 0 || next === undefined || !buttons[next]) return;
        event.preventDefault();
        buttons[at].setAttribute("tabindex", -1);
        buttons[next].setAttribute("tabindex", 0);
        buttons[next].focus();
      });
      const shape = geometry(names, width, 44, 12);
      const chart = bars({ values: probabilities, names, shape, high: 1, name: t("Probability of each piece"), ticks: [[0, "0"], [0.5, "50 %"], [1, "100 %"]], kind: (k) => (probabilities[k] < 0.5 ? "unsure" : "") });
      const say = reading(t("Choose a piece to see what else the network might have said. All in all: log-probability {value}, one piece on average {mean}.", { value: decimal(trace.log_prob), mean: percent(Math.exp(trace.log_probs.reduce((a, b) => a + b, 0) / names.length)) }));
      const whole = said ? h("div", { class: "continued" }, h("p", { class: "text", dir: "auto" }, trace.translation), h("p", { class: "soft" }, t("Was: {translation}", { translation: own.translation })),
        h("button", { type: "button", class: "small take", click: () => take(trace.translation) }, t("Take it over")), " ",
        h("button", { type: "button", class: "small back", click: () => { turns++; body.removeAttribute("aria-busy"); trace = own; said = 0; show(); } }, t("Back to the network's own"))) : null;
      body.replaceChildren(...[flow, place, whole, say.line, scroll(chart.svg), table(t("For every piece: its probability, how undecided the network was, and the best it did not say."), [t("Piece"), t("Probability"), t("Entropy, nats"), t("Else")],
        names.map((text, i) => [text, percent(probabilities[i]), decimal(trace.entropy[i]), trace.alternatives[i].filter(([piece]) => piece !== trace.target[i]).slice(0, 2).map(([piece, value]) => `${piece.replaceAll("▁", "")} ${percent(Math.exp(value))}`).join(", ")]), [3])].filter(Boolean));
      choose(at);
      state.pictures = [chart.svg];
      state.json = { text: trace.text, translation: trace.translation, demanded: said, target: trace.target, target_spans: trace.target_spans, log_probs: trace.log_probs, entropy: trace.entropy, alternatives: trace.alternatives };
    }

    function take(now) {
      body.dispatchEvent(new CustomEvent("take", { bubbles: true, detail: { source: request().text, place: about.place, now } }));
    }

    show();
    return state;
  }

  window.seq2seq.panels.push({
    key: "confidence", title: "Confidence",
    caption: "The network writes one piece after the other and gives each a probability. The stronger the colour, the less sure it was; under one half a piece is also underlined. Choose a piece to see what else was likely, take that instead, and the translation goes on from there: one other word early on can change all that follows.",
    wants: { alternatives: 8 }, draw,
  });
})();
