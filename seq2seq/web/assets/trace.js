// Asks the server for traces, each once; and the numbers that follow from one.
(() => {
  "use strict";
  const { t } = window.seq2seq;
  const KEPT = 24; // answers; the largest hold some megabytes
  const answers = new Map();

  // The trace for a request to /v1/explain. An error has one sentence.
  async function explain(request, signal) {
    const body = JSON.stringify(request);
    if (answers.has(body)) return answers.get(body);
    const response = await fetch(new URL("v1/explain", document.baseURI), { method: "POST", headers: { "content-type": "application/json" }, body, signal });
    const told = await response.json().catch(() => null);
    if (!response.ok || !told) throw new Error(told?.error?.message || t("The server did not answer as it should. Please try again."));
    if (answers.size >= KEPT) answers.delete(answers.keys().next().value);
    answers.set(body, told);
    return told;
  }

  // {shape, float32} as numbers.
  function unpack(packed) {
    const letters = atob(packed.float32), bytes = new Uint8Array(letters.length);
    for (let k = 0; k < letters.length; k++) bytes[k] = letters.charCodeAt(k); // megabytes: `from` takes ten times as long
    return { shape: packed.shape, data: new Float32Array(bytes.buffer) };
  }

  // What a prefix must be so that a translation says another piece at a position; null where no prefix can say it.
  function instead(trace, position, piece) {
    if (/^<(pad|unk|s|\/s|0x[0-9A-F]{2})>$/.test(piece)) return null;
    const before = Array.from(trace.translation).slice(0, trace.target_spans[position][0]).join("");
    return (before + piece.replaceAll("▁", " ")).replace(/^ +/, "");
  }

  function correlation(one, other) {
    const n = one.length, mean = (values) => values.reduce((a, b) => a + b, 0) / n;
    const a = mean(one), b = mean(other);
    let both = 0, left = 0, right = 0;
    for (let k = 0; k < n; k++) {
      both += (one[k] - a) * (other[k] - b);
      left += (one[k] - a) ** 2;
      right += (other[k] - b) ** 2;
    }
    return left > 0 && right > 0 ? both / Math.sqrt(left * right) : 0;
  }

  Object.assign(window.seq2seq, { explain, unpack, instead, correlation });
})();
