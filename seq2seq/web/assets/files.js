// Whole files: chosen or dropped, translated one after the other, given back in the same structure. Nothing of them is kept.
(() => {
  "use strict";
  const { h, t, sentence, parts } = window.seq2seq;

  const ending = (name) => (/\.[^.]+$/.exec(name) || [""])[0].toLowerCase();
  const isTable = (file) => [".tsv", ".tab", ".csv"].includes(ending(file.name));
  const size = (bytes) => `${Math.ceil(bytes / 1024).toLocaleString(window.seq2seq.language)} KiB`;

  // Sends a file and reads the lines of the answer as they come; `told` hears the share that is done.
  async function send(file, query, signal, told) {
    const address = new URL(`v1/documents?${query}`, document.baseURI);
    const response = await fetch(address, { method: "POST", headers: { "content-type": "application/octet-stream", accept: "application/x-ndjson" }, body: file, signal });
    if (!response.ok) throw new Error((await response.json().catch(() => null))?.error?.message || t("The server did not answer as it should. Please try again."));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = "", last = null; ;) {
      const { value, done } = await reader.read();
      const lines = (rest + (value || "")).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        last = JSON.parse(line);
        if (last.error) throw new Error(last.error.message);
        if ("share" in last) told(last.share);
      }
      if (!done) continue;
      if (!last || !("content" in last)) throw new Error(t("The server did not answer as it should. Please try again."));
      return last;
    }
  }

  const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  // `about()`: {model, suffixes, limit}. `view()` gives the part of the page; what is under way goes on beside it.
  function files(about) {
    const items = [];
    let list = h("ul"), column = "", encoding = "", working = false;

    function draw(item) {
      const line = h("li", { "data-state": item.state }, h("span", { class: "name", dir: "auto" }, item.file.name), h("span", { class: "size" }, size(item.file.size)));
      if (item.state === "waiting") line.append(h("span", { class: "told" }, t("Waiting")));
      if (item.state === "working") {
        line.append(item.progress = h("progress", { max: 1, value: item.share, "aria-label": t("Progress of {name}", { name: item.file.name }) }), item.shown = h("span", { class: "told", "aria-hidden": "true" }, parts(item.share)));
      }
      if (item.state === "failed") line.append(h("span", { class: "error" }, item.error));
      if (item.state === "done") {
        line.append(h("a", { class: "download", href: item.link, download: item.name }, t("Download {name}", { name: item.name })));
        if (!item.texts) line.append(h("span", { class: "warning" }, isTable(item.file) ? t("There was nothing to translate in this column.") : t("There was nothing to translate in it.")));
        if (item.flagged) line.append(h("span", { class: "warning" }, t("Please check {count} texts in it.", { count: item.flagged })));
      }
      const under = item.state === "waiting" || item.state === "working";
      line.append(h("button", { type: "button", class: "plain", "aria-label": `${under ? t("Stop") : t("Remove")} ${item.file.name}`, click: () => drop(item) }, under ? t("Stop") : t("Remove")));
      item.line?.replaceWith(line);
      item.line = line;
      return line;
    }

    function drop(item) {
      item.stop.abort();
      if (item.link) URL.revokeObjectURL(item.link);
      items.splice(items.indexOf(item), 1);
      const focused = item.line.contains(document.activeElement);
      item.line.remove();
      if (focused) document.querySelector("#files .choose")?.focus();
    }

    // One at a time; the server does two at once, for everybody.
    async function work() {
      const item = items.find((each) => each.state === "waiting");
      if (working || !item) return;
      working = true;
      const change = (values) => { Object.assign(item, values); if (items.includes(item)) draw(item); };
      change({ state: "working", share: 0 });
      try {
        const query = new URLSearchParams({ name: item.file.name, model: item.model });
        if (column.trim() && isTable(item.file)) query.append("column", column.trim());
        if (encoding.trim()) query.append("encoding", encoding.trim());
        const told = await send(item.file, query, item.stop.signal, (share) => {
          item.share = share;
          item.progress.value = share;
          item.shown.textContent = parts(share);
        });
        change({ state: "done", name: told.name, texts: told.texts, flagged: told.flagged, link: URL.createObjectURL(new Blob([bytes(told.content)])) });
      } catch (error) {
        if (!item.stop.signal.aborted) change({ state: "failed", error: sentence(error) });
      }
      working = false;
      work();
    }

    function add(chosen) {
      const { model, suffixes, limit } = about();
      for (const file of chosen) {
        const item = { file, model, state: "waiting", share: 0, stop: new AbortController() };
        if (!suffixes.includes(ending(file.name))) Object.assign(item, { state: "failed", error: t("Files of this kind cannot be translated here.") });
        else if (file.size > limit) Object.assign(item, { state: "failed", error: t("A file must be at most {size} long.", { size: size(limit) }) });
        items.push(item);
        list.append(draw(item));
      }
      work();
    }

    const field = (name, value, usual, written) => h("label", { class: "column" }, h("span", {}, name), h("input", { type: "text", value, placeholder: usual, maxlength: 40, autocomplete: "off", input: (event) => written(event.target.value) }));

    function view() {
      const { suffixes } = about();
      list = h("ul", { "aria-live": "polite" }, items.map(draw));
      const input = h("input", { type: "file", hidden: "", multiple: "", accept: suffixes.join(","), id: "file", change: (event) => { add([...event.target.files]); event.target.value = ""; } });
      return h("section", { class: "card", id: "files", "aria-label": t("Files") },
        h("div", { class: "drop" }, h("span", {}, t("Translate a file: choose it, or drop it anywhere on this page.")), h("button", { type: "button", class: "choose", click: () => input.click() }, t("Choose a file")), input,
          h("div", { class: "about" }, field(t("Column of a table"), column, "1", (value) => { column = value; }), field(t("Encoding of text"), encoding, "UTF-8", (value) => { encoding = value; }))),
        h("p", { class: "hint" }, t("Its structure stays as it is: {endings}", { endings: suffixes.join(" ") })), list);
    }

    // A file may be dropped anywhere; text that is dropped goes where it always went.
    const holds = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
    document.addEventListener("dragover", (event) => { if (holds(event)) { event.preventDefault(); document.body.classList.add("dropping"); } });
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
    document.addEventListener("drop", (event) => {
      document.body.classList.remove("dropping");
      if (!holds(event)) return;
      event.preventDefault();
      add([...event.dataTransfer.files]);
    });

    return { view };
  }

  Object.assign(window.seq2seq, { files });
})();
