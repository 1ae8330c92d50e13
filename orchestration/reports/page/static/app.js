// The frame: tabs, addresses, the switch of light and dark. A page is a module that exports
//
//   draw(root, facts, app): draws facts into the element root, once, when the page is first opened; gives
//   { show(path) }, which is called when the address leads to the page. path: what stands behind its name, in parts:
//   "#assets/gold.days/peak" is ["gold.days", "peak"].
//
// app is
//
//   head: the facts of head.py;  has(page): whether there is one of that name
//   go(page, ...path): leads there;  address(page, ...path): for an href;  link(text, page, ...path): an element
//   turn(page): leads to a page as it was left;  say(text): tells those who cannot see what has changed.
import { count, counted, el, fill, state } from "./dom.js";

const THEMES = ["system", "light", "dark"];

export function start(pages) {
  const names = Object.keys(pages);
  const head = facts("head");
  const drawn = {};
  const left = {}; // where each page was left
  let shown = null;
  const app = {
    head,
    has: (name) => names.includes(name),
    // To a page as it was left; to the page that is open: to its beginning.
    turn(name) {
      const away = document.getElementById(`page-${name}`).hidden;
      app.go(name, ...(away && left[name] ? left[name] : []));
    },
    go(page, ...path) {
      location.hash = address(page, path);
      show();
    },
    address: (page, ...path) => address(page, path),
    link: (text, page, ...path) => el("a", { href: address(page, path) }, text),
    say(text) {
      document.getElementById("said").textContent = text;
    },
  };

  function show() {
    if (location.hash === shown) return;
    shown = location.hash;
    const [name, ...path] = location.hash.slice(1).split("/").map(decoded);
    const open = names.includes(name) ? name : names[0];
    for (const one of names) {
      const tab = document.getElementById(`tab-${one}`);
      tab.setAttribute("aria-selected", String(one === open));
      tab.tabIndex = one === open ? 0 : -1;
      document.getElementById(`page-${one}`).hidden = one !== open;
    }
    if (!drawn[open]) drawn[open] = pages[open].draw(document.getElementById(`page-${open}`), facts(open), app);
    left[open] = name === open ? path : [];
    drawn[open].show(left[open]);
    document.body.dataset.shown = shown;
  }

  summary(head);
  tabs(names, app);
  theme(app);
  window.addEventListener("hashchange", show);
  show();
}

function address(page, path) {
  return `#${[page, ...path].map(encodeURIComponent).join("/")}`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function facts(name) {
  return JSON.parse(document.getElementById(`facts-${name}`).textContent);
}

function summary(head) {
  const told = Object.entries(head.partitions).map(([name, number]) => [" ", state(name, `${count(number)} ${name}`)]);
  const all = Object.values(head.partitions).reduce((sum, one) => sum + one, 0);
  const lacking = head.lacking ? [" ", state("incomplete", `${count(head.lacking)} lack values`)] : null;
  const line = `${counted(head.assets, "asset")}, ${counted(all, "partition")}${all ? ":" : ""}`;
  fill(document.getElementById("summary"), line, told, lacking);
}

function tabs(names, app) {
  document.getElementById("tabs").addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) app.turn(tab.id.slice("tab-".length));
  });
  document.getElementById("tabs").addEventListener("keydown", (event) => {
    const at = names.findIndex((name) => document.activeElement.id === `tab-${name}`);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const name = names[(to + names.length) % names.length];
    document.getElementById(`tab-${name}`).focus();
    app.turn(name);
  });
}

function theme(app) {
  const button = document.getElementById("theme");
  let at = Math.max(0, THEMES.indexOf(remembered()));
  const set = () => {
    const name = THEMES[at];
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = { system: "◐ as the system", light: "☀ light", dark: "☾ dark" }[name];
    button.setAttribute("aria-label", `Colours: ${name}. Change`);
  };
  button.addEventListener("click", () => {
    at = (at + 1) % THEMES.length;
    set();
    remember(THEMES[at]);
    app.say(`colours: ${THEMES[at]}`);
  });
  set();
}

// A browser may keep nothing for files: then the choice holds as long as the page is open.
function remembered() {
  try {
    return localStorage.getItem("report-theme") || "system";
  } catch {
    return "system";
  }
}

function remember(name) {
  try {
    localStorage.setItem("report-theme", name);
  } catch {
    // not kept
  }
}
