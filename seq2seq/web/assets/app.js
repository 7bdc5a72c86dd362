// The page as a whole: what is known, what is asked when, and where things stand. The parts draw themselves.
(() => {
  "use strict";
  const own = window.seq2seq;
  const { h, t, call, count, sentence, length } = own;

  // The panels' own interface: a value, and someone who watches it.
  function watched() {
    const watchers = [];
    const props = { value: null };
    return { props, watch: (_, heard) => watchers.push(heard), give(value) { props.value = value; watchers.forEach((heard) => heard()); } };
  }

  const named = (model) => ({
    source: { code: model.source_language, name: model.source_name, rtl: model.right_to_left[0] },
    target: { code: model.target_language, name: model.target_name, rtl: model.right_to_left[1] },
  });

  async function app(root, props) {
    const given = props.value;
    own.speak(own.preferred());
    own.repaint();
    let told;
    try {
      told = await call("v1/models");
    } catch (error) {
      root.replaceChildren(h("p", { class: "error", role: "alert" }, sentence(error)));
      return;
    }
    const state = {
      text: "", source: "", translation: "", wordings: [], answer: null, error: "", said: "", warnings: [], live: true,
      models: told.models, memory: told.memory, limit: told.limits.characters, beams: given.beams, search: { ...given.search },
      model: told.models.find((each) => each.default) || told.models[0],
      languages: () => named(state.model),
    };
    const asking = own.live({ answered, failed: (error) => settle({ error }), busy: (is) => desk.busy(is) });
    const past = own.session((entry) => again(entry));
    const files = own.files(() => ({ model: state.model.name, suffixes: told.files, limit: told.limits.file_bytes }));
    let desk, shown, note = ""; // what is to be said with the next answer

    function settle(values) {
      Object.assign(state, { error: "", said: "", warnings: [], ...values });
      if (state.error) Object.assign(state, { translation: "", answer: null });
      desk.show();
      if (!state.answer) shown.give(null);
    }

    // What was asked for, which the text may no longer be.
    function answered(answer, request) {
      const first = answer.translations[0];
      state.model.loaded = true;
      settle({ answer, source: request.text, translation: first.text, wordings: first.sentences.map((each) => each.text), said: note, warnings: warnings(first.warnings) });
      note = "";
      stands(answer, first.origin);
      shown.give(looked(answer));
    }

    // A text and its translation may become an entry of the session.
    const stands = ({ source_language, target_language, model }, origin) => past.stands({ source: state.source, target: state.translation, source_language, target_language, model, origin });

    const warnings = (all) => (all.length > 3 ? [...all.slice(0, 3), t("And {count} more of this kind.", { count: all.length - 3 })] : all);

    // What the panels start from.
    function looked(answer) {
      const sentences = answer.translations[0].sentences.map((each, place) => ({ ...each, place })).filter((each) => each.source.trim());
      const likely = (each) => ({ ...each, probability: Math.exp(Math.min(0, each.log_prob)) });
      if (!sentences.length) return null;
      return { model: answer.model, search: search(), gradients: given.gradients, sentences: sentences.map((each) => ({ source: each.source.trim(), place: each.place, hypotheses: each.hypotheses.map(likely) })) };
    }

    const search = () => (state.search.kind === "greedy" ? { beam: 1, length_penalty: state.search.length_penalty } : { beam: state.search.beam, length_penalty: state.search.length_penalty });

    // Asks for the translation of what stands there. The server limits texts as well; a longer one need not be sent.
    function ask(options) {
      const size = length(state.text);
      if (!state.text.trim() || size > state.limit) {
        asking.stop();
        past.drop();
        settle({ translation: "", answer: null, error: size > state.limit ? t("The text must be at most {limit} characters long. Received: {size} characters", { limit: count(state.limit), size: count(size) }) : "" });
        return;
      }
      asking.wish({ text: state.text, model: state.model.name, search: search(), n_best: search().beam }, options);
    }

    const on = {
      typed(text) { state.text = text; if (desk.editing()) { desk.leave(); desk.show(); } if (state.live || !text.trim()) ask(); },
      asked() { past.write(); ask({ now: true }); },
      stopped() {
        if (!asking.stop()) return;
        settle({ answer: state.answer, translation: state.translation, said: t("Stopped.") });
        desk.source.focus();
      },
      cleared() { past.write(); state.text = ""; ask(); },
      copied: () => past.write(),
      async kept(target) {
        await changed(call("v1/corrections", { method: "POST", body: JSON.stringify({ source: desk.edited(), target, model: state.model.name }) }), t("Remembered."));
      },
      forgotten(id) { // whoever forgot it elsewhere wanted the same
        const gone = (error) => { if (error.status !== 404) throw error; };
        return changed(call(`v1/corrections/${encodeURIComponent(id)}`, { method: "DELETE" }).catch(gone), t("Forgotten."));
      },
      spoken(code) {
        const edited = desk.editing() ? [desk.target.value, desk.edited()] : null;
        own.choose(code);
        draw();
        if (edited) desk.edit(...edited);
        document.querySelector("#language").focus();
      },
      painted() { own.paint(own.dark() ? "light" : "dark"); },
      modelled(name) { past.write(); turn(name); document.querySelector("#model").focus(); },
      swapped(name) {
        past.write();
        if (state.translation && state.text === state.source) state.text = state.translation;
        turn(name);
        document.querySelector("#swap").focus();
      },
    };

    async function changed(doing, said) {
      try {
        await doing;
        desk.leave();
        if (!desk.source.matches(":focus")) desk.target.focus(); // what was pressed is gone
        note = said;
        ask({ now: true });
      } catch (error) {
        Object.assign(state, { error: sentence(error), said: "" });
        desk.show();
      }
    }

    // One sentence of the translation is to be another.
    function take({ source, place, now }) {
      const there = state.answer?.translations[0].sentences[place]?.source.trim() === source;
      const taken = there ? own.reworded(state.translation, state.wordings, place, now) : null;
      if (taken === null) {
        state.said = t("This sentence does not stand in the translation any more.");
        desk.show();
        return;
      }
      state.translation = taken;
      state.wordings[place] = now;
      state.said = t("Taken over.");
      stands(state.answer, "model");
      desk.show();
    }

    function turn(name) {
      state.model = state.models.find((each) => each.name === name);
      Object.assign(state, { translation: "", answer: null, error: "", said: "", warnings: [] });
      draw();
      ask({ now: true });
    }

    function again(entry) {
      state.text = entry.source;
      turn((state.models.find((each) => each.name === entry.model) || state.model).name);
      desk.source.focus();
    }

    function draw() {
      desk = own.panes(state, on);
      shown = watched();
      const result = h("div", { class: "result", id: "result" });
      own.result(result, shown.props, shown.watch);
      result.addEventListener("take", ({ detail }) => take(detail));
      const { source, target } = state.languages();
      document.title = `${t("{source} to {target}", { source: own.languageName(source.code, source.name), target: own.languageName(target.code, target.name) })} · seq2seq`;
      const memory = state.memory ? h("a", { class: "corrections", href: `v1/corrections?model=${encodeURIComponent(state.model.name)}`, download: "corrections.tsv" }, t("All corrections (TSV)")) : null;
      root.replaceChildren(own.head(state, on), desk.root,
        own.examples(given.examples[source.code.split(/[-_]/)[0].toLowerCase()] || [], (text) => { desk.source.value = text; desk.source.dispatchEvent(new Event("input")); }) || "",
        own.switches(state, () => ask()), files.view(), result, past.view(), ...(memory ? [memory] : []));
      desk.show();
      if (state.answer) shown.give(looked(state.answer));
    }

    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (desk.editing()) on.kept(desk.target.value);
        else on.asked();
      } else if (event.key === "Escape" && desk.editing()) {
        desk.leave();
        desk.show();
      } else if (event.key === "Escape") on.stopped();
    });
    draw();
    desk.source.focus();
  }

  Object.assign(own, { app });
})();
