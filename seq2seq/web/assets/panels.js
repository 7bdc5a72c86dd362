// What stands below the panes: the n-best list, the sentences, and one panel at a time that shows the network at work.
(() => {
  "use strict";
  const { h, t, percent, decimal, panels, explain, standing, download } = window.seq2seq;
  const DELAY = 60; // milliseconds that a text stands before its trace is asked for

  function hypotheses(list) {
    const rows = list.map((hypothesis, index) =>
      h("tr", { class: index === 0 ? "best" : null },
        h("td", { class: "rank" }, index + 1),
        h("td", { class: "text", dir: "auto" }, hypothesis.text,
          hypothesis.finished ? null : h("span", { class: "cut" }, " ", t("(cut at the length limit)"))),
        h("td", { class: "number" }, decimal(hypothesis.score)),
        h("td", { class: "number wide" }, decimal(hypothesis.log_prob)),
        h("td", { class: "number wide" }, percent(hypothesis.probability)),
      ));
    const greedy = list.length === 1;
    return h("section", { class: "card candidates" },
      h("h2", {}, greedy ? t("The translation and its score") : t("What the beam ended with")),
      h("div", { class: "scroll" },
        h("table", {},
          h("caption", {}, greedy ? t("Greedy search follows a single translation.")
            : t("The {count} best translations, ranked by score: log-probability over a penalty for length.", { count: list.length })),
          h("thead", {}, h("tr", {},
            h("th", { scope: "col", class: "rank" }, h("span", { class: "hidden" }, t("Rank"))),
            h("th", { scope: "col" }, t("Translation")),
            h("th", { scope: "col", class: "number" }, t("Score")),
            h("th", { scope: "col", class: "number wide" }, t("Log-probability")),
            h("th", { scope: "col", class: "number wide" }, t("Probability")))),
          h("tbody", {}, rows))));
  }

  function pages(sentences, chosen, choose) {
    if (sentences.length < 2) return null;
    return h("nav", { class: "card sentences", "aria-label": t("Sentence to look into") },
      h("h2", {}, t("Sentence to look into")),
      h("ol", {}, sentences.map((sentence, k) => h("li", {}, h("button", { type: "button", "data-key": `sentence${k}`, "aria-pressed": String(k === chosen), dir: "auto", click: () => choose(k) }, sentence.source)))));
  }

  let open = 0; // the panel that is shown, of whichever sentence

  // The panels of one sentence. `show(request, about)` gives them another: what /v1/explain is asked, and what else is known.
  function studio() {
    let asking = null, waiting = 0, now = null, shown = null, width = 0, failed = false;
    const caption = h("p", { class: "caption" }), title = h("h2", { id: "studio-title" }), body = h("div", { class: "body" });
    const notes = h("div", { class: "notes", role: "status", "aria-live": "polite" });
    const save = (kind) => h("button", { type: "button", class: "small", disabled: "", "data-save": kind, click: () => keep(kind) }, t("Download {kind}", { kind: kind.toUpperCase() }));
    const saves = ["json", "svg"].map(save);
    const tabs = panels.map((panel, k) => h("button", { type: "button", role: "tab", id: `tab-${panel.key}`, "aria-controls": "studio-panel", "data-key": `tab-${panel.key}`, click: () => turn(k) }, t(panel.title)));
    const list = h("div", { class: "tabs", role: "tablist", "aria-label": t("Look inside"), keydown: (event) => {
      const next = { ArrowRight: open + 1, ArrowLeft: open - 1, Home: 0, End: panels.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      turn((next + panels.length) % panels.length);
      tabs[open].focus();
    } }, tabs);
    const panel = h("div", { class: "panel", role: "tabpanel", id: "studio-panel" }, h("div", { class: "top" }, title, h("div", { class: "saves" }, saves)), caption, notes, body);
    const root = h("section", { class: "card studio" }, list, panel);

    function turn(k) {
      open = k;
      tabs.forEach((tab, at) => { tab.setAttribute("aria-selected", String(at === k)); tab.setAttribute("tabindex", at === k ? 0 : -1); });
      panel.setAttribute("aria-labelledby", tabs[k].id);
      panel.dataset.open = panels[k].key;
      title.textContent = t(panels[k].title);
      caption.textContent = t(panels[k].caption);
      if (tabs[k].offsetLeft < list.scrollLeft || tabs[k].offsetLeft + tabs[k].offsetWidth > list.scrollLeft + list.clientWidth) list.scrollLeft = tabs[k].offsetLeft - 12;
      clear();
      load(0);
    }

    function clear() {
      shown = null;
      saves.forEach((button) => button.setAttribute("disabled", ""));
      body.replaceChildren();
    }

    // Asks for what the open panel wants, and draws it; whatever was asked before is dropped.
    function load(delay) {
      asking?.abort();
      clearTimeout(waiting);
      if (!now) return;
      failed = false;
      const mine = (asking = new AbortController()), { wants, draw } = panels[open], { request, about } = now;
      body.setAttribute("aria-busy", "true");
      waiting = setTimeout(async () => {
        try {
          const ask = (what) => explain(what, mine.signal);
          const trace = await ask({ ...request, ...wants });
          if (mine.signal.aborted) return;
          notes.replaceChildren();
          paint(draw, { trace, about, ask, request: () => request, signal: mine.signal, fail: (error) => mine.signal.aborted || fail(error) });
        } catch (error) {
          if (mine.signal.aborted) return;
          failed = true;
          clear();
          fail(error);
        }
        if (!mine.signal.aborted) body.removeAttribute("aria-busy");
      }, delay);
    }

    // Draws at the width that there is, and leaves open what was open.
    function fitted(drawn) {
      const opened = [...body.querySelectorAll("details")].map((details) => details.open);
      width = Math.floor(body.clientWidth);
      drawn(width);
      body.querySelectorAll("details").forEach((details, k) => { details.open = Boolean(opened[k]); });
    }

    function paint(draw, context) {
      const started = performance.now();
      fitted((wide) => { shown = { draw, context, told: draw(body, { ...context, width: wide }) }; });
      body.getBoundingClientRect();
      panel.dataset.milliseconds = (performance.now() - started).toFixed(1);
      saves.forEach((button) => button.removeAttribute("disabled"));
    }

    // A panel in which something can be chosen or written keeps that: it has `resized`.
    function resized() {
      if (!shown || Math.abs(body.clientWidth - width) <= 8) return;
      if (shown.told.resized) fitted(shown.told.resized);
      else paint(shown.draw, shown.context);
    }

    function fail(error) {
      notes.replaceChildren(h("p", { class: "error" }, window.seq2seq.sentence(error)));
    }

    function keep(kind) {
      const { told } = shown, name = `${panels[open].key}.${kind}`;
      if (kind === "json") download(name, "application/json", JSON.stringify({ panel: panels[open].key, ...told.json }, null, 1));
      else if (told.pictures.length) download(name, "image/svg+xml", standing(told.pictures));
    }

    new ResizeObserver(resized).observe(body);
    turn(open);
    return {
      root,
      stop() { asking?.abort(); clearTimeout(waiting); },
      show(request, about) {
        const same = now && JSON.stringify([now.request, now.about]) === JSON.stringify([request, about]);
        now = { request, about };
        if (!same || failed) load(DELAY);
      },
    };
  }

  function result(root, props, watch) {
    let chosen = 0, looking = null, before = "";
    function draw() {
      const value = props.value;
      if (!value) {
        looking?.stop();
        looking = null;
        root.replaceChildren(h("p", { class: "invitation" }, t("Below the translation you will see the best alternatives with their scores, where the decoder looked, how sure it was, and what the memory cell kept.")));
        return;
      }
      const focused = document.activeElement?.dataset.key;
      looking ??= studio();
      const sources = value.sentences.map((sentence) => sentence.source).join("\n");
      if (sources !== before && chosen >= value.sentences.length) chosen = 0;
      before = sources;
      const sentence = value.sentences[chosen];
      const choose = (k) => { chosen = k; draw(); };
      const parts = [pages(value.sentences, chosen, choose), hypotheses(sentence.hypotheses)].filter(Boolean);
      if (looking.root.isConnected) {
        while (root.firstChild !== looking.root) root.firstChild.remove();
        looking.root.before(...parts);
      } else root.replaceChildren(...parts, looking.root);
      if (focused?.startsWith("sentence")) root.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
      const request = { text: sentence.source, search: value.search, ...(value.model ? { model: value.model } : {}), ...(value.terms ? { terms: value.terms } : {}) };
      looking.show(request, { gradients: Boolean(value.gradients), place: sentence.place });
    }
    watch("value", draw);
    draw();
  }

  Object.assign(window.seq2seq, { result });
})();
