// Lines and bars over pieces or steps. It knows numbers and names of columns; nothing of networks.
(() => {
  "use strict";
  const { s, clamp, columns, decimal } = window.seq2seq;

  // Lines over evenly spaced places. `series`: [{values, name, kind}], kind is the class of the line; `log`: the axis of y.
  function lines({ series, names = null, shape = null, width, height = 150, log = false, low = null, high = null, left = 44, ticks = null, name }) {
    const known = series.flatMap((one) => one.values.filter((value) => Number.isFinite(value) && (!log || value > 0)));
    const to = log ? Math.log10 : (value) => value;
    let bottom = to(low ?? Math.min(...(known.length ? known : [log ? 1e-3 : 0]))), top = to(high ?? Math.max(...(known.length ? known : [1])));
    if (log) [bottom, top] = [Math.max(Math.floor(bottom), Math.ceil(top) - 12), Math.ceil(top)];
    if (bottom === top) [bottom, top] = [bottom - 1, top + 1];
    const count = Math.max(...series.map((one) => one.values.length));
    const head = shape ? shape.head : 10, foot = ticks ? 24 : 8, cell = shape ? shape.cell : (width - left - 12) / Math.max(1, count - 1);
    const wide = shape ? left + count * cell + shape.tail : width, tall = head + height + foot;
    const x = (k) => left + (shape ? (k + 0.5) * cell : k * cell);
    const y = (value) => head + height * (1 - (clamp(to(value), bottom, top) - bottom) / (top - bottom));
    const marks = log ? Array.from({ length: top - bottom + 1 }, (_, k) => bottom + k).filter((_, k, all) => all.length < 8 || k % 3 === 0) : [bottom, bottom < 0 && top > 0 ? 0 : (bottom + top) / 2, top];
    const rules = marks.map((mark) => {
      const at = head + height * (1 - (mark - bottom) / (top - bottom));
      return [s("line", { class: mark === 0 && !log ? "axis" : "rule", x1: left, x2: wide - (shape ? shape.tail : 0), y1: at, y2: at }),
        s("text", { class: "tick", x: left - 6, y: at, "text-anchor": "end", "dominant-baseline": "central" }, log ? power(mark) : decimal(mark, 1))];
    });
    const drawn = series.map((one) => {
      let path = "", pen = false;
      one.values.forEach((value, k) => {
        const fine = Number.isFinite(value) && (!log || value > 0);
        if (fine) path += `${pen ? "L" : "M"}${x(k).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = fine;
      });
      return s("path", { class: `line ${one.kind}`, d: path || "M0 0" });
    });
    const below = (ticks || []).map(([k, text]) => s("text", { class: "tick", x: x(k), y: tall - 6, "text-anchor": "middle" }, text));
    const svg = s("svg", { class: "chart", width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": name },
      shape && names ? columns(names, shape, left) : null, rules, drawn, below);
    return { svg, x, y, cell, left, head, height };
  }

  const power = (exponent) => (Math.abs(exponent) < 3 ? String(Number((10 ** exponent).toPrecision(1))) : `1e${exponent}`.replace("-", "−"));

  // Vertical bars, 0 to the highest.
  function bars({ values, names = null, shape, left = 44, height = 110, high = null, kind = () => "", name, ticks = [] }) {
    const most = high ?? Math.max(...values, 1e-9), { cell, head, tail } = shape;
    const wide = left + values.length * cell + tail, tall = head + height + 6;
    const svg = s("svg", { class: "chart", width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": name },
      names ? columns(names, shape, left) : null,
      ticks.map(([value, text]) => {
        const at = head + height * (1 - value / most);
        return [s("line", { class: "rule", x1: left, x2: wide - tail, y1: at, y2: at }), s("text", { class: "tick", x: left - 6, y: at, "text-anchor": "end", "dominant-baseline": "central" }, text)];
      }),
      values.map((value, k) => {
        const size = Math.max(1, (height * clamp(value, 0, most)) / most);
        return s("rect", { class: `bar ${kind(k)}`, x: left + k * cell + Math.min(2, 0.15 * cell), y: head + height - size, width: Math.max(1, cell - Math.min(4, 0.3 * cell)), height: size });
      }));
    return { svg };
  }

  Object.assign(window.seq2seq, { lines, bars });
})();
