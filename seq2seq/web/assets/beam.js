// Panel: the search as a tree, replayed step by step, and ranked anew under another length penalty.
(() => {
  "use strict";
  const { h, s, t, percent, decimal, clamp, label, spell, shorten, scroll, reading, table } = window.seq2seq;
  const PITCH = 92, WIDE = 74, ROW = 36, HIGH = 25, TOP = 22;
  const MARKS = { alive: "", finished: "✓ ", pruned: "× " };

  const children = (nodes) => {
    const found = nodes.map(() => []);
    for (const node of nodes) if (node.parent !== null) found[node.parent].push(node.id);
    return found;
  };
  function chain(nodes, id) { // from the first piece to this one
    const path = [];
    for (let node = nodes[id]; node && node.parent !== null; node = nodes[node.parent]) path.unshift(node);
    return path;
  }

  // The score of a hypothesis as docs/search.md has it.
  const score = (node, alpha, gamma) => node.cumulative / ((5 + node.step) / 6) ** alpha + gamma * node.step + node.coverage;

  function ranking(nodes, alpha, gamma) {
    const ended = nodes.filter((node) => node.state === "finished"), among = ended.length ? ended : nodes.filter((node) => node.hypothesis !== null);
    return among.map((node) => ({ node, score: score(node, alpha, gamma) })).sort((a, b) => b.score - a.score || a.node.id - b.node.id);
  }

  function picture(nodes, below, tell) {
    const steps = Math.max(...nodes.map((node) => node.step)), most = Math.max(...nodes.map((node) => node.rank));
    const wide = steps * PITCH + WIDE + 8, tall = TOP + most * ROW;
    const x = (node) => 2 + node.step * PITCH, y = (node) => TOP + (node.rank - 0.5) * ROW;
    const edges = nodes.slice(1).map((node) => {
      const from = nodes[node.parent], a = x(from) + WIDE, b = x(node), bend = (b - a) / 2 + (node.step - from.step > 1 ? 20 : 0);
      return s("path", { class: "edge", "data-id": node.id, d: `M${a} ${y(from)}C${a + bend} ${y(from)} ${b - bend} ${y(node)} ${b} ${y(node)}` });
    });
    const drawn = nodes.map((node) => s("g", { class: `node ${node.state}`, "data-id": node.id, tabindex: node.id ? -1 : 0, role: "img", "aria-label": told(nodes, node) },
      s("rect", { class: "back", x: x(node), y: y(node) - HIGH / 2, width: WIDE, height: HIGH, rx: 7 }),
      s("text", { x: x(node) + WIDE / 2, y: y(node), "text-anchor": "middle", "dominant-baseline": "central" }, MARKS[node.state] + shorten(label(node.piece, 1), WIDE - (MARKS[node.state] ? 26 : 10)))));
    const head = Array.from({ length: steps }, (_, k) => s("text", { class: "tick", x: 2 + (k + 1) * PITCH + WIDE / 2, y: 12, "text-anchor": "middle" }, k + 1));
    const svg = s("svg", { class: "tree", width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`, role: "group", "aria-label": t("The beam as a tree; arrow keys go along it") }, head, edges, drawn);
    const hover = (event) => { const node = event.target.closest?.(".node"); tell(node ? nodes[node.dataset.id] : null); };
    for (const kind of ["pointerover", "focusin"]) svg.addEventListener(kind, hover);
    for (const kind of ["pointerleave", "focusout"]) svg.addEventListener(kind, () => tell(null));
    svg.addEventListener("keydown", (event) => {
      const node = nodes[event.target.closest?.(".node")?.dataset.id];
      if (!node) return;
      const beside = (by) => nodes.find((other) => other.step === node.step && other.rank === node.rank + by);
      const best = (ids) => ids.map((id) => nodes[id]).sort((a, b) => a.rank - b.rank)[0];
      const next = { ArrowLeft: () => nodes[node.parent], ArrowRight: () => best(below[node.id]), ArrowUp: () => beside(-1), ArrowDown: () => beside(1) }[event.key]?.();
      if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
      if (!next || drawn[next.id].getAttribute("visibility") === "hidden") return;
      drawn[node.id].setAttribute("tabindex", -1);
      drawn[next.id].setAttribute("tabindex", 0);
      drawn[next.id].focus();
    });
    return { svg, edges, drawn, steps };
  }

  function told(nodes, node) {
    if (node.parent === null) return t("The beginning, before anything is said.");
    const fate = { alive: t("it went on"), finished: t("it ended, and stayed to the end"), pruned: t("it fell out of the beam") }[node.state];
    return t("Step {step}, rank {rank}: “{text}”. The last piece has probability {probability}, all together log-probability {total}; {fate}.", {
      step: node.step, rank: node.rank, text: spell(chain(nodes, node.id).map((each) => each.piece)) || "␣", probability: percent(Math.exp(node.log_prob)), total: decimal(node.cumulative), fate });
  }

  function draw(body, { trace, signal }) {
    const nodes = trace.beam;
    if (!nodes || nodes.length < 2) {
      body.replaceChildren(h("p", { class: "soft" }, t("There was nothing to search for.")));
      return { pictures: [], json: { text: trace.text, translation: trace.translation, search: trace.search, beam: nodes } };
    }
    const below = children(nodes), own = trace.search.length_penalty, gamma = trace.search.word_reward || 0;
    const say = reading(t("Point at a hypothesis, or go along the tree with the arrow keys."));
    const { svg, edges, drawn, steps } = picture(nodes, below, (node) => say.say(node ? told(nodes, node) : ""));
    let at = steps, timer = 0, alpha = own;
    const frame = scroll(svg), counter = h("output", {}), place = h("div", {});
    const range = h("input", { type: "range", min: 0, max: steps, value: at, "aria-label": t("Step of the search"), input: (event) => { stop(); replay(Number(event.target.value)); } });
    const play = h("button", { type: "button", class: "small", click: () => (timer ? stop() : start()) }, t("Replay"));
    const button = (by, text, name) => h("button", { type: "button", class: "small", "aria-label": name, click: () => { stop(); replay(clamp(at + by, 0, steps)); } }, text);

    function start() {
      if (at === steps) replay(0);
      play.textContent = t("Pause");
      timer = setInterval(() => { if (at >= steps || signal.aborted || !svg.isConnected) stop(); else replay(at + 1); }, 550);
    }
    function stop() {
      clearInterval(timer);
      timer = 0;
      play.textContent = t("Replay");
    }
    function replay(step) {
      at = step;
      range.value = step;
      const living = new Set(); // those that lead to what the beam holds now
      for (const node of nodes) {
        if (node.step !== at && !(node.state === "finished" && node.step < at)) continue;
        for (let each = node; each && !living.has(each.id); each = nodes[each.parent]) living.add(each.id);
      }
      const shown = nodes.filter((node) => node.step <= at);
      nodes.forEach((node, k) => {
        const seen = node.step <= at;
        drawn[k].setAttribute("visibility", seen ? "visible" : "hidden");
        drawn[k].classList.toggle("now", node.step === at);
        drawn[k].classList.toggle("dead", seen && !living.has(k));
        if (k) {
          edges[k - 1].setAttribute("visibility", seen ? "visible" : "hidden");
          edges[k - 1].classList.toggle("dead", !living.has(k));
        }
      });
      const tabbed = drawn.find((node) => node.getAttribute("tabindex") === "0");
      if (tabbed.getAttribute("visibility") === "hidden") { // or nobody could reach the tree by keyboard
        tabbed.setAttribute("tabindex", -1);
        drawn[0].setAttribute("tabindex", 0);
      }
      const gone = shown.filter((node) => !living.has(node.id) && !below[node.id].length).length;
      counter.textContent = t("step {step} of {steps}: {open} open, {finished} finished, {pruned} pruned", { step: at, steps, open: shown.filter((node) => node.step === at && node.state !== "finished").length, finished: shown.filter((node) => node.state === "finished").length, pruned: gone });
      const end = 2 + at * PITCH + WIDE + 40;
      if (end > frame.scrollLeft + frame.clientWidth || end - PITCH * 2 < frame.scrollLeft) frame.scrollLeft = Math.max(0, end - frame.clientWidth);
    }

    function rank() {
      const now = ranking(nodes, alpha, gamma), before = ranking(nodes, own, gamma).map(({ node }) => node.id);
      const best = new Set(chain(nodes, now[0].node.id).map((node) => node.id));
      drawn.forEach((node, k) => node.classList.toggle("best", best.has(k)));
      edges.forEach((edge, k) => edge.classList.toggle("best", best.has(k + 1)));
      place.replaceChildren(h("table", { class: "ranking" }, h("caption", {}, t("The hypotheses that the beam ended with, by the score at length penalty {alpha}.", { alpha: decimal(alpha) })),
        h("thead", {}, h("tr", {}, [t("Rank"), t("Translation"), t("Pieces"), t("Log-probability"), t("Score"), t("Was")].map((text, k) => h("th", { scope: "col", class: k < 2 ? null : k === 3 ? "number wide" : "number" }, text)))),
        h("tbody", {}, now.map(({ node, score: value }, k) => {
          const was = before.indexOf(node.id);
          return h("tr", { class: k ? null : "best" }, h("td", { class: "rank" }, k + 1), h("td", { class: "text", dir: "auto" }, spell(chain(nodes, node.id).map((each) => each.piece))), h("td", { class: "number" }, node.step), h("td", { class: "number wide" }, decimal(node.cumulative)), h("td", { class: "number" }, decimal(value)),
            h("td", { class: "number" }, was === k ? String(was + 1) : `${was > k ? "▲" : "▼"} ${was + 1}`));
        }))));
    }
    const shown = h("output", {}, decimal(alpha));
    const slider = h("input", { type: "range", min: 0, max: 2, step: 0.05, value: alpha, "aria-label": t("Length penalty"), "data-key": "penalty", input: (event) => { alpha = Number(event.target.value); shown.textContent = decimal(alpha); rank(); } });

    body.replaceChildren(
      h("div", { class: "controls" }, play, button(-1, "←", t("One step back")), button(1, "→", t("One step on")), h("label", { class: "choice grow" }, h("span", {}, t("Step")), range), counter),
      frame, h("p", { class: "key" }, h("span", {}, "✓ ", t("finished")), h("span", {}, "× ", t("pruned")), h("span", { class: "bestkey" }, t("the best"))), say.line,
      h("h3", {}, t("Ranked anew")), h("p", { class: "caption" }, t("A longer translation has more factors below one, so a search for the most probable one would prefer short ones. The score divides the log-probability by a power of the length: at 0 by nothing, higher is kinder to long ones. Moving the slider only ranks again what the beam ended with; the search itself ran at {alpha}.", { alpha: decimal(own) })),
      h("div", { class: "controls" }, h("label", { class: "choice grow" }, h("span", {}, t("Length penalty")), slider), shown), scroll(place),
      table(t("Every hypothesis that the search kept."), [t("Step"), t("Rank"), t("Piece"), t("After"), t("Log-probability"), t("State")],
        nodes.slice(1).map((node) => [String(node.step), node.rank, label(node.piece, 1), nodes[node.parent].parent === null ? t("start") : `${label(nodes[node.parent].piece, 1)} (${nodes[node.parent].rank})`, decimal(node.cumulative), { alive: t("alive"), finished: t("finished"), pruned: t("pruned") }[node.state]]), [2, 3, 5]));
    rank();
    replay(steps);
    frame.scrollLeft = 0;
    return { pictures: [svg], resized() {}, json: { text: trace.text, translation: trace.translation, search: trace.search, beam: nodes } };
  }

  window.seq2seq.panels.push({
    key: "beam", title: "Beam",
    caption: "The search keeps the few most probable beginnings, the beam, and lets each of them go on at every step; columns are steps, the best stands at the top. What falls out of the beam is pruned and never comes back, even if it would have ended well. Replay it to see which beginning led, and when the winner took over.",
    wants: { beam: true }, draw,
  });
  window.seq2seq.ranking = ranking;
})();
