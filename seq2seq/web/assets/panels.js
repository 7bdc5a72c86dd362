// The pictures below the panes, from the server's JSON. Text becomes text nodes, as in page.js; never markup.
(() => {
  "use strict";
  const { h, s } = window.seq2seq;
  const percent = (value) => (value < 0.001 ? "< 0.1 %" : `${(value * 100).toFixed(value < 0.0995 ? 1 : 0)} %`);
  const decimal = (value) => value.toFixed(2).replace("-", "−");

  // A piece as people read it: a word's first piece plain, its further pieces with a dot before them.
  function label(piece, index) {
    if (piece === "</s>" || piece === "") return "end";
    if (piece === "▁") return "␣";
    if (piece.startsWith("▁")) return piece.slice(1);
    return index > 0 && /^[\p{L}\p{N}]/u.test(piece) ? "·" + piece : piece;
  }

  const ruler = document.createElement("canvas").getContext("2d");
  function widest(labels, most) {
    ruler.font = "13px system-ui, sans-serif";
    return Math.min(most, Math.max(0, ...labels.map((text) => ruler.measureText(text).width)));
  }
  function shorten(text, most) {
    ruler.font = "13px system-ui, sans-serif";
    if (ruler.measureText(text).width <= most) return text;
    const letters = [...text];
    while (letters.length > 1 && ruler.measureText(letters.join("") + "…").width > most) letters.pop();
    return letters.join("") + "…";
  }

  // --- n-best ------------------------------------------------------------------------------------------------------

  function hypotheses(value) {
    const rows = value.hypotheses.map((hypothesis, index) =>
      h("tr", { class: index === 0 ? "best" : null },
        h("td", { class: "rank" }, index + 1),
        h("td", { class: "text", dir: "auto" }, hypothesis.text,
          hypothesis.finished ? null : h("span", { class: "cut" }, " (cut at the length limit)")),
        h("td", { class: "number" }, decimal(hypothesis.score)),
        h("td", { class: "number wide" }, decimal(hypothesis.log_prob)),
        h("td", { class: "number wide" }, percent(hypothesis.probability)),
      ));
    const greedy = value.hypotheses.length === 1;
    return h("section", { class: "card candidates" },
      h("h2", {}, greedy ? "The translation and its score" : "What the beam ended with"),
      h("div", { class: "scroll" },
        h("table", {},
          h("caption", {}, greedy
            ? "Greedy search follows a single translation."
            : `The ${value.hypotheses.length} best translations, ranked by score: log-probability over a penalty for length.`),
          h("thead", {}, h("tr", {},
            h("th", { scope: "col", class: "rank" }, h("span", { class: "hidden" }, "Rank")),
            h("th", { scope: "col" }, "Translation"),
            h("th", { scope: "col", class: "number" }, "Score"),
            h("th", { scope: "col", class: "number wide" }, "Log-probability"),
            h("th", { scope: "col", class: "number wide" }, "Probability"))),
          h("tbody", {}, rows))));
  }

  // --- attention ---------------------------------------------------------------------------------------------------

  // Sizes of a picture whose columns are source pieces: slanted labels where they do not fit, steeper where columns are narrow.
  function geometry(source, width, left) {
    const longest = widest(source, 110), last = widest(source.slice(-1), 110);
    const cell = (room) => Math.max(14, Math.min(72, Math.floor((width - left - room) / source.length)));
    const slanted = source.some((text) => widest([text], 999) > cell(0) - 6);
    if (!slanted) return { cell: cell(0), angle: 0, head: 26, tail: 0 };
    const angle = cell(0.5 * last) < 21 ? 60 : 45, turn = (angle * Math.PI) / 180;
    const tail = Math.ceil(last * Math.cos(turn));
    return { cell: cell(tail), angle, tail, head: Math.ceil(longest * Math.sin(turn)) + 16 };
  }

  function columns(source, { cell, angle, head }, left) {
    return source.map((text, j) => {
      const x = left + (j + 0.5) * cell;
      const place = angle ? { transform: `translate(${x + 4} ${head - 8}) rotate(${-angle})` } : { x, y: head - 9, "text-anchor": "middle" };
      return s("text", { class: "column", ...place }, shorten(text, angle ? 110 : cell));
    });
  }

  function looks(value, source, i) {
    const order = value.attention[i].map((weight, j) => [weight, j]).sort((a, b) => b[0] - a[0]);
    return order.slice(0, 3).filter(([weight], rank) => rank === 0 || weight >= 0.05).map(([weight, j]) => `${source[j]} ${percent(weight)}`).join(", ");
  }

  function attention(value, width) {
    const source = value.source.map(label), target = value.target.map(label);
    const height = Math.max(20, Math.min(27, Math.floor(700 / target.length))), left = Math.ceil(widest(target, width < 420 ? 92 : 130)) + 16;
    const shape = geometry(source, width, left), { cell, head, tail } = shape;
    const wide = left + source.length * cell + tail, high = head + target.length * height + 2;
    const hint = "Point at a row, or use the arrow keys, to read it.";
    const reading = h("p", { class: "reading" }, hint);
    const rows = target.map((text, i) => {
      const y = head + i * height;
      const cells = value.attention[i].map((weight, j) => weight < 0.01 ? null
        : s("rect", { class: "ink", x: left + j * cell + 1, y: y + 1, width: cell - 2, height: height - 2, rx: 3, "fill-opacity": weight.toFixed(3) }));
      return s("g", { class: "row", "data-i": i },
        s("rect", { class: "back", x: 0, y, width: wide, height, rx: 4 }),
        s("text", { x: left - 10, y: y + height / 2, "text-anchor": "end", "dominant-baseline": "central" }, shorten(text, left - 16)),
        s("rect", { class: "lane", x: left, y: y + 1, width: source.length * cell, height: height - 2, rx: 3 }), cells);
    });
    const picture = s("svg", { class: "attention", width: wide, height: high, viewBox: `0 0 ${wide} ${high}`, role: "img", tabindex: 0, "data-key": "attention",
      "aria-label": `Attention of ${target.length} target pieces over ${source.length} source pieces; the same as text is in the table below.` },
      columns(source, shape, left), rows);
    let chosen = -1;
    function choose(i) {
      if (i === chosen) return;
      chosen = i;
      rows.forEach((row, k) => row.classList.toggle("chosen", k === i));
      reading.textContent = i < 0 ? hint : `“${target[i]}” (probability ${percent(value.probability[i])}) looks at ${looks(value, source, i)}.`;
    }
    const at = (event) => { const row = event.target.closest?.("g.row"); return row ? Number(row.dataset.i) : -1; };
    picture.addEventListener("pointermove", (event) => choose(at(event)));
    picture.addEventListener("pointerdown", (event) => choose(at(event)));
    picture.addEventListener("pointerleave", () => document.activeElement !== picture && choose(-1));
    picture.addEventListener("blur", () => choose(-1));
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      choose(Math.max(0, Math.min(target.length - 1, chosen + step)));
    });
    const table = h("table", {}, h("caption", {}, "For every target piece: the source pieces it attends to most, and its probability."),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Target piece"), h("th", { scope: "col" }, "Looks at"), h("th", { scope: "col", class: "number" }, "Probability"))),
      h("tbody", {}, target.map((text, i) => h("tr", {}, h("th", { scope: "row" }, text), h("td", {}, looks(value, source, i)), h("td", { class: "number" }, percent(value.probability[i]))))));
    return [h("div", { class: "scroll" }, picture), reading, h("details", {}, h("summary", {}, "As a table"), h("div", { class: "scroll" }, table))];
  }

  // --- the memory cell ---------------------------------------------------------------------------------------------

  const BLUE = [47, 111, 222], ORANGE = [222, 110, 30], TEAL = [13, 148, 136];

  function bytes(text) {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  }

  function heat(data, rows, steps, colour) {
    const canvas = h("canvas", { width: steps, height: rows, "aria-hidden": "true" });
    const context = canvas.getContext("2d"), image = context.createImageData(steps, rows);
    data.forEach((byte, k) => image.data.set(colour(byte / 255), 4 * k));
    context.putImageData(image, 0, 0);
    return canvas;
  }
  const kept = (f) => [...TEAL, Math.round(255 * f)];
  const signed = (c) => [...(c < 0.5 ? BLUE : ORANGE), Math.round(255 * Math.abs(2 * c - 1))];

  function memory(value, width, view, choose) {
    const source = value.source.map(label);
    const picture = value.memory[view], steps = source.length;
    const shape = geometry(source, width, 0), { cell, head, tail } = shape;
    const wide = steps * cell;
    const reading = h("p", { class: "reading" });
    const hint = `${picture.rows} of ${picture.units} units, those that change most, in the order in which they fill.`;
    reading.textContent = hint;
    const plate = (name, low, high, kind, data, colour) => h("div", { class: "plate" },
      h("div", { class: "legend" }, h("strong", {}, name), h("span", {}, low), h("i", { class: kind, "aria-hidden": "true" }), h("span", {}, high)),
      h("div", { class: "canvas", style: `width:${wide}px` }, heat(data, picture.rows, steps, colour), h("div", { class: "marker", hidden: "" })));
    const heading = s("svg", { class: "columns", width: wide + tail, height: head, viewBox: `0 0 ${wide + tail} ${head}`, "aria-hidden": "true" }, columns(source, shape, 0));
    const plates = h("div", { class: "plates scroll" }, heading,
      plate("Forget gate", `lets go ${picture.low}`, "1 keeps", "sequential", bytes(picture.forget), kept),
      plate("Cell state", `−${picture.scale}`, `+${picture.scale}`, "diverging", bytes(picture.cell), signed));
    plates.addEventListener("pointermove", (event) => {
      const canvas = event.target.closest?.(".canvas");
      const j = canvas ? Math.floor((event.clientX - canvas.getBoundingClientRect().left) / cell) : -1;
      const inside = j >= 0 && j < steps;
      for (const marker of plates.querySelectorAll(".marker")) {
        marker.hidden = !inside;
        marker.style.cssText = `left:${j * cell}px;width:${cell}px`;
      }
      reading.textContent = inside ? `At “${source[j]}” the units keep ${percent(picture.kept[j])} on average; ${picture.dropped[j]} of ${picture.units} let go of more than half.` : hint;
    });
    plates.addEventListener("pointerleave", () => {
      plates.querySelectorAll(".marker").forEach((marker) => { marker.hidden = true; });
      reading.textContent = hint;
    });
    const several = value.memory.some((other) => other.layer > 1);
    const switches = h("div", { class: "segments", role: "group", "aria-label": "Direction of reading" }, value.memory.map((other, k) =>
      h("button", { type: "button", "data-key": `view${k}`, "aria-pressed": String(k === view), click: () => choose(k) },
        (other.direction === "forward" ? "Forward →" : "← Backward") + (several ? ` ${other.layer}` : ""))));
    const table = h("table", {}, h("caption", {}, "For every source piece: how much of the memory is kept, how many units let go, how much is stored."),
      h("thead", {}, h("tr", {}, ["Source piece", "Forget gate, mean", "Units below one half", "Size of the cell state, mean"].map((text, k) => h("th", { scope: "col", class: k ? "number" : null }, text)))),
      h("tbody", {}, source.map((text, j) => h("tr", {}, h("th", { scope: "row" }, text), h("td", { class: "number" }, picture.kept[j].toFixed(2)), h("td", { class: "number" }, picture.dropped[j]), h("td", { class: "number" }, picture.stored[j].toFixed(2))))));
    return [switches, plates, reading, h("details", {}, h("summary", {}, "As a table"), h("div", { class: "scroll" }, table))];
  }

  // --- everything below the panes ----------------------------------------------------------------------------------

  function figure(name, title, lead) {
    const body = h("div", { class: "body" });
    return [h("figure", { class: `card ${name}` }, h("figcaption", {}, h("h2", {}, title), h("p", {}, lead)), body), body];
  }

  function result(root, props, watch, trigger) {
    let view = 0, drawn = 0;
    function draw() {
      const value = props.value, open = [...root.querySelectorAll("details")].map((details) => details.open);
      const focused = document.activeElement?.dataset.key;
      if (!value) {
        root.replaceChildren(h("p", { class: "invitation" }, "Below the translation you will see the best alternatives with their scores, where the decoder looked, and what the memory cell kept."));
        return;
      }
      if (view >= (value.memory || []).length) view = 0;
      const pages = value.sentences.length < 2 ? null : h("nav", { class: "card sentences", "aria-label": "Sentence to look into" },
        h("h2", {}, "Sentence to look into"),
        h("ol", {}, value.sentences.map((sentence, k) => h("li", {}, h("button", { type: "button", "data-key": `sentence${k}`, "aria-pressed": String(k === value.chosen), click: () => trigger("pick", { index: k }) }, sentence)))));
      const [left, attended] = figure("attended", "Attention", "Each row is a piece of the translation; its strong cells are the source pieces the decoder looked at when it wrote it.");
      const [right, remembered] = figure("remembered", "The memory cell at work",
        "In the forget gate, look for faint stripes: there units let go of what they held, while strong colour carries it on. In the cell state, follow a row to the right: colour that stays is remembered, colour that fades or flips was overwritten.");
      const figures = value.attention ? h("div", { class: "figures" }, left, right) : null;
      root.replaceChildren(...[pages, hypotheses(value), figures].filter(Boolean));
      if (!figures) return;
      const remember = () => remembered.replaceChildren(...memory(value, remembered.clientWidth, view, (k) => { view = k; draw(); }));
      attended.replaceChildren(...attention(value, attended.clientWidth));
      remember();
      root.querySelectorAll("details").forEach((details, k) => { details.open = Boolean(open[k]); });
      if (focused) root.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
      drawn = root.clientWidth;
    }
    watch("value", draw);
    new ResizeObserver(() => { if (props.value && Math.abs(root.clientWidth - drawn) > 8) draw(); }).observe(root);
    draw();
  }

  Object.assign(window.seq2seq, { result });
})();
