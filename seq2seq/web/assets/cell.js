// Panel: the memory cells of one layer, time by unit, and what they say about memory.
(() => {
  "use strict";
  const { h, s, t, percent, decimal, clamp, labels, geometry, columns, heat, share, signed, scroll, reading, table, choice, lines, unpack, correlation } = window.seq2seq;
  const GATES = ["i", "f", "o", "g", "c", "h"]; // in the order in which they are drawn
  const PLACE = { i: 0, f: 1, g: 2, o: 3, c: 4, h: 5 };
  const NAMES = { i: "Input gate i", f: "Forget gate f", o: "Output gate o", g: "Candidate g", c: "Cell state c", h: "Hidden state h" };
  const SHUT = 0.1, OPEN = 0.9;

  // One layer and direction of a trace: numbers by gate, step and unit; `order` of steps as the cell took them.
  function layer(trace, cells, view) {
    const { shape, data } = cells[view.side], reads = view.side === "encoder";
    const [steps, units] = shape.slice(-2);
    const start = (reads ? view.layer * 2 + view.direction : view.layer) * 6 * steps * units;
    const value = (gate, step, unit) => data[start + (PLACE[gate] * steps + step) * units + unit];
    const back = reads && view.direction === 1;
    function before(step, unit) { // the cell state that the step found
      const previous = back ? step + 1 : step - 1;
      if (previous >= 0 && previous < steps) return value("c", previous, unit);
      if (reads) return 0;
      const [, , , S, half] = cells.encoder.shape, top = cells.encoder.shape[0] - 1, direction = unit < half ? 0 : 1;
      return cells.encoder.data[(((top * 2 + direction) * 6 + PLACE.c) * S + (direction ? 0 : S - 1)) * half + (unit % half)];
    }
    const plain = trace.cells, pick = (part) => (reads ? part.encoder[view.layer][view.direction] : part.decoder[view.layer]);
    const found = trace.gradient ? pick(trace.gradient) : null;
    return { steps, units, value, before, back, half: pick(plain.half_life), saturated: pick(plain.saturated), gradient: found, pieces: reads ? trace.source : trace.target };
  }

  const over = (cell, unit, gate) => Array.from({ length: cell.steps }, (_, k) => cell.value(gate, k, unit));
  const variance = (values) => { const m = values.reduce((a, b) => a + b, 0) / values.length; return values.reduce((a, b) => a + (b - m) ** 2, 0) / values.length; };
  const saturation = (cell, unit) => ["i", "f", "o"].reduce((sum, gate) => sum + over(cell, unit, gate).filter((v) => v < SHUT || v > OPEN).length, 0) / (3 * cell.steps);
  const feature = (test) => (cell, unit) => Math.abs(correlation(over(cell, unit, "c"), cell.pieces.map(test)));
  const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
  const shuts = (cell, unit) => { const f = over(cell, unit, "f"); return median(f) - Math.min(...f); };
  const SORTS = {
    shuts: ["How suddenly it forgets", shuts],
    saturation: ["How often its gates are shut or open", saturation],
    variance: ["How much its cell state changes", (cell, unit) => variance(over(cell, unit, "c"))],
    position: ["Correlation with the position", feature((_, k) => k)],
    ending: ["Correlation with the end of the sentence", feature((piece) => (piece === "</s>" || /^▁?[.!?…。？！]+$/.test(piece) ? 1 : 0))],
    word: ["Correlation with the beginning of a word", feature((piece) => (piece.startsWith("▁") ? 1 : 0))],
    half: ["How long it keeps what it was told", (cell, unit) => cell.half[unit]],
    none: ["As they are numbered", (cell, unit) => -unit],
  };

  function sorted(cell, by) {
    const score = Array.from({ length: cell.units }, (_, unit) => SORTS[by][1](cell, unit));
    return { order: score.map((_, unit) => unit).sort((a, b) => score[b] - score[a] || a - b), score };
  }

  // Six heat maps with one crosshair. `choose(unit, step)` hears clicks and arrow keys.
  function plates(cell, rows, view, width, choose) {
    const names = labels(cell.pieces), across = width >= 1000 ? 3 : width >= 620 ? 2 : 1;
    const room = Math.floor((width - 20 * (across - 1)) / across), least = across === 1 ? 12 : 10;
    const shape = geometry(names, room, 0, least), high = Math.max(1, Math.floor(190 / rows.length)), tall = high * rows.length;
    const wide = names.length * shape.cell;
    const quantile = (values) => values.sort((a, b) => a - b)[Math.floor(0.99 * (values.length - 1))];
    const scale = Math.max(1e-6, quantile(rows.flatMap((unit) => over(cell, unit, "c").map(Math.abs))));
    const made = GATES.map((gate) => {
      const gateway = "ifo".includes(gate), most = gate === "c" ? scale : 1;
      const value = (r, k) => cell.value(gate, k, rows[r]) / most;
      const marks = [s("rect", { class: "band" }), s("rect", { class: "band" })];
      const svg = s("svg", { class: "plate", width: wide + shape.tail, height: shape.head + tall + 2, viewBox: `0 0 ${wide + shape.tail} ${shape.head + tall + 2}`, role: "application", tabindex: gate === "c" ? 0 : -1, "data-gate": gate,
        "aria-label": t("{gate}: {units} units over {steps} pieces; up and down choose a unit, left and right a piece.", { gate: t(NAMES[gate]), units: rows.length, steps: cell.steps }) },
        s("rect", { class: "lane", x: 0, y: shape.head, width: wide, height: tall }), columns(names, shape, 0), heat({ x: 0, y: shape.head, width: wide, height: tall }, rows.length, cell.steps, value, gateway ? share : signed), marks);
      svg.addEventListener("pointerdown", (event) => {
        const box = svg.getBoundingClientRect();
        choose(rows[clamp(Math.floor((event.clientY - box.top - shape.head) / high), 0, rows.length - 1)], clamp(Math.floor((event.clientX - box.left) / shape.cell), 0, cell.steps - 1));
      });
      svg.addEventListener("keydown", (event) => {
        const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
        if (!step) return;
        event.preventDefault();
        choose(rows[clamp(Math.max(0, rows.indexOf(view.unit)) + step[0], 0, rows.length - 1)], clamp(view.step + step[1], 0, cell.steps - 1));
      });
      const legend = h("p", { class: "legend" }, h("strong", {}, t(NAMES[gate])), h("span", {}, gateway ? "0" : `−${decimal(most, gate === "c" ? 2 : 0)}`), h("i", { class: gateway ? "sequential" : "diverging", "aria-hidden": "true" }), h("span", {}, gateway ? "1" : decimal(most, gate === "c" ? 2 : 0)));
      return { svg, marks, node: h("div", { class: "plate-box" }, legend, scroll(svg)) };
    });
    function mark() {
      const r = rows.indexOf(view.unit);
      for (const { marks: [row, column] } of made) {
        for (const [name, value] of Object.entries({ x: 0, y: shape.head + r * high - 1, width: wide, height: high + 2, visibility: r < 0 ? "hidden" : "visible" })) row.setAttribute(name, value);
        for (const [name, value] of Object.entries({ x: view.step * shape.cell, y: shape.head, width: shape.cell, height: tall })) column.setAttribute(name, value);
      }
    }
    return { node: h("div", { class: "plates", style: `grid-template-columns:repeat(${across},minmax(0,1fr))` }, made.map((each) => each.node)), svgs: made.map((each) => each.svg), mark };
  }

  function saturationBars(cell) {
    const wide = 300, left = 24, size = wide - left;
    const rows = ["i", "f", "o"].map((gate, k) => {
      const [shut, open] = cell.saturated[k], y = 6 + 26 * k;
      return [s("text", { x: 6, y: y + 9, "dominant-baseline": "central" }, gate), s("rect", { class: "lane", x: left, y, width: size, height: 18 }),
        s("rect", { class: "shut", x: left, y, width: size * shut, height: 18 }), s("rect", { class: "open", x: left + size * (1 - open), y, width: size * open, height: 18 })];
    });
    return s("svg", { class: "chart", width: wide, height: 84, viewBox: `0 0 ${wide} 84`, role: "img", "aria-label": t("Share of saturated gates") }, rows);
  }

  function halfLives(cell, unit) {
    const edges = [0, 0.5, 1, 2, 4, 8, 16, 32, Infinity], counts = edges.slice(1).map((high, k) => cell.half.filter((value) => value >= edges[k] && value < high).length);
    const own = edges.findIndex((high) => cell.half[unit] < high) - 1, most = Math.max(...counts), bar = 34;
    const bars = counts.map((count, k) => {
      const tall = (60 * count) / most, x = 4 + k * bar;
      return [s("rect", { class: `bar ${k === own ? "chosen" : ""}`, x, y: 78 - tall, width: bar - 4, height: Math.max(1, tall) }), s("text", { class: "tick", x: x + 15, y: 72 - tall, "text-anchor": "middle" }, count),
        s("text", { class: "tick", x: x + 15, y: 92, "text-anchor": "middle" }, edges[k + 1] === Infinity ? "≥ 32" : `< ${edges[k + 1]}`)];
    });
    return s("svg", { class: "chart", width: 280, height: 100, viewBox: "0 0 280 100", role: "img", "aria-label": t("Half-lives of the units, in steps") }, bars);
  }

  function gradientChart(cell, width) {
    const names = labels(cell.pieces), shape = geometry(names, width, 48, 10), [byC, byH] = cell.gradient;
    return lines({ series: [{ values: byC, kind: "cell" }, { values: byH, kind: "hidden-state" }], names, shape, log: true, left: 48, name: t("Gradient by cell state and by hidden state at each piece, on a logarithmic axis") }).svg;
  }

  // What benchmarks/memory.py measured: an LSTM and a plain recurrence of the same size, by steps back.
  function measuredChart(measured, width) {
    const { lstm, plain } = measured.gradient, count = lstm.length, every = Math.max(1, Math.ceil(count / 5));
    const ticks = Array.from({ length: count }, (_, k) => k).filter((k) => k % every === 0).map((k) => [k, k]);
    return lines({ series: [{ values: lstm, kind: "cell" }, { values: plain, kind: "plain" }], width: Math.min(width, 560), log: true, left: 56, ticks, name: t("Gradient by steps back, of an LSTM and of a plain recurrence") }).svg;
  }

  function back(trace, cell, view, width, measured, again) {
    const parts = [h("h3", {}, t("What flows back through time"))], pictures = [];
    if (!cell.gradient) parts.push(h("p", { class: "soft" }, trace.warnings.find((warning) => warning.includes("radient")) || t("This model's graph does not tell the gradient.")));
    else {
      const chart = gradientChart(cell, width);
      pictures.push(chart);
      parts.push(h("p", { class: "caption" }, t("How strongly the log-probability of one piece of the translation depends on the state at each piece: through the cell state (solid) and through the hidden state (dashed). Every line of the axis is ten times the one below. Where the solid line stays level, the cell carries the error back unharmed.")),
        choice(t("Of the target piece"), labels(trace.target).map((text, k) => [k, `${k + 1}. ${text}`]), trace.gradient.step, (value) => again(Number(value))), scroll(chart),
        table(t("The gradient at every piece."), [t("Piece"), t("By cell state c"), t("By hidden state h")], labels(cell.pieces).map((text, k) => [text, ...cell.gradient.map((values) => values[k].toPrecision(3))])));
    }
    if (measured) {
      const chart = measuredChart(measured, width);
      pictures.push(chart);
      parts.push(h("h3", {}, t("Beside a plain recurrence")), h("p", { class: "caption" }, t("Two networks with {units} units were trained to say three symbols again after {steps} blanks: an LSTM (solid) and a plain tanh recurrence (dotted). This is how much of the gradient is left, by the number of steps back. Where a line ends, the numbers do: less than that is 0 in a computer.", { units: measured.units, steps: measured.steps })), scroll(chart),
        table(t("Share of the gradient that is left."), [t("Steps back"), t("LSTM"), t("Plain")], measured.gradient.lstm.map((value, k) => [String(k), value.toPrecision(3), measured.gradient.plain[k].toPrecision(3)])));
    }
    return { node: h("div", { class: "back" }, parts), pictures };
  }

  function draw(body, { trace: first, width, request, ask, fail }) {
    let trace = first, turns = 0;
    const cells = { encoder: unpack(first.cells.encoder), decoder: unpack(first.cells.decoder) };
    const view = kept, state = { pictures: [], resized(now) { width = now; focus(show); }, json: { text: trace.text, translation: trace.translation, source: trace.source, target: trace.target, cells: trace.cells, gradient: trace.gradient } };
    const layers = { encoder: cells.encoder.shape[0], decoder: cells.decoder.shape[0] };

    async function again(step) {
      const mine = ++turns;
      try {
        const { gradient } = await ask({ ...request(), step });
        if (mine !== turns) return;
        trace = { ...trace, gradient };
        state.json.gradient = gradient;
        show();
        body.querySelector(".back select")?.focus();
      } catch (error) { if (mine === turns) fail(error); }
    }

    function show() {
      view.layer = Math.min(view.layer, layers[view.side] - 1);
      const cell = layer(trace, cells, view), { order, score } = sorted(cell, view.by), rows = order.slice(0, view.shown || cell.units);
      if (!rows.includes(view.unit)) {
        view.unit = rows[0];
        if (view.by === "shuts") { const f = over(cell, view.unit, "f"); view.step = f.indexOf(Math.min(...f)); }
      }
      view.step = clamp(view.step, 0, cell.steps - 1);
      const inspected = h("div", { class: "inspected" });
      const set = (change) => { Object.assign(view, change); focus(show); };
      const maps = plates(cell, rows, view, width, (unit, step) => { Object.assign(view, { unit, step }); inspect(); });
      const past = back(trace, cell, view, width, window.seq2seq.measured, again);
      const halves = h("p", { class: "soft" }), lives = h("div", {});
      let told = null, of = -1;
      function inspect() {
        maps.mark();
        if (told && of === view.unit) told.move(); // in place, for the slider may be held
        else {
          told = window.seq2seq.unit(cell, view, { width, rows, choose: (change) => { Object.assign(view, change); focus(inspect); } });
          of = view.unit;
          inspected.replaceChildren(told.node);
        }
        const chart = halfLives(cell, view.unit);
        lives.replaceChildren(chart);
        halves.textContent = t("Half of what unit {unit} was told is left after {own} steps; of all units the middle one is at {median}.", { unit: view.unit, own: decimal(cell.half[view.unit], 1), median: decimal(median(cell.half), 1) });
        state.pictures = [...maps.svgs, told.svg(), bars, chart, ...past.pictures];
      }
      const bars = saturationBars(cell);
      const sides = [["encoder", t("Encoder, which reads")], ["decoder", t("Decoder, which writes")]];
      body.replaceChildren(h("div", { class: "controls" },
        choice(t("Network"), sides, view.side, (side) => set({ side, step: 0 })),
        choice(t("Layer"), Array.from({ length: layers[view.side] }, (_, k) => [k, k + 1]), view.layer, (value) => set({ layer: Number(value) })),
        view.side === "encoder" ? choice(t("Direction"), [[0, t("forward")], [1, t("backward")]], view.direction, (value) => set({ direction: Number(value) })) : null,
        choice(t("Units sorted by"), Object.entries(SORTS).map(([key, [name]]) => [key, t(name)]), view.by, (by) => set({ by, unit: -1 })),
        choice(t("Shown"), [[32, 32], [64, 64], [128, 128], [0, t("all {units}", { units: cell.units })]], view.shown, (value) => set({ shown: Number(value) }))),
        maps.node, inspected,
        h("div", { class: "halves" },
          h("div", {}, h("h3", {}, t("Saturated gates")), h("p", { class: "caption" }, t("The share of gate values that are nearly shut (below 0.1, from the left) and nearly open (above 0.9, from the right). A saturated gate decides; one in between blends, and learns faster.")), scroll(bars),
            table(t("Share of saturated gates."), [t("Gate"), t("Shut"), t("Open")], ["i", "f", "o"].map((gate, k) => [t(NAMES[gate]), ...cell.saturated[k].map(percent)]))),
          h("div", {}, h("h3", {}, t("How long it remembers")), h("p", { class: "caption" }, t("A cell keeps the product of its forget gates. Its half-life is the number of steps after which half is left; the bars count units.")), scroll(lives), halves)),
        past.node,
        table(t("The units that are shown, in their order."), [t("Unit"), t(SORTS[view.by][0]), t("Half-life, steps"), t("Cell state, smallest"), t("Cell state, largest")],
          rows.map((unit) => { const c = over(cell, unit, "c"); return [String(unit), decimal(Math.abs(score[unit])), decimal(cell.half[unit], 1), decimal(Math.min(...c)), decimal(Math.max(...c))]; })));
      inspect();
    }

    // Draws anew, and leaves the focus where it was.
    function focus(redraw) {
      const all = () => [...body.querySelectorAll("select, input, button, svg[tabindex]")], at = all().indexOf(document.activeElement);
      redraw();
      if (at >= 0) all()[at]?.focus({ preventScroll: true });
    }

    show();
    return state;
  }

  const kept = { side: "encoder", layer: 0, direction: 0, by: "shuts", shown: 64, unit: -1, step: 0 };
  window.seq2seq.panels.push({
    key: "memory", title: "Memory cell",
    caption: "Each unit of an LSTM has a cell state c that is carried from piece to piece. The forget gate f says how much of it is kept, the input gate i how much of the candidate g is added, the output gate o how much is shown as hidden state h. Rows are units, columns are pieces. Follow a row of c: colour that stays is remembered, colour that fades or flips was overwritten, and f and i of the same column say why.",
    wants: { cells: true }, draw,
  });
  window.seq2seq.over = over;
})();
