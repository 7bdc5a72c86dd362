// Panel: attention as ribbons and as a heat map, one linked to the other, with coverage.
(() => {
  "use strict";
  const { h, s, t, percent, decimal, clamp, labels, widest, shorten, share, matrix, scroll, reading, table } = window.seq2seq;
  const LEAST = 0.03; // a ribbon that carries less is not drawn

  const strongest = (weights, names, most = 3) => weights.map((weight, k) => [weight, k]).sort((a, b) => b[0] - a[0])
    .slice(0, most).filter(([weight], rank) => rank === 0 || weight >= 0.05).map(([weight, k]) => `${names[k]} ${percent(weight)}`).join(", ");

  function ribbons(trace, source, target, width, tell) {
    const rows = Math.max(source.length, target.length), row = clamp(Math.floor(620 / rows), 20, 28);
    const left = Math.ceil(widest(source, 0.33 * width)) + 14, right = Math.ceil(widest(target, 0.33 * width)) + 14;
    const wide = Math.min(width, 620), tall = rows * row + 4, from = left, to = wide - right, bend = (to - from) / 2;
    const y = (k, count) => 2 + ((k + 0.5) * rows * row) / count;
    const most = Math.max(...trace.coverage, 1e-9);
    const bands = trace.attention.map((weights, i) => weights.map((weight, j) => {
      if (weight < LEAST) return null;
      const [a, b] = [y(j, source.length), y(i, target.length)];
      return s("path", { class: "ribbon", "data-i": i, "data-j": j, d: `M${from} ${a}C${from + bend} ${a} ${to - bend} ${b} ${to} ${b}`,
        "stroke-width": (0.75 * row * weight + 0.5).toFixed(1), "stroke-opacity": (0.12 + 0.5 * weight).toFixed(2) });
    }));
    const piece = (side, k, text, x, at, name, bar) => s("g", { class: "piece", "data-side": side, "data-k": k, tabindex: k || side === "target" ? -1 : 0, role: "img", "aria-label": name },
      s("rect", { class: "back", x: side === "source" ? 0 : to + 2, y: at - row / 2, width: side === "source" ? from - 2 : right - 2, height: row, rx: 4 }), bar,
      s("text", { x, y: at, "text-anchor": side === "source" ? "end" : "start", "dominant-baseline": "central" }, shorten(text, (side === "source" ? left : right) - 14)));
    const column = (j) => trace.attention.map((weights) => weights[j]);
    const left_ = source.map((text, j) => {
      const at = y(j, source.length), size = ((from - 8) * trace.coverage[j]) / most;
      return piece("source", j, text, from - 8, at, told("source", j), s("rect", { class: "covered", x: from - 6 - size, y: at + row / 2 - 4, width: size, height: 2 }));
    });
    const right_ = target.map((text, i) => piece("target", i, text, to + 8, y(i, target.length), told("target", i), null));
    const svg = s("svg", { class: "ribbons", width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`, role: "group", "aria-label": t("Source pieces on the left, target pieces on the right") }, bands, left_, right_);
    function told(side, k) {
      if (side === "target") return t("“{piece}” (probability {probability}) looks at {pieces}.", { piece: target[k], probability: percent(Math.exp(trace.log_probs[k])), pieces: strongest(trace.attention[k], source) });
      return t("“{piece}” got attention {coverage} in all, most from {pieces}.", { piece: source[k], coverage: decimal(trace.coverage[k]), pieces: strongest(column(k), target) });
    }
    const all = { source: left_, target: right_ };
    function select(i, j) {
      for (const band of svg.querySelectorAll(".ribbon")) {
        const on = (i < 0 || Number(band.dataset.i) === i) && (j < 0 || Number(band.dataset.j) === j);
        band.classList.toggle("off", !on);
        band.classList.toggle("on", on && (i >= 0 || j >= 0));
      }
      left_.forEach((node, k) => node.classList.toggle("chosen", k === j));
      right_.forEach((node, k) => node.classList.toggle("chosen", k === i));
    }
    const at = (event) => event.target.closest?.(".piece, .ribbon");
    function place(node) {
      if (!node) return [-1, -1];
      if (node.classList.contains("ribbon")) return [Number(node.dataset.i), Number(node.dataset.j)];
      return node.dataset.side === "target" ? [Number(node.dataset.k), -1] : [-1, Number(node.dataset.k)];
    }
    for (const kind of ["pointermove", "pointerdown", "focusin"]) svg.addEventListener(kind, (event) => tell(...place(at(event))));
    for (const kind of ["pointerleave", "focusout"]) svg.addEventListener(kind, () => tell(-1, -1));
    svg.addEventListener("keydown", (event) => {
      const node = at(event);
      if (!node) return;
      const { side } = node.dataset, k = Number(node.dataset.k), other = side === "source" ? "target" : "source";
      const next = { ArrowDown: () => all[side][k + 1], ArrowUp: () => all[side][k - 1], Home: () => all[side][0], End: () => all[side].at(-1),
        ArrowRight: () => side === "source" && all[other][Math.min(k, target.length - 1)], ArrowLeft: () => side === "target" && all[other][Math.min(k, source.length - 1)] }[event.key]?.();
      if (next === undefined && !event.key.startsWith("Arrow")) return;
      event.preventDefault();
      if (!next) return;
      node.setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
    });
    return { svg, select, told };
  }

  function draw(body, { trace, width }) {
    const source = labels(trace.source), target = labels(trace.target), half = width >= 860 ? Math.floor((width - 28) / 2) : width;
    const say = reading(t("Point at a piece, or move with the arrow keys."));
    let at = [-1, -1];
    function tell(i, j) {
      if (i === at[0] && j === at[1]) return;
      at = [i, j];
      flow.select(i, j);
      map.select(i, j);
      say.say(i >= 0 && j >= 0 ? t("“{target}” gives {weight} of its attention to “{source}”.", { target: target[i], source: source[j], weight: percent(trace.attention[i][j]) })
        : i >= 0 ? flow.told("target", i) : j >= 0 ? flow.told("source", j) : "");
    }
    const flow = ribbons(trace, source, target, half, tell);
    const map = matrix({ rows: target, columns: source, value: (i, j) => trace.attention[i][j], colour: share, width: half, choose: tell,
      name: t("Attention of {rows} target pieces over {columns} source pieces; arrow keys move, the table below has the same.", { rows: target.length, columns: source.length }) });
    body.replaceChildren(
      h("div", { class: "halves" }, scroll(flow.svg), scroll(map.svg)), say.line,
      table(t("For every target piece: its probability, and the source pieces it looks at most."), [t("Target piece"), t("Looks at"), t("Probability")],
        target.map((text, i) => [text, strongest(trace.attention[i], source), percent(Math.exp(trace.log_probs[i]))]), [1]),
      table(t("For every source piece: its coverage, and the target pieces that looked at it most."), [t("Source piece"), t("Looked at by"), t("Coverage")],
        source.map((text, j) => [text, strongest(trace.attention.map((weights) => weights[j]), target), decimal(trace.coverage[j])]), [1]));
    return { pictures: [flow.svg, map.svg], json: { text: trace.text, translation: trace.translation, source: trace.source, target: trace.target, attention: trace.attention, coverage: trace.coverage } };
  }

  window.seq2seq.panels.push({
    key: "attention", title: "Attention",
    caption: "Before it writes a piece, the decoder decides how much of each source piece to take in; the shares of one target piece sum to 100 %. The wider a ribbon and the darker a cell, the more. The line under a source piece is its coverage, the attention it got in all: far below 1 may mean that it was skipped, far above that it was said twice. Attention is where the network looked; it is not proof of what it used.",
    wants: {}, draw,
  });
  window.seq2seq.strongest = strongest;
})();
