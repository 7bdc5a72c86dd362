// One unit of a memory cell at every step: its curves, its gates, and its equations with numbers.
(() => {
  "use strict";
  const { h, s, t, decimal, labels, geometry, scroll, table, lines, over } = window.seq2seq;

  function equations(cell, unit, step) {
    const [i, f, g, o, c, hidden] = ["i", "f", "g", "o", "c", "h"].map((gate) => cell.value(gate, step, unit)), before = cell.before(step, unit);
    const term = (name, kind) => h("span", { class: `term ${kind}` }, name);
    const n = (value) => (value < 0 ? `(${decimal(value)})` : decimal(value));
    return h("div", { class: "equations" },
      h("p", {}, term("c", "state"), " = ", term("f", "gate"), " · ", t("c before"), " + ", term("i", "gate"), " · ", term("g", "state"), ` = ${n(f)} · ${n(before)} + ${n(i)} · ${n(g)} = `, h("strong", {}, decimal(c))),
      h("p", {}, term("h", "state"), " = ", term("o", "gate"), " · tanh(c)", ` = ${n(o)} · tanh(${decimal(c)}) = `, h("strong", {}, decimal(hidden))),
      h("p", { class: "soft" }, sentence(i, f, g, o, before)));
  }

  function sentence(i, f, g, o, before) {
    const keep = Math.abs(before) < 0.05 ? t("There was hardly anything to keep") : f > 0.9 ? t("It keeps nearly all it held") : f < 0.1 ? t("It lets go of nearly all it held") : t("It keeps {share} % of what it held", { share: Math.round(100 * f) });
    const write = Math.abs(i * g) < 0.05 ? t("writes next to nothing") : t("adds {value}", { value: decimal(i * g) });
    const show = o > 0.9 ? t("shows all") : o < 0.1 ? t("shows next to nothing") : t("shows {share} %", { share: Math.round(100 * o) });
    return t("{keep}, {write}, and {show}.", { keep, write, show });
  }

  function curves(cell, view, width) {
    const names = labels(cell.pieces), shape = geometry(names, width, 44, 10), unit = view.unit;
    const [c, hidden] = [over(cell, unit, "c"), over(cell, unit, "h")], most = Math.max(1, ...c.map(Math.abs));
    const chart = lines({ series: [{ values: c, kind: "cell" }, { values: hidden, kind: "hidden-state" }], names, shape, left: 44, height: 120, low: -most, high: most, name: t("Cell state (solid) and hidden state (dashed) of unit {unit}", { unit }) });
    const { svg, left, cell: wide } = chart, top = Number(svg.getAttribute("height")), lane = 24;
    ["f", "i", "o"].forEach((gate, k) => {
      const y = top + k * (lane + 6);
      svg.append(s("text", { class: "tick", x: left - 6, y: y + lane / 2, "text-anchor": "end", "dominant-baseline": "central" }, gate), s("rect", { class: "lane", x: left, y, width: wide * cell.steps, height: lane }),
        ...over(cell, unit, gate).map((value, step) => s("rect", { class: "bar", x: left + step * wide + 1, y: y + lane * (1 - value), width: wide - 2, height: lane * value })));
    });
    const tall = top + 3 * (lane + 6);
    svg.setAttribute("height", tall);
    svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${tall}`);
    svg.prepend(s("rect", { class: "band", x: left + view.step * wide, y: 0, width: wide, height: tall }));
    return svg;
  }

  // Everything of one unit. `choose` hears {unit} or {step}.
  function unit(cell, view, { width, rows, choose }) {
    const names = labels(cell.pieces), place = rows.indexOf(view.unit), title = h("h3", {}), numbers = h("div", {}), picture = h("div", {});
    let svg = null;
    const step = (by, text, name) => h("button", { type: "button", class: "small", "aria-label": name, disabled: rows[place + by] === undefined ? "" : null, click: () => choose({ unit: rows[place + by] }) }, text);
    const range = h("input", { type: "range", min: 0, max: cell.steps - 1, value: view.step, "aria-label": t("Piece"), "aria-valuetext": names[view.step], input: (event) => choose({ step: Number(event.target.value) }) });
    const node = h("div", { class: "unit" },
      title,
      h("div", { class: "controls" }, step(-1, "←", t("Unit before")), step(1, "→", t("Next unit")), h("label", { class: "choice grow" }, h("span", {}, t("Piece")), range)),
      numbers, picture,
      table(t("Unit {unit} at every piece: c = f · c before + i · g, and h = o · tanh(c).", { unit: view.unit }), [t("Piece"), "f", t("c before"), "i", "g", "c", "o", "h"],
        names.map((text, step) => [text, ...[cell.value("f", step, view.unit), cell.before(step, view.unit), ...["i", "g", "c", "o", "h"].map((gate) => cell.value(gate, step, view.unit))].map((value) => decimal(value, 3))])));
    // What depends on the piece; the slider stays the one that is held.
    function move() {
      title.textContent = t("Unit {unit} at “{piece}”", { unit: view.unit, piece: names[view.step] });
      range.value = view.step;
      range.setAttribute("aria-valuetext", names[view.step]);
      numbers.replaceChildren(equations(cell, view.unit, view.step));
      svg = curves(cell, view, width);
      svg.addEventListener("pointerdown", (event) => {
        const box = svg.getBoundingClientRect(), step = Math.floor((event.clientX - box.left - 44) / geometry(names, width, 44, 10).cell);
        if (step >= 0 && step < cell.steps) choose({ step });
      });
      const left = picture.firstChild?.scrollLeft || 0;
      picture.replaceChildren(scroll(svg));
      picture.firstChild.scrollLeft = left;
    }
    move();
    return { node, move, svg: () => svg };
  }

  Object.assign(window.seq2seq, { unit });
})();
