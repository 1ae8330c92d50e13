// The page "Assets": the graph, and below it the asset that is open.
import { count, counted, el, fill } from "./dom.js";
import { drawGraph, stateLine } from "./graph.js";
import { panel } from "./asset-panel.js";
import { columnGraph, walked } from "./walk.js";

export function draw(root, facts, app) {
  const assets = new Map(facts.assets.map((asset) => [asset.key, asset]));
  const columns = columnGraph(facts.assets, facts.sources);
  const graph = drawGraph(facts.graph, nodesOf(facts, app));
  const open = el("div", { class: "open" });
  const names = [...assets.keys()];
  const found = el("input", { type: "search", id: "find-asset", list: "asset-names", placeholder: "gold.…", autocomplete: "off" });
  found.addEventListener("change", () => assets.has(found.value) && app.go("assets", found.value));
  const overview = el("button", { type: "button", "aria-pressed": "false" }, "Overview");
  overview.addEventListener("click", () => {
    const on = overview.getAttribute("aria-pressed") !== "true";
    overview.setAttribute("aria-pressed", String(on));
    graph.overview(on);
  });
  root.append(
    el("div", { class: "tools" }, el("label", { for: "find-asset" }, "Open an asset "), found, " ", overview,
      el("datalist", { id: "asset-names" }, names.map((name) => el("option", { value: name })))),
    graph.element,
    legend(facts),
    open,
  );
  let last = null;
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || root.hidden || !last) return;
    const left = last;
    app.go("assets");
    graph.focus(left);
  });

  return {
    show([key, column]) {
      const asset = assets.get(key);
      const source = facts.sources[key];
      if (!asset && !source) {
        fill(open, key ? el("p", null, `There is no asset ${key} in this report.`) : el("p", { class: "dim" }, "Choose an asset: by click, or with the arrow keys and Enter."));
        graph.light(null);
        last = null;
        return;
      }
      const known = columns.get(key) && columns.get(key).has(column) ? column : null;
      const told = known ? ofColumn(columns, key, known) : null;
      graph.light(told ? told.lit : ofAsset(facts.graph, key));
      graph.reveal(key);
      fill(open, panel(asset || { key, source: true, columns: source }, known, told, app));
      const heading = open.querySelector("h2");
      if (last !== key) heading.focus({ preventScroll: true });
      app.say(known ? `${key}.${known}: ${told.words}` : `${key} is open`);
      last = key;
    },
  };
}

function nodesOf(facts, app) {
  const nodes = {};
  for (const [name, columns] of Object.entries(facts.sources)) {
    nodes[name] = { title: name, lines: [["line", "source"]], told: `${name}, a source; ${counted(columns.length, "column")} of it used`, href: app.address("assets", name) };
  }
  for (const asset of facts.assets) {
    const states = Object.entries(asset.states).map(([name, number]) => `${count(number)} ${name}`).join(", ") || "nothing yet";
    const second = secondLine(asset);
    nodes[asset.key] = {
      title: asset.key.slice(asset.key.indexOf(".") + 1),
      lines: [stateLine(asset.states), second].filter(Boolean),
      told: [asset.key, states, second && second[1].replace(/^. /, "")].filter(Boolean).join("; "),
      href: app.address("assets", asset.key),
    };
  }
  return nodes;
}

// Under the states: what is most to be minded.
function secondLine(asset) {
  const { incomplete, given_up: givenUp } = asset.lacking;
  if (incomplete + givenUp) return ["line incomplete", `◔ ${count(incomplete + givenUp)} lack values`];
  const lag = asset.lag;
  if (!lag) return null;
  const hours = lag.worst[0][1];
  const behind = hours === null ? "a location has none" : `${hoursBehind(hours)} behind`;
  if (lag.missed) return ["line failed", hours === null ? `▲ ${behind} (≤ ${lag.target} h)` : `▲ ${behind}, target ${lag.target} h`];
  return ["line", lag.target === null ? behind : `${behind} (≤ ${lag.target} h)`];
}

function hoursBehind(hours) {
  return hours < 100 ? `${hours} h` : `${count(Math.round(hours / 24))} days`;
}

function legend(facts) {
  const mappings = new Set(facts.graph.edges.map(([, , mapping]) => mapping));
  const words = { Identity: "─ the same partition", RunWindow: "╌ a window of days", AllPartitions: "┈ the whole table", fetched: "═ fetched" };
  return el("p", { class: "dim legend" }, Object.entries(words).filter(([name]) => mappings.has(name)).map(([, word]) => el("span", null, word)));
}

// What lights up for an asset: all that is upstream and downstream of it.
function ofAsset(graph, key) {
  const joins = new Set();
  const reach = (way) => {
    const found = new Map();
    const waiting = [key];
    while (waiting.length) {
      const here = waiting.pop();
      for (const [from, to] of graph.edges) {
        const [near, far] = way === "above" ? [to, from] : [from, to];
        if (near !== here) continue;
        joins.add(`${from} ${to}`);
        if (!found.has(far)) waiting.push(far);
        found.set(far, "");
      }
    }
    return found;
  };
  return { chosen: key, above: reach("above"), below: reach("below"), joins };
}

// What lights up for a column, and the same as lists. lost: columns on the way up, itself among them, and what of each
// could not be read; open: others of which that is so, which may be made of it.
function ofColumn(columns, key, column) {
  const joins = new Set();
  const above = walked(columns, key, column, "above", joins);
  const below = walked(columns, key, column, "below", joins);
  const badges = (found, mark) => new Map([...found].map(([of, kinds]) => [of, `${mark} ${kinds.size === 1 ? [...kinds.keys()][0] : `${kinds.size} columns`}`]));
  const total = (found) => [...found.values()].reduce((sum, kinds) => sum + kinds.size, 0);
  const from = [[key, new Map([[column, null]])], ...above];
  const lost = from.flatMap(([of, kinds]) => [...kinds.keys()].map((name) => [`${of}.${name}`, columns.get(of).get(name).unknown]));
  const open = [...columns].flatMap(([of, some]) => [...some].filter(([, one]) => one.unknown.length).map(([name]) => `${of}.${name}`));
  return {
    above,
    below,
    lost: lost.filter(([, unknown]) => unknown.length),
    open: open.filter((name) => name !== `${key}.${column}`),
    words: `comes from ${counted(total(above), "column")}, goes into ${counted(total(below), "column")}`,
    lit: { chosen: key, above: badges(above, "↑"), below: badges(below, "↓"), joins },
  };
}
