// Elements, made of names and text: what data says becomes text, and never markup.

const SVG = "http://www.w3.org/2000/svg";

export const MARKS = {
  fresh: "●",
  stale: "◐",
  missing: "○",
  failed: "✕",
  unrecorded: "?",
  damaged: "▲",
  incomplete: "◔",
};

// An element. attributes: by name; `class`, `on` ({click: f}), `style` ({width: "3px"}) and `data` ({key: "x"}) among
// them; null, undefined and false leave one out, true sets it empty. children: elements, text, numbers, lists; null
// and false are left out.
export function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

// As `el`, in SVG.
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "style") for (const [of, is] of Object.entries(value)) element.style.setProperty(of, is);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

// Puts children in place of all that an element has.
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

// 12345 as 12,345.
export function count(number) {
  return number.toLocaleString("en-US");
}

// "1 asset", "2 assets".
export function counted(number, one, several) {
  return `${count(number)} ${number === 1 ? one : several || `${one}s`}`;
}

// A state in its colour, with its mark and its word (or other text): never by colour alone.
export function state(name, text) {
  return el("span", { class: `state ${name}` }, el("span", { class: "mark", "aria-hidden": "true" }, MARKS[name] || "·"), " ", text || name);
}

// A table that scrolls in its own box. heads: texts, or [text, kind]: "number" (to the right), "short" (on one line),
// "words" (needs room). rows: lists of what `el` takes as children.
export function table(label, heads, rows) {
  const kinds = heads.map((head) => (Array.isArray(head) ? head[1] : null));
  const top = heads.map((head, at) => el("th", { scope: "col", class: kinds[at] }, Array.isArray(head) ? head[0] : head));
  const body = rows.map((row) => el("tr", null, row.map((cell, at) => el("td", { class: kinds[at] }, cell))));
  return scrolling(label, el("table", null, el("thead", null, el("tr", null, top)), el("tbody", null, body)));
}

// A box in which what is too wide scrolls, by keyboard too, and that says so where it is. label: what it is, for those
// who cannot see it.
export function scrolling(label, ...children) {
  const hint = el("p", { class: "sideways dim", "aria-hidden": "true" }, "scrolls sideways →");
  const box = el("div", { class: "scrolls", role: "region", "aria-label": label, tabindex: "0" }, hint, children);
  const seen = new ResizeObserver(() => box.classList.toggle("wide", box.scrollWidth > box.clientWidth));
  for (const one of [box, ...box.children]) if (one !== hint) seen.observe(one);
  return box;
}

// A word of a command, as a shell takes it for one.
export function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

// A command that can be copied.
export function command(text, app) {
  const copy = el("button", { type: "button", class: "copy", "aria-label": `Copy: ${text}` }, "copy");
  copy.addEventListener("click", () => copied(text).then((done) => app.say(done ? "copied" : "select the text to copy it")));
  return el("div", { class: "command" }, el("code", { tabindex: "0" }, text), copy);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
