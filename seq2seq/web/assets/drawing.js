// What the panels draw with: words for pieces, colours, heat maps, tables, downloads. Text becomes text nodes; never markup.
(() => {
  "use strict";
  const { h, s } = window.seq2seq;
  const FONT = "13px system-ui, sans-serif";

  // The words of the page; `seq2seq.phrases` may hold them in another language, by the English.
  function t(text, values = {}) {
    const said = (window.seq2seq.phrases || {})[text] || text;
    return said.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
  }

  // Numbers as the language of the page writes them.
  const formats = new Map();
  function decimal(value, digits = 2) {
    if (!Number.isFinite(value)) return "–";
    const key = `${window.seq2seq.language} ${digits}`;
    if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(window.seq2seq.language, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false }));
    return formats.get(key).format(value).replace("-", "−");
  }
  const percent = (value) => (value < 0.001 ? `< ${decimal(0.1, 1)} %` : `${decimal(value * 100, value < 0.0995 ? 1 : 0)} %`);
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

  // A piece as people read it: a word's first piece plain, its further pieces with a dot before them.
  function label(piece, index) {
    if (piece === "</s>" || piece === "") return t("end");
    if (piece === "<s>") return t("start");
    if (piece === "▁") return "␣";
    if (piece.startsWith("▁")) return piece.slice(1);
    return index > 0 && /^[\p{L}\p{N}]/u.test(piece) ? "·" + piece : piece;
  }
  const labels = (pieces) => pieces.map(label);

  // Pieces as the text they spell; bytes are joined to characters.
  function spell(pieces) {
    let text = "", bytes = [];
    const flush = () => { if (bytes.length) text += new TextDecoder().decode(Uint8Array.from(bytes)); bytes = []; };
    for (const piece of pieces) {
      const byte = /^<0x([0-9A-F]{2})>$/.exec(piece);
      if (byte) bytes.push(parseInt(byte[1], 16));
      else { flush(); if (piece !== "</s>" && piece !== "<s>") text += piece.replaceAll("▁", " "); }
    }
    flush();
    return text.trimStart();
  }

  const ruler = document.createElement("canvas").getContext("2d");
  const widths = new Map();
  function measure(text) {
    if (!widths.has(text)) {
      if (widths.size > 5000) widths.clear();
      ruler.font = FONT;
      widths.set(text, ruler.measureText(text).width);
    }
    return widths.get(text);
  }
  const widest = (texts, most) => Math.min(most, Math.max(0, ...texts.map(measure)));
  function shorten(text, most) {
    if (measure(text) <= most) return text;
    const letters = [...text];
    while (letters.length > 1 && measure(letters.join("") + "…") > most) letters.pop();
    return letters.join("") + "…";
  }

  // --- colour --------------------------------------------------------------------------------------------------------

  const BLUE = [47, 111, 222], ORANGE = [222, 110, 30], TEAL = [13, 148, 136];
  const share = [TEAL, TEAL], signed = [BLUE, ORANGE]; // of values from 0 to 1, and from -1 to 1

  // A picture of rows × columns values as a data URL, one dot each.
  function dots(rows, columns, value, [low, high]) {
    const canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer), whole = new Uint32Array(1), bytes = new Uint8Array(whole.buffer);
    for (let i = 0, k = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++, k++) {
        const number = value(i, j);
        bytes.set(number < 0 ? low : high);
        bytes[3] = Math.round(255 * clamp(Math.abs(number), 0, 1));
        words[k] = whole[0];
      }
    }
    context.putImageData(image, 0, 0);
    return canvas.toDataURL();
  }

  function heat(place, rows, columns, value, colour) {
    return s("image", { class: "heat", ...place, preserveAspectRatio: "none", href: dots(rows, columns, value, colour) });
  }

  // --- heat maps -----------------------------------------------------------------------------------------------------

  // Sizes of a picture whose columns are pieces: slanted labels where they do not fit, steeper where columns are narrow.
  function geometry(names, width, left, least = 14) {
    const longest = widest(names, 110), last = widest(names.slice(-1), 110);
    const cell = (room) => clamp(Math.floor((width - left - room) / names.length), least, 72);
    if (!names.some((text) => measure(text) > cell(0) - 6)) return { cell: cell(0), angle: 0, head: 26, tail: 0 };
    const angle = cell(0.5 * last) < 21 ? 60 : 45, turn = (angle * Math.PI) / 180;
    const tail = Math.ceil(last * Math.cos(turn));
    return { cell: cell(tail), angle, tail, head: Math.ceil(longest * Math.sin(turn)) + 16 };
  }

  function columns(names, { cell, angle, head }, left) {
    return names.map((text, j) => {
      const x = left + (j + 0.5) * cell;
      const place = angle ? { transform: `translate(${x + 4} ${head - 8}) rotate(${-angle})` } : { x, y: head - 9, "text-anchor": "middle" };
      return s("text", { class: "column", "data-j": j, ...place }, shorten(text, angle ? 110 : cell));
    });
  }

  // A heat map with names of rows and columns. `choose(i, j)` hears where the pointer or the arrow keys are, -1 nowhere.
  function matrix({ rows, columns: names, value, colour, width, name, choose = () => {}, extra = null, row: high = 0 }) {
    const row = high || clamp(Math.floor(640 / rows.length), 18, 27), left = Math.ceil(widest(rows, width < 420 ? 84 : 130)) + 16;
    const shape = geometry(names, width - (extra ? extra.width : 0), left), { cell, head, tail } = shape;
    const across = names.length * cell, wide = left + across + Math.max(tail, extra ? extra.width : 0), tall = head + rows.length * row + 2;
    const band = s("rect", { class: "band", x: 0, width: left + across, height: row, rx: 4, visibility: "hidden" });
    const pole = s("rect", { class: "band", y: 0, width: cell, height: tall, rx: 4, visibility: "hidden" });
    const frame = s("rect", { class: "mark", width: cell, height: row, rx: 3, visibility: "hidden" });
    const names_ = rows.map((text, i) => s("text", { class: "row", "data-i": i, x: left - 10, y: head + (i + 0.5) * row, "text-anchor": "end", "dominant-baseline": "central" }, shorten(text, left - 16)));
    const svg = s("svg", { class: "matrix", width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`, role: "application", tabindex: 0, "aria-label": name },
      band, pole, s("rect", { class: "lane", x: left, y: head, width: across, height: rows.length * row, rx: 3 }),
      heat({ x: left, y: head, width: across, height: rows.length * row }, rows.length, names.length, value, colour),
      columns(names, shape, left), names_, extra ? rows.map((_, i) => extra.draw(i, left + across + 8, head + (i + 0.5) * row)) : null, frame);
    let at = [-1, -1];
    const seen = (node, shown) => node.setAttribute("visibility", shown ? "visible" : "hidden");
    function select(i, j) {
      at = [i, j];
      seen(band, i >= 0);
      seen(pole, j >= 0);
      seen(frame, i >= 0 && j >= 0);
      if (i >= 0) band.setAttribute("y", head + i * row);
      if (j >= 0) pole.setAttribute("x", left + j * cell);
      frame.setAttribute("x", left + j * cell);
      frame.setAttribute("y", head + i * row);
    }
    const tell = (i, j) => { if (i !== at[0] || j !== at[1]) { select(i, j); choose(i, j); } };
    function point(event) {
      const box = svg.getBoundingClientRect();
      const i = Math.floor((event.clientY - box.top - head) / row), j = Math.floor((event.clientX - box.left - left) / cell);
      tell(i >= 0 && i < rows.length ? i : -1, j >= 0 && j < names.length ? j : -1);
    }
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", () => document.activeElement !== svg && tell(-1, -1));
    svg.addEventListener("blur", () => tell(-1, -1));
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
      if (!step) return;
      event.preventDefault();
      tell(clamp(at[0] + (at[0] < 0 ? 1 : step[0]), 0, rows.length - 1), clamp(at[1] + (at[1] < 0 ? 1 : step[1]), 0, names.length - 1));
    });
    return { svg, select };
  }

  // --- words beside pictures -----------------------------------------------------------------------------------------

  const scroll = (...children) => h("div", { class: "scroll" }, children);
  function reading(hint) {
    const line = h("p", { class: "reading", "aria-live": "polite" }, hint);
    return { line, say: (text) => { line.textContent = text || hint; } };
  }

  // The same numbers for those who do not see the picture. The first of a row names it; `words` are columns of text.
  function table(caption, head, rows, words = []) {
    const kind = (k) => (k && !words.includes(k) ? "number" : null);
    return h("details", { class: "numbers" }, h("summary", {}, t("As a table"), h("span", { class: "hidden" }, ": ", caption)), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, h("table", {}, h("caption", {}, caption),
      h("thead", {}, h("tr", {}, head.map((text, k) => h("th", { scope: "col", class: kind(k) }, text)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, k) => (k ? h("td", { class: kind(k) }, cell) : h("th", { scope: "row" }, cell)))))))));
  }

  function choice(name, options, chosen, choose) {
    return h("label", { class: "choice" }, h("span", {}, name), h("select", { change: (event) => choose(event.target.value) },
      options.map(([value, text]) => h("option", { value, selected: String(value) === String(chosen) ? "" : null }, text))));
  }

  // --- downloads -----------------------------------------------------------------------------------------------------

  const KEPT = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity", "font", "text-anchor", "dominant-baseline", "image-rendering", "visibility"];
  const printable = (text) => text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD");

  // Pictures, one below the other, as one SVG that needs no stylesheet and runs nothing.
  function standing(pictures) {
    const sizes = pictures.map((svg) => [Number(svg.getAttribute("width")), Number(svg.getAttribute("height"))]);
    const wide = Math.max(...sizes.map((size) => size[0])) + 32, tall = sizes.reduce((sum, size) => sum + size[1] + 24, 16);
    const whole = s("svg", { xmlns: "http://www.w3.org/2000/svg", width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}` });
    const card = pictures[0].closest(".card");
    whole.append(s("rect", { width: wide, height: tall, fill: card ? getComputedStyle(card).backgroundColor : "#ffffff" }));
    let y = 16;
    pictures.forEach((svg, k) => {
      const copy = svg.cloneNode(true), from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
      from.forEach((node, at) => {
        const style = getComputedStyle(node);
        const said = KEPT.map((name) => `${name}:${style.getPropertyValue(name)}`).join(";");
        for (const name of ["class", "tabindex", "role", "aria-label"]) to[at].removeAttribute(name);
        to[at].setAttribute("style", said);
        if (!to[at].childElementCount && to[at].textContent) to[at].textContent = printable(to[at].textContent);
      });
      for (const name of ["class", "tabindex", "role", "aria-label", "aria-hidden", "style"]) copy.removeAttribute(name);
      copy.setAttribute("x", 16);
      copy.setAttribute("y", y);
      y += sizes[k][1] + 24;
      whole.append(copy);
    });
    return new XMLSerializer().serializeToString(whole);
  }

  function download(name, kind, content) {
    const link = h("a", { href: URL.createObjectURL(new Blob([content], { type: kind })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  Object.assign(window.seq2seq, { t, percent, decimal, clamp, label, labels, spell, measure, widest, shorten, share, signed, heat, geometry, columns, matrix, scroll, reading, table, choice, standing, download });
})();
