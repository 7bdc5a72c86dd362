// Text to text in the browser: sentences to pieces, pieces through the LiteRT file, pieces to text.
//
// The file computes the whole search; its signature `browser` has shapes that never change, which LiteRT.js asks for.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { Tokenizer } from "./pieces.js";

const EOS = 3;

export class Translator {
  /** Loads what lies beside the page; `wasm` is the folder of the runtime. */
  static async load(wasm) {
    const [settings] = await Promise.all([read("settings.json", "json"), loadLiteRt(wasm)]);
    const [model, ...files] = await Promise.all([loadAndCompile(settings.graph, { accelerator: "wasm" }), ...settings.tokenizers.map((name) => read(name, "arrayBuffer"))]);
    return new Translator(settings, model, files.map((file) => new Tokenizer(new Uint8Array(file))));
  }

  constructor(settings, model, [source, target]) {
    Object.assign(this, { settings, model, source, target });
    this.split = segmenter(settings.source_language);
    this.longest = this.widest = this.room = 0; // pieces, hypotheses, and both together, of what was run
    this.turn = Promise.resolve();
    this.known = new Map();
  }

  /**
   * A text, line by line and sentence by sentence.
   *
   * @param {{beam: number, signal: AbortSignal}} how; what is aborted throws after the sentence at hand.
   * @returns lines of sentences: {text, score, source, pieces: [{text, probability, attention}]}, source being the pieces
   *   that attention has a share of each for, end of sentence included.
   */
  async translate(text, { beam, signal }) {
    const lines = [];
    for (const line of text.split(/\r?\n/)) {
      const sentences = [];
      for (const sentence of this.sentences(line)) {
        sentences.push(await this.sentence(sentence, beam));
        await new Promise((done) => setTimeout(done)); // lets the page hear keys
        signal?.throwIfAborted();
      }
      lines.push(sentences);
    }
    return lines;
  }

  /** What is translated at a time: sentences, and of one that is too long its parts. */
  sentences(line) {
    return [...this.split.segment(line)].flatMap(({ segment }) => this.#fitting(segment.trim()));
  }

  /** One sentence; the same one is translated once. */
  sentence(text, beam) {
    const key = `${beam} ${text}`;
    if (!this.known.has(key)) {
      if (this.known.size > 500) this.known.clear();
      const found = this.turn.then(() => this.#search(text, beam));
      this.turn = found.catch(() => {});
      found.catch(() => this.known.delete(key));
      this.known.set(key, found);
    }
    return this.known.get(key);
  }

  /** The text, in parts where it is too long; nothing of what has no pieces, such as soft hyphens. */
  #fitting(text) {
    const { length } = this.source.encode(text);
    if (length < this.settings.pieces) return length ? [text] : [];
    const characters = [...text], middle = Math.floor(characters.length / 2);
    const spaces = characters.flatMap((character, at) => (/\s/.test(character) ? [at] : []));
    const at = spaces.reduce((best, each) => (Math.abs(each - middle) < Math.abs(best - middle) ? each : best), spaces[0] ?? middle);
    return [characters.slice(0, at), characters.slice(at)].flatMap((half) => this.#fitting(half.join("").trim()));
  }

  async #search(text, beam) {
    const source = [...this.source.encode(text), EOS];
    const longest = this.settings.max_length || Math.floor(this.settings.max_ratio * source.length) + 10;
    const size = source.length, grows = size > this.longest || beam > this.widest || size * beam > this.room;
    if (grows) await this.#run(source, 1, beam); // LiteRT makes room during a first step, too late for that one
    [this.longest, this.widest, this.room] = [Math.max(this.longest, size), Math.max(this.widest, beam), Math.max(this.room, size * beam)];
    const found = await this.#run(source, longest, beam);
    const ids = [...found.tokens.subarray(0, found.length[0])];
    const width = this.settings.pieces;
    const pieces = ids.map((id, at) => ({
      text: id === EOS ? "" : this.target.pieces[id].text,
      id,
      probability: Math.exp(found.log_probs[at]),
      attention: [...found.attention.subarray(at * width, at * width + source.length)],
    }));
    return { text: this.target.decode(ids), score: found.score[0], source: source.map((id) => this.source.pieces[id].text), pieces };
  }

  async #run(source, longest, beam) {
    const padded = new Int32Array(this.settings.pieces);
    padded.set(source);
    const inputs = {
      source: new Tensor(padded, [1, padded.length]),
      max_length: new Tensor(Int32Array.of(longest), [1]),
      beam: new Tensor(Int32Array.of(beam), [1]),
    };
    const outputs = await this.model.run("browser", inputs);
    const arrays = Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.toTypedArray().slice()]));
    for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
    return arrays;
  }
}

/** Sentences of a language; of one that the browser does not know as in English. */
function segmenter(code) {
  try {
    return new Intl.Segmenter(code.replaceAll("_", "-"), { granularity: "sentence" });
  } catch {
    return new Intl.Segmenter("en", { granularity: "sentence" });
  }
}

async function read(name, kind) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name} must lie beside the page. Received: ${answer.status}`);
  return answer[kind]();
}
