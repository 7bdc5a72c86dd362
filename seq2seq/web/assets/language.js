// The language of the labels: the browser's, or the one that was chosen; `seq2seq.words` holds what is said in each.
(() => {
  "use strict";
  const own = window.seq2seq;
  const OWN_NAMES = { en: "English", de: "Deutsch", fr: "Français", es: "Español" };
  const CHOSEN = "seq2seq.language", THEME = "seq2seq.theme";
  let number, share, names;

  // Storage may be forbidden; then a choice lasts as long as the page.
  function kept(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  }
  function keep(key, value) {
    try { localStorage.setItem(key, value); } catch { /* the page does without */ }
  }

  function preferred() {
    const wanted = [kept(CHOSEN), ...navigator.languages].filter(Boolean).map((code) => code.split("-")[0].toLowerCase());
    return wanted.find((code) => code in OWN_NAMES) || "en";
  }

  function speak(code) {
    own.language = code;
    own.phrases = Object.fromEntries(Object.entries(own.words).map(([english, said]) => [english, said[code] || english]));
    number = new Intl.NumberFormat(code, { useGrouping: "always" });
    share = new Intl.NumberFormat(code, { style: "percent" });
    names = new Intl.DisplayNames([code], { type: "language", fallback: "none" });
    document.documentElement.lang = code;
  }

  // A language by its code: German, Deutsch, allemand, alemán; what the server calls it where the browser does not know.
  function languageName(code, otherwise) {
    let name;
    try { name = names.of(code.replaceAll("_", "-")); } catch { name = null; }
    name ||= otherwise || code;
    return name.charAt(0).toLocaleUpperCase(own.language) + name.slice(1);
  }

  // Light or dark as the system has it, until it is chosen.
  const dark = () => document.body.classList.contains("dark");
  function paint(choice) {
    document.body.classList.toggle("dark", choice === "dark");
    keep(THEME, choice);
  }
  function repaint() {
    const chosen = kept(THEME);
    if (chosen) document.body.classList.toggle("dark", chosen === "dark");
  }

  Object.assign(own, {
    OWN_NAMES, preferred, speak, languageName, dark, paint, repaint,
    choose(code) { keep(CHOSEN, code); speak(code); },
    count: (value) => number.format(value),
    parts: (value) => share.format(value < 1 ? Math.min(value, 0.99) : value), // 100 % is what is the same
  });
})();
