// Panel: the same translation under other conditions, before and after side by side.
(() => {
  "use strict";
  const { h, t, decimal, labels, matrix, share, scroll, reading, table, choice } = window.seq2seq;
  const MUTE = -10000, BOOST = 2.302585; // as seq2seq.translator has them
  const WORD = /[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu;
  const STATES = [["as it is", ""], ["muted", "×"], ["boosted", "↑"]];

  // Which words of two texts are not in the other, by the longest common subsequence.
  function difference(one, other) {
    const a = one.split(/\s+/).filter(Boolean).slice(0, 400), b = other.split(/\s+/).filter(Boolean).slice(0, 400);
    const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
    const left = a.map((word) => [word, true]), right = b.map((word) => [word, true]);
    for (let i = 0, j = 0; i < a.length && j < b.length;) {
      if (a[i] === b[j]) { left[i++][1] = false; right[j++][1] = false; } else if (best[i + 1][j] >= best[i][j + 1]) i++;
      else j++;
    }
    return [left, right];
  }
  const marked = (words, tag) => words.flatMap(([word, changed], k) => [k ? " " : null, changed ? h(tag, {}, word) : word]);

  function names(trace) {
    const bias = trace.attention_bias || [];
    return labels(trace.source).map((text, j) => (bias[j] < 0 ? `× ${text}` : bias[j] > 0 ? `↑ ${text}` : text));
  }

  function side(trace, words, tag, title, width) {
    const target = labels(trace.target), source = names(trace), say = reading(t("Attention; point at a cell, or use the arrow keys."));
    const map = matrix({ rows: target, columns: source, value: (i, j) => trace.attention[i][j], colour: share, width, name: t("Attention, {title}", { title }),
      choose: (i, j) => say.say(i >= 0 && j >= 0 ? t("“{target}” gives {weight} of its attention to “{source}”.", { target: target[i], source: source[j], weight: window.seq2seq.percent(trace.attention[i][j]) }) : "") });
    return { svg: map.svg, node: h("div", { class: "side" }, h("h3", {}, title), h("p", { class: "text", dir: "auto" }, marked(words, tag)), h("p", { class: "soft" }, t("Score {score}, log-probability {log_prob}, {pieces} pieces.", { score: decimal(trace.score), log_prob: decimal(trace.log_prob), pieces: trace.target.length })),
      trace.warnings.map((warning) => h("p", { class: "warning" }, warning)), scroll(map.svg), say.line) };
  }

  function draw(body, { trace, width, request, ask, fail }) {
    const state = { pictures: [], json: { before: trace, after: null }, resized(now) { width = now; compare(); } };
    const wish = { prefix: "", banned: "", word: "", other: "", marks: [] };
    let pieces = trace, busy = 0, told = null;
    const words = [...trace.text.matchAll(WORD)];
    const after = h("div", { class: "after", "aria-live": "polite" }), chips = h("div", { class: "chips", role: "group", "aria-label": t("Source pieces: choose to mute, choose again to boost") });

    const text = () => {
      const word = words[Number(wish.word)];
      if (wish.word === "" || !wish.other.trim()) return trace.text;
      return trace.text.slice(0, word.index) + wish.other.trim() + trace.text.slice(word.index + word[0].length);
    };
    function terms() {
      const own = request().terms || {}, bias = pieces.source.map((_, j) => [0, MUTE, BOOST][wish.marks[j] || 0]);
      const banned = wish.banned.split(",").map((phrase) => phrase.trim()).filter(Boolean);
      return { ...own, ...(wish.prefix ? { prefix: wish.prefix } : {}), ...(banned.length ? { forbidden: [...(own.forbidden || []), ...banned] } : {}), ...(bias.some(Boolean) ? { attention_bias: bias } : {}) };
    }

    function show() {
      chips.replaceChildren(...labels(pieces.source).map((name, j) => {
        const chip = h("button", { type: "button", class: "chip", click: () => { wish.marks[j] = ((wish.marks[j] || 0) + 1) % 3; paint(); } });
        function paint() {
          const [said, sign] = STATES[wish.marks[j] || 0];
          chip.textContent = `${sign} ${name}`.trim();
          chip.dataset.mark = said;
          chip.setAttribute("aria-label", `${name}: ${t(said)}`);
        }
        paint();
        return chip;
      }));
    }

    // Another word makes other pieces, and what was muted of the old ones is not meant of the new.
    async function swap(change) {
      Object.assign(wish, change);
      const mine = ++busy, now = text();
      try {
        const found = now === trace.text ? trace : await ask({ ...request(), text: now });
        if (mine !== busy || found.text === pieces.text) return;
        pieces = found;
        wish.marks = [];
        show();
      } catch (error) { fail(error); }
    }

    async function attempt(event) {
      event?.preventDefault();
      await swap({});
      const mine = ++busy, wanted = terms(), of = text();
      body.setAttribute("aria-busy", "true");
      try {
        const found = await ask({ ...request(), text: of, ...(Object.keys(wanted).length ? { terms: wanted } : {}) });
        if (mine === busy) {
          told = found;
          state.json = { before: trace, wish: { text: of, terms: wanted }, after: told };
          compare();
        }
      } catch (error) {
        if (mine === busy) after.replaceChildren(h("p", { class: "error" }, window.seq2seq.sentence(error)));
      }
      body.removeAttribute("aria-busy");
    }

    // Before and after; before alone, as long as nothing was tried.
    function compare() {
      if (!told) {
        const alone = side(trace, [[trace.translation, false]], "del", t("Before"), width);
        after.replaceChildren(alone.node);
        state.pictures = [alone.svg];
        return;
      }
      const [left, right] = difference(trace.translation, told.translation), half = width >= 860 ? Math.floor((width - 28) / 2) : width;
      const sides = [side(trace, left, "del", t("Before"), half), side(told, right, "ins", t("After"), half)];
      const rows = [[t("Source"), trace.text, told.text], [t("Translation"), trace.translation, told.translation], [t("Score"), decimal(trace.score), decimal(told.score)], [t("Log-probability"), decimal(trace.log_prob), decimal(told.log_prob)], [t("Pieces"), trace.target.length, told.target.length]];
      const same = trace.translation === told.translation;
      after.replaceChildren(h("p", { class: "verdict" }, same ? t("The translation stays the same; its log-probability changes by {value}.", { value: decimal(told.log_prob - trace.log_prob) }) : t("The translation changes, and its log-probability by {value}.", { value: decimal(told.log_prob - trace.log_prob) })),
        h("div", { class: "halves" }, sides.map((each) => each.node)), table(t("Before and after."), ["", t("Before"), t("After")], rows, [1, 2]));
      state.pictures = sides.map((each) => each.svg);
    }

    const input = (name, key, hint) => h("label", { class: "choice grow" }, h("span", {}, name), h("input", { type: "text", dir: "auto", maxlength: 200, placeholder: hint, autocomplete: "off", "data-key": key, input: (event) => { wish[key] = event.target.value; } }));
    const other = input(t("with"), "other", t("another word"));
    other.querySelector("input").addEventListener("change", () => swap({}));
    compare();
    body.replaceChildren(h("form", { class: "wishes", submit: attempt },
      h("div", { class: "controls" }, input(t("Begins with"), "prefix", t("the beginning of the translation")), input(t("Must not say"), "banned", t("words, with commas between"))),
      h("div", { class: "controls" }, choice(t("Replace"), [["", t("no word")], ...words.map((word, k) => [k, word[0]])], "", (value) => swap({ word: value })), other),
      h("div", { class: "controls" }, h("span", { class: "name" }, t("Attention to")), chips),
      h("div", { class: "controls" }, h("button", { type: "submit", class: "small primary" }, t("Try it")), h("span", { class: "soft" }, t("Choose a piece once to mute it, twice to boost it tenfold.")))), after);
    show();
    return state;
  }

  window.seq2seq.panels.push({
    key: "whatif", title: "What if",
    caption: "Change one thing and see what follows. Force the beginning, and the network must make the best of it. Ban a word, and it must find another. Replace a source word, to see whether an ending or a gender follows. Mute a source piece, and the decoder cannot look at it any more: what it still says of it, it knows from the states of its neighbours.",
    wants: {}, draw,
  });
  window.seq2seq.difference = difference;
})();
