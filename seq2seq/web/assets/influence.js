// Panel: what each source piece does to each target piece, beside the attention it got.
(() => {
  "use strict";
  const { h, s, t, percent, decimal, labels, matrix, share, signed, scroll, reading, table } = window.seq2seq;
  const METHODS = { occlusion: "Hiding each piece", gradient: "Gradient times input" };

  const verdict = (r) => (r === null ? t("They cannot be compared.") : r > 0.7 ? t("Attention shows well what mattered here.") : r > 0.35 ? t("Attention shows in part what mattered here.") : t("Attention shows little of what mattered here."));
  const most = (values, names) => values.map((value, j) => [value, j]).sort((a, b) => Math.abs(b[0]) - Math.abs(a[0])).slice(0, 2).map(([value, j]) => `${names[j]} ${value > 0 ? "+" : ""}${decimal(value)}`).join(", ");

  function draw(body, { trace: first, about, width, request, ask, fail }) {
    const found = { occlusion: first.influence };
    const state = { pictures: [], json: null, resized(now) { width = now; show(); } };
    let method = "occlusion", turns = 0, asked = null;

    async function choose(wanted) {
      const mine = ++turns;
      if (wanted !== "occlusion" && !found[wanted]) {
        body.setAttribute("aria-busy", "true");
        try {
          asked ??= ask({ ...request(), saliency: true });
          found[wanted] = (await asked).saliency;
        } catch (error) {
          asked = null;
          if (mine === turns) fail(error);
        }
      }
      if (mine !== turns) return;
      body.removeAttribute("aria-busy");
      if (!found[wanted]) return;
      method = wanted;
      show();
      body.querySelector(`[data-method="${wanted}"]`)?.focus();
    }

    function show() {
      const told = found[method], source = labels(told.source), target = labels(told.target), half = width >= 860 ? Math.floor((width - 28) / 2) : width;
      const size = Math.max(1e-6, ...told.values.flat().map(Math.abs));
      const say = reading(t("Point at a cell, or use the arrow keys."));
      let at = [-1, -1];
      function tell(i, j) {
        if (i === at[0] && j === at[1]) return;
        at = [i, j];
        for (const map of maps) map.select(i, j);
        say.say(i < 0 ? "" : j < 0 ? t("“{piece}” depends most on {pieces}; rank correlation with attention {r}.", { piece: target[i], pieces: most(told.values[i], source), r: decimal(told.correlation[i] ?? NaN) })
          : t("Without “{source}”, “{target}” loses {value} nats; it got {weight} of the attention.", { source: source[j], target: target[i], value: decimal(told.values[i][j]), weight: percent(first.attention[i][j]) }));
      }
      const extra = { width: 64, draw: (i, x, y) => { const r = told.correlation[i]; return r === null ? null : s("g", { class: "agrees" }, s("line", { class: "axis", x1: x + 24, x2: x + 24, y1: y - 7, y2: y + 7 }), s("rect", { class: r < 0 ? "bar minus" : "bar", x: x + 24 + Math.min(0, 24 * r), y: y - 5, width: Math.max(1, Math.abs(24 * r)), height: 10 })); } };
      const common = { rows: target, columns: source, width: half, choose: tell };
      const maps = [
        matrix({ ...common, value: (i, j) => told.values[i][j] / size, colour: signed, extra, name: t("Influence of {columns} source pieces on {rows} target pieces", { columns: source.length, rows: target.length }) }),
        matrix({ ...common, value: (i, j) => first.attention[i][j], colour: share, name: t("Attention of the same pieces") }),
      ];
      const switches = about.gradients ? h("div", { class: "segments", role: "group", "aria-label": t("Method") }, Object.entries(METHODS).map(([key, name]) => h("button", { type: "button", "data-method": key, "aria-pressed": String(key === method), click: () => choose(key) }, t(name)))) : null;
      const how = method === "occlusion" ? t("Shown is occlusion: each source piece is hidden in turn, and the same translation is scored again; computed by {engine}.", { engine: told.engine })
        : t("Shown is gradient times input: how the log-probability would change to first order; computed by {engine}.", { engine: told.engine });
      body.replaceChildren(...[switches, h("p", { class: "method" }, how),
        h("p", { class: "verdict" }, t("Rank correlation with attention, on average: {r}.", { r: decimal(told.mean_correlation ?? NaN) }), " ", verdict(told.mean_correlation)),
        h("div", { class: "halves" }, h("div", {}, h("h3", {}, t("Influence")), h("p", { class: "legend" }, h("span", {}, t("hinders")), h("i", { class: "diverging", "aria-hidden": "true" }), h("span", {}, t("helps, up to {size} nats; bars: agreement with attention", { size: decimal(size) }))), scroll(maps[0].svg)),
          h("div", {}, h("h3", {}, t("Attention")), h("p", { class: "legend" }, h("span", {}, "0"), h("i", { class: "sequential", "aria-hidden": "true" }), h("span", {}, "100 %")), scroll(maps[1].svg))), say.line,
        table(t("For every target piece: what it depends on most, what it looked at most, and how well the two agree."), [t("Target piece"), t("Depends on"), t("Looks at"), t("Rank correlation")],
          target.map((text, i) => [text, most(told.values[i], source), window.seq2seq.strongest(first.attention[i], source, 2), decimal(told.correlation[i] ?? NaN)]), [1, 2])].filter(Boolean));
      state.pictures = maps.map((map) => map.svg);
      state.json = { text: first.text, attention: first.attention, ...told };
    }

    show();
    return state;
  }

  window.seq2seq.panels.push({
    key: "influence", title: "Influence",
    caption: "Attention says where the decoder looked. Influence says what would change: hide one source piece, score the same translation again, and see how much less probable each of its pieces has become. The two need not agree, for the encoder has already mixed every piece with its neighbours; the rank correlation says how far they do.",
    wants: { influence: true }, draw,
  });
})();
