// The panes, the counter and the status line. Every piece of text becomes a text node; no string ever becomes markup.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined) continue;
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return element;
  }
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  let limit = Infinity; // characters, from the server, which enforces it
  const number = new Intl.NumberFormat("en");

  function header(root, props) {
    const { source, target } = props.value;
    root.replaceChildren(
      h("p", { class: "mark", "aria-hidden": "true" }, "seq2seq"),
      h("h1", {}, source, h("span", { class: "arrow", "aria-label": " to " }, "→"), target),
    );
  }

  // Gives both panes their name, and lets the translation be reached and selected by keyboard, which "disabled" forbids.
  function panes() {
    for (const box of document.querySelectorAll("#source textarea, #target textarea")) {
      box.setAttribute("aria-label", box.closest("label").querySelector("span").textContent.trim());
      if (!box.closest("#target")) continue;
      const reach = () => { if (box.disabled || !box.readOnly) Object.assign(box, { readOnly: true, disabled: false }); };
      new MutationObserver(reach).observe(box, { attributes: true, attributeFilter: ["disabled", "readonly"] });
      reach();
    }
  }

  function written() {
    const box = document.querySelector("#source textarea");
    return box ? [...box.value].length : 0;
  }

  function counter(root, props) {
    limit = props.value.limit;
    const shown = h("span", { class: "count" });
    root.replaceChildren(shown, h("span", { class: "keys" }, h("kbd", {}, "Ctrl"), " ", h("kbd", {}, "Enter")));
    function update() {
      const length = written();
      shown.textContent = `${number.format(length)} / ${number.format(limit)}`;
      shown.classList.toggle("over", length > limit);
    }
    document.addEventListener("input", (event) => event.target.closest?.("#source") && update());
    document.addEventListener("seq2seq:answered", update);
    update();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest?.("#source")) {
      event.preventDefault();
      document.querySelector("button#translate")?.click();
    }
  });

  function status(root, props, watch) {
    panes();
    const facts = h("p", { class: "facts" });
    const notes = h("div", { class: "notes", role: "status", "aria-live": "polite" });
    root.replaceChildren(facts, notes);
    function draw() {
      const value = props.value || {};
      facts.textContent = value.engine ? `${value.engine} · ${value.milliseconds < 10 ? value.milliseconds : Math.round(value.milliseconds)} ms` : "";
      notes.replaceChildren(
        ...(value.error ? [h("p", { class: "error" }, value.error)] : []),
        ...(value.warnings || []).map((warning) => h("p", { class: "warning" }, warning)),
      );
      document.dispatchEvent(new Event("seq2seq:answered"));
    }
    // A text far beyond the limit is not even accepted as a request, so that sentence is said here as well.
    document.addEventListener("input", (event) => {
      const length = event.target.closest?.("#source") ? written() : 0;
      if (length > limit) notes.replaceChildren(h("p", { class: "error" }, `The text must be at most ${number.format(limit)} characters long. Received: ${number.format(length)} characters`));
    });
    watch("value", draw);
    draw();
  }

  window.seq2seq = { h, s, header, counter, status, panels: [] };
})();
