// The graph of assets, from left to right. Heights and columns are given (core/lineage/layout.py); pixels are made here.
import { MARKS, count, scrolling, svg } from "./dom.js";

const ROW = 80;
const HIGH = 60;
const GAP = 28;
const TOP = 30;
const LETTER = 6.75;
const SMALL = 6.1;
const PAD = 10;

// Draws the graph. nodes: name → {title, lines: [[class, text]], told, href}. Gives {element, light(lit), focus(name)}.
export function drawGraph(graph, nodes) {
  const longest = Math.max(...graph.nodes.map(([name]) => nodes[name].title.length), 12);
  const wide = Math.min(Math.max(Math.ceil(longest * LETTER) + 2 * PAD, 150), 216);
  const left = (x) => x * (wide + GAP) + 8;
  const middle = (y) => TOP + y * ROW;
  const size = [left(graph.columns) - GAP + 8, middle(graph.rows) + 10];
  const picture = svg("svg", { width: size[0], height: size[1], viewBox: `0 0 ${size.join(" ")}`, role: "group", "aria-label": "Graph of assets. Arrow keys go along edges and columns, Enter opens." });
  for (const [name, first, last] of graph.bands) {
    const width = left(last) - left(first) + wide;
    picture.append(
      svg("rect", { class: "band", x: left(first) - 8, y: 0, width: width + 16, height: size[1], rx: 8 }),
      svg("text", { class: "layer", x: left(first), y: 17 }, name),
    );
  }
  const edges = graph.edges.map(([from, to, mapping, way]) => {
    const line = svg("path", { class: `edge ${mapping}`, d: path(way, left, middle, wide) }, svg("title", null, `${nodes[from].title} → ${nodes[to].title}: ${mapping}`));
    picture.append(line);
    return { from, to, line };
  });
  const drawn = new Map();
  for (const [name, x, y] of graph.nodes) {
    const link = node(name, nodes[name], left(x), middle(y) - HIGH / 2, wide);
    picture.append(link.element);
    drawn.set(name, { ...link, x, y });
  }
  const order = [...drawn.keys()];
  let current = order[0];
  const rove = (name) => {
    drawn.get(current).element.setAttribute("tabindex", "-1");
    current = name;
    drawn.get(current).element.setAttribute("tabindex", "0");
  };
  rove(current);
  picture.addEventListener("focusin", (event) => {
    const name = event.target.dataset && event.target.dataset.node;
    if (name) rove(name);
  });
  picture.addEventListener("keydown", (event) => {
    const to = next(event.key, current, drawn, edges);
    if (!to) return;
    event.preventDefault();
    drawn.get(to).element.focus();
  });
  const box = scrolling("Graph of assets", picture);
  box.classList.add("graph");
  box.removeAttribute("tabindex"); // what is in it takes the focus, and scrolls it
  return {
    element: box,
    // lit: {chosen: name, above: Map of node → text, below: the same, joins: Set of "from to"}, or null for all alike
    light(lit) {
      picture.classList.toggle("lit", Boolean(lit));
      for (const [name, one] of drawn) {
        const is = !lit ? "" : name === lit.chosen ? "chosen" : lit.above.has(name) ? "above" : lit.below.has(name) ? "below" : "";
        one.element.setAttribute("class", `node ${is}`);
        if (is === "chosen") one.element.setAttribute("aria-current", "true");
        else one.element.removeAttribute("aria-current");
        const told = !lit ? "" : [lit.above.get(name), lit.below.get(name)].filter(Boolean).join(" ");
        one.badge.textContent = told;
        one.badgeBox.setAttribute("width", told ? told.length * 6.6 + 10 : 0);
      }
      for (const { from, to, line } of edges) line.classList.toggle("on", Boolean(lit) && lit.joins.has(`${from} ${to}`));
    },
    // All of it as wide as its box, to see where something is; or as large as it can be read.
    overview(on) {
      box.classList.toggle("overview", on);
    },
    focus(name) {
      if (drawn.has(name)) drawn.get(name).element.focus();
    },
    reveal(name) {
      const at = drawn.get(name);
      if (!at) return;
      rove(name);
      const [x, y] = [left(at.x), middle(at.y)];
      if (x < box.scrollLeft || x + wide > box.scrollLeft + box.clientWidth) box.scrollLeft = x - (box.clientWidth - wide) / 2;
      if (y < box.scrollTop + HIGH || y + HIGH > box.scrollTop + box.clientHeight) box.scrollTop = y - box.clientHeight / 2;
    },
  };
}

function node(name, told, x, y, wide) {
  const title = fitting(told.title, (wide - 2 * PAD) / LETTER);
  const badgeBox = svg("rect", { class: "badge", x: 8, y: HIGH - 5, height: 17, rx: 8, width: 0 });
  const badge = svg("text", { class: "badge-text", x: 13, y: HIGH + 7.5 });
  const lines = told.lines.map(([kind, text], at) => svg("text", { class: kind, x: PAD, y: 36 + 15 * at }, fitting(text, (wide - 2 * PAD) / SMALL)));
  const inside = [
    svg("title", null, told.told),
    svg("rect", { class: "box", width: wide, height: HIGH, rx: 8 }),
    svg("text", { class: "name", x: PAD, y: 20 }, title),
    lines,
    badgeBox,
    badge,
  ];
  const given = { class: "node", transform: `translate(${x} ${y})`, "aria-label": told.told, tabindex: "-1", "data-node": name };
  const element = told.href ? svg("a", { ...given, href: told.href }, inside) : svg("g", { ...given, role: "img" }, inside);
  return { element, badge, badgeBox };
}

// A text cut to so many letters.
function fitting(text, letters) {
  return text.length > Math.floor(letters) ? `${text.slice(0, Math.floor(letters) - 1)}…` : text;
}

function path(way, left, middle, wide) {
  let [x, y] = [left(way[0][0]) + wide, middle(way[0][1])];
  const parts = [`M${x} ${y}`];
  way.slice(1).forEach(([column, height], at) => {
    const to = [left(column), middle(height)];
    const half = (x + to[0]) / 2;
    parts.push(`C${half} ${y} ${half} ${to[1]} ${to[0]} ${to[1]}`);
    [x, y] = to;
    if (at < way.length - 2) {
      x += wide;
      parts.push(`L${x} ${y}`);
    }
  });
  return parts.join("");
}

// Where an arrow key leads: left and right along edges, to what is nearest in height; up and down in the column.
function next(key, current, drawn, edges) {
  const here = drawn.get(current);
  const near = (names) => names.sort((one, other) => Math.abs(drawn.get(one).y - here.y) - Math.abs(drawn.get(other).y - here.y))[0];
  if (key === "ArrowRight") return near(edges.filter(({ from }) => from === current).map(({ to }) => to));
  if (key === "ArrowLeft") return near(edges.filter(({ to }) => to === current).map(({ from }) => from));
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (!step) return undefined;
  return near([...drawn.keys()].filter((name) => drawn.get(name).x === here.x && (drawn.get(name).y - here.y) * step > 0));
}

// What a node says of partitions in states: "● 66 fresh", or all that there are: "● 60 ◐ 6".
export function stateLine(states) {
  const all = Object.entries(states);
  if (!all.length) return ["line missing", `${MARKS.missing} nothing yet`];
  if (all.length === 1) return [`line ${all[0][0]}`, `${MARKS[all[0][0]]} ${count(all[0][1])} ${all[0][0]}`];
  const worst = ["damaged", "failed", "unrecorded", "stale", "missing", "fresh"].find((one) => states[one]);
  return [`line ${worst}`, all.map(([name, number]) => `${MARKS[name]} ${count(number)}`).join("  ")];
}
