// Asks for translations as one types: the latest wish wins. What it overtakes is dropped here and, by hanging up, on the server.
(() => {
  "use strict";
  const { t } = window.seq2seq;
  const SOON = 10, LATEST = 300; // milliseconds that a text stands before it is asked for: half of what the last one took
  const SLOW = 250; // milliseconds after which one sees that something is under way

  // JSON from the server; an error has one sentence, and the status.
  async function call(path, options = {}) {
    const response = await fetch(new URL(path, document.baseURI), { ...options, headers: { "content-type": "application/json", ...options.headers } });
    const told = response.status === 204 ? {} : await response.json().catch(() => null);
    const wait = Number(response.headers.get("retry-after")); // seconds
    if (!response.ok || !told) throw Object.assign(new Error(told?.error?.message || t("The server did not answer as it should. Please try again.")), { status: response.status, wait });
    return told;
  }

  // The sentence to show for what went wrong.
  const sentence = (error) => (error instanceof TypeError ? t("The server does not answer. Please try again.") : error.message);

  // Calls `answered(answer, request)` or `failed(sentence)` for the last wish alone; `busy` hears when one waits long.
  function live({ answered, failed, busy }) {
    let asking = null, waiting = 0, slow = 0, took = 0;

    function stop() {
      const was = asking !== null || waiting !== 0;
      asking?.abort();
      asking = null;
      clearTimeout(waiting);
      clearTimeout(slow);
      waiting = slow = 0;
      busy(false);
      return was;
    }

    async function start(request) {
      const mine = (asking = new AbortController()), started = performance.now();
      waiting = 0;
      try {
        const answer = await call("v1/translate", { method: "POST", body: JSON.stringify(request), signal: mine.signal });
        if (mine.signal.aborted) return;
        took = performance.now() - started;
        stop();
        answered(answer, request);
      } catch (error) {
        if (mine.signal.aborted) return;
        stop();
        failed(sentence(error));
        if (error.status === 429 && error.wait) waiting = setTimeout(start, 1000 * error.wait, request); // it said when
      }
    }

    function wish(request, { now = false } = {}) {
      asking?.abort();
      asking = null;
      clearTimeout(waiting);
      if (!slow) slow = setTimeout(() => { slow = 0; busy(true); }, SLOW);
      waiting = setTimeout(start, now ? 0 : Math.max(SOON, Math.min(LATEST, took / 2)), request);
    }

    return { wish, stop };
  }

  Object.assign(window.seq2seq, { call, sentence, live });
})();
