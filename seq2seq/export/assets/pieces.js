// SentencePiece in the browser: a tokenizer.model to pieces and back, with the ids that the C++ library gives.
//
// It reads the file itself: the pieces with their scores, and the table of the cleaning, a double array of the kind that
// Darts-clone writes. Unigram models take the likeliest split (Viterbi), BPE models join the best pair first.

const NORMAL = 1, USER = 4, BYTE = 6; // kinds of pieces in the file
const UNK = 1, SPECIALS = 4;
const SPACE = "\u2581"; // SentencePiece's sign for a space
const PENALTY = 10; // by which a character without a piece is worse than the worst piece
const SYMBOL = -0.1; // the score of what the user named a piece: better than any that was learned
const float = Math.fround; // the library adds in 32 bits, and ties are broken by that
const utf8 = new TextEncoder();

export class Tokenizer {
  /** @param {Uint8Array} file the bytes of a tokenizer.model */
  constructor(file) {
    this.pieces = [];
    this.ids = new Map();
    this.bytes = [];
    this.user = [];
    this.charsmap = null;
    this.bpe = false;
    for (const [field, value] of fields(file)) {
      if (field === 1) this.#add(value);
      if (field === 2) this.bpe = [...fields(value)].some(([name, kind]) => name === 3 && kind === 2);
      if (field === 3) for (const [name, table] of fields(value)) if (name === 2 && table.length) this.charsmap = new Charsmap(table);
    }
    this.user.sort((a, b) => b.length - a.length);
    this.longest = Math.max(...this.pieces.map(({ text }) => [...text].length));
    const scores = this.pieces.filter(({ kind }) => kind === NORMAL).map(({ score }) => score);
    this.worst = float(scores.reduce((a, b) => Math.min(a, b), Infinity) - PENALTY);
  }

  /** Piece ids of a text, without an end of sentence. */
  encode(text) {
    const clean = this.clean(text);
    if (!clean) return [];
    const marked = SPACE + clean.replaceAll(" ", SPACE);
    const pieces = this.bpe ? joined(this.#parts(marked), this) : likeliest([...marked], this);
    return pieces.flatMap((piece) => this.#known(piece));
  }

  /** The text of pieces; special ones are dropped. */
  decode(ids) {
    const out = [], flush = (run) => out.push(characters(Uint8Array.from(run)));
    let run = [];
    for (const id of ids) {
      if (id < SPECIALS) continue;
      const { kind, text } = this.pieces[id];
      if (kind === BYTE) { run.push(parseInt(text.slice(3, 5), 16)); continue; }
      flush(run); run = [];
      out.push(text);
    }
    flush(run);
    return this.clean(out.join("").replaceAll(SPACE, " "));
  }

  /** One line, its spaces single, cleaned as the file says. */
  clean(text) {
    const bytes = utf8.encode(text.replace(/[\p{Surrogate}\0]/gu, "")), out = [];
    for (let at = 0; at < bytes.length;) {
      const symbol = this.user.find((user) => user.every((byte, k) => bytes[at + k] === byte));
      const [length, instead] = symbol ? [symbol.length, null] : (this.charsmap?.at(bytes, at) ?? [width(bytes[at]), null]);
      out.push(...(instead ?? bytes.subarray(at, at + length)));
      at += length;
    }
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(out)).replace(/ +/g, " ").replace(/^ | $/g, "");
  }

  #add(message) {
    const piece = { text: "", score: 0, kind: NORMAL };
    for (const [field, value] of fields(message)) {
      if (field === 1) piece.text = new TextDecoder().decode(value);
      if (field === 2) piece.score = value;
      if (field === 3) piece.kind = value;
    }
    const id = this.pieces.push(piece) - 1;
    if (piece.kind === NORMAL || piece.kind === USER) this.ids.set(piece.text, id);
    if (piece.kind === USER) this.user.push(utf8.encode(piece.text));
    if (piece.kind === BYTE) this.bytes[parseInt(piece.text.slice(3, 5), 16)] = id;
  }

  /** Characters, and in one piece what may not be split. */
  #parts(text) {
    const symbols = this.user.map((bytes) => new TextDecoder().decode(bytes)), parts = [];
    for (let at = 0; at < text.length;) {
      const part = symbols.find((symbol) => text.startsWith(symbol, at)) ?? String.fromCodePoint(text.codePointAt(at));
      parts.push(part);
      at += part.length;
    }
    return parts;
  }

  #known(piece) {
    const id = this.ids.get(piece);
    return id === undefined ? [...utf8.encode(piece)].map((byte) => this.bytes[byte] ?? UNK) : [id];
  }
}

/** The split of characters that is likeliest in a unigram model. */
function likeliest(parts, { ids, pieces, longest, worst }) {
  const ends = [{ score: 0 }]; // of the best split that ends before each character
  for (let start = 0; start < parts.length; start++) {
    const from = ends[start].score;
    for (let end = start + 1, piece = ""; end <= Math.min(parts.length, start + longest); end++) {
      piece += parts[end - 1];
      const id = ids.get(piece);
      if (id === undefined && end > start + 1) continue;
      const own = id === undefined ? worst : pieces[id].kind === USER ? SYMBOL : pieces[id].score;
      const score = float(from + own);
      if (!ends[end] || score > ends[end].score) ends[end] = { score, start, piece };
    }
  }
  const found = [];
  for (let end = parts.length; end > 0; end = ends[end].start) found.unshift(ends[end].piece);
  return found;
}

/** Characters joined to pieces as a BPE model does: the best pair first, the left one of equals. */
function joined(parts, { ids, pieces }) {
  const fixed = (part) => pieces[ids.get(part)]?.kind === USER;
  const found = [...parts];
  for (;;) {
    let at = -1, best = -Infinity;
    for (let k = 0; k + 1 < found.length; k++) {
      if (fixed(found[k]) || fixed(found[k + 1])) continue;
      const id = ids.get(found[k] + found[k + 1]);
      if (id !== undefined && pieces[id].score > best) [at, best] = [k, pieces[id].score];
    }
    if (at < 0) return found;
    found.splice(at, 2, found[at] + found[at + 1]);
  }
}

/** What byte sequences are replaced by: a double array, and behind it the replacements, each ended by a zero byte. */
class Charsmap {
  constructor(table) {
    const copy = table.slice(), size = new DataView(copy.buffer).getUint32(0, true);
    this.units = new Uint32Array(copy.buffer.slice(4, 4 + size));
    this.replacements = copy.subarray(4 + size);
  }

  /** The longest entry at this place: its length and what stands for it, or undefined. */
  at(bytes, start) {
    const offset = (unit) => (unit >>> 10) << ((unit & 0x200) >>> 6);
    let node = offset(this.units[0]), found;
    for (let at = start; at < bytes.length; at++) {
      node ^= bytes[at];
      const unit = this.units[node];
      if ((unit & 0x800000ff) !== bytes[at]) break;
      node ^= offset(unit);
      if (unit & 0x100) found = [at + 1 - start, this.units[node] & 0x7fffffff];
    }
    return found && [found[0], this.replacements.subarray(found[1], this.replacements.indexOf(0, found[1]))];
  }
}

/** The text of bytes as the library reads them: each that begins no character becomes a U+FFFD of its own. */
function characters(bytes) {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const length = width(bytes[at]);
    try {
      text += strict.decode(bytes.subarray(at, at + length));
      at += length;
    } catch {
      text += "\ufffd";
      at += 1;
    }
  }
  return text;
}

const width = (byte) => (byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4);

/** The fields of a protocol buffer message: number, and a number or bytes. */
function* fields(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      value += (bytes[at] & 127) * factor;
      if (bytes[at++] < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint(), kind = key & 7;
    if (kind === 0) yield [key >>> 3, varint()];
    else if (kind === 5) { yield [key >>> 3, view.getFloat32(at, true)]; at += 4; }
    else if (kind === 1) { yield [key >>> 3, view.getFloat64(at, true)]; at += 8; }
    else if (kind === 2) { const length = varint(); yield [key >>> 3, bytes.subarray(at, at + length)]; at += length; }
    else throw new Error(`A tokenizer must be a SentencePiece model. Received: a field of kind ${kind}`);
  }
}
