// The page: what is typed is translated, and a piece of the translation shows where it came from.

import { Translator } from "./translator.js";

const $ = (id) => document.getElementById(id);
const WASM = "./node_modules/@litertjs/core/wasm/";
const SURE = 0.5; // a piece with less probability is underlined
export let translator; // once the model is there
let under = new AbortController();

function element(name, fields = {}, ...children) {
  const made = Object.assign(document.createElement(name), fields);
  made.append(...children);
  return made;
}

const plain = (piece) => piece.replaceAll("\u2581", " ");

/** The pieces as they are read; bytes of one character stand as that character, at the last of them. */
function shown(sentence) {
  const decode = (count) => translator.target.decode(sentence.pieces.slice(0, count).map(({ id }) => id)).replace(/\ufffd+$/, "");
  return sentence.pieces.map((piece, at) => ({ piece, text: decode(at + 1).slice(decode(at).length) })).filter(({ text }) => text);
}

function look(sentence, piece) {
  $("looked").hidden = false;
  $("attention").replaceChildren(...sentence.source.map((text, at) => {
    const made = element("span", { title: `${Math.round(100 * piece.attention[at])}%` }, text === "</s>" ? " \u23ce" : plain(text));
    made.style.setProperty("--share", piece.attention[at]);
    return made;
  }));
}

function show(lines) {
  const out = lines.map((sentences) => sentences.flatMap((sentence, at) => [
    ...(at ? [" "] : []),
    ...shown(sentence).map(({ piece, text }) => {
      const chosen = () => look(sentence, piece);
      const fields = { className: piece.probability < SURE ? "piece unsure" : "piece", tabIndex: 0, title: `${Math.round(100 * piece.probability)}%`, onfocus: chosen, onmouseenter: chosen };
      return element("span", fields, text);
    }),
  ]));
  $("translation").replaceChildren(...out.flatMap((line, at) => (at ? ["\n", ...line] : line)));
}

async function translate() {
  under.abort();
  under = new AbortController();
  const { signal } = under, text = $("source").value, begun = performance.now();
  try {
    const lines = await translator.translate(text, { beam: Number($("beam").value), signal });
    if (signal.aborted) return;
    show(lines);
    $("state").textContent = "";
    const count = lines.flat().length;
    $("facts").textContent = count ? `${count === 1 ? "1 sentence" : `${count} sentences`} in ${Math.round(performance.now() - begun)} ms` : "";
  } catch (error) {
    if (!signal.aborted) $("state").textContent = error.message;
  }
}

/** A language by its code, which may be one that the browser does not know. */
function named(code) {
  try {
    return new Intl.DisplayNames("en", { type: "language" }).of(code.replaceAll("_", "-"));
  } catch {
    return code;
  }
}

async function copy() {
  try {
    await navigator.clipboard.writeText($("translation").textContent);
  } catch { // there is none where the page comes over plain HTTP from another machine
    getSelection().selectAllChildren($("translation"));
    document.execCommand("copy");
  }
}

async function start() {
  try {
    translator = await Translator.load(WASM);
  } catch (error) {
    $("state").textContent = `The model cannot be loaded. Is the runtime there (npm install)? ${error.message}`;
    return;
  }
  const { source_language: from, target_language: into, beam, examples } = translator.settings;
  $("title").textContent = document.title = `${named(from)} to ${named(into)}`;
  [$("from").textContent, $("into").textContent] = [named(from), named(into)];
  [$("source").lang, $("translation").lang] = [from, into].map((code) => code.replaceAll("_", "-"));
  const choices = [[1, "greedy, the quickest"], ...(beam > 1 ? [[beam, `beam of ${beam}`]] : [])];
  $("beam").append(...choices.map(([value, text]) => element("option", { value, selected: value === beam }, text)));
  $("state").textContent = "";
  $("source").value ||= examples[0] ?? "";
  $("source").addEventListener("input", translate);
  $("beam").addEventListener("change", translate);
  $("copy").addEventListener("click", copy);
  await translate();
}

start();
