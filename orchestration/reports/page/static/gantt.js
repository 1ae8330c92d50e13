// Where the time of a run went: a lane for the run, and for each step; bars in the colours of their phases.
import { count, el, fill, svg, table } from "./dom.js";

const LANE = 34;
const BAR = 14;
const TOP = 20;

// picture: see run_facts.py. phases: [name, colour].
export function gantt(picture, phases, label, app) {
  const whole = Math.max(picture.seconds * 1000, 1);
  const lanes = picture.lanes.map(([title, seconds, bars]) => ({ title, seconds, bars: barsOf(bars) }));
  const height = TOP + lanes.length * LANE + 6;
  const x = (ms) => `${(1 + 98 * (ms / whole)).toFixed(3)}%`;
  const width = (ms) => `${Math.max(0.1, 98 * (ms / whole)).toFixed(3)}%`;
  const frame = svg("rect", { class: "cursor", height: BAR + 4, visibility: "hidden" });
  const drawn = lanes.map((lane, at) => {
    const y = TOP + at * LANE + 15;
    return [
      svg("text", { x: "1%", y: y - 3 }, `${lane.title} · ${seconds(lane.seconds)}`),
      svg("rect", { class: "track", x: "1%", y, width: "98%", height: BAR }),
      lane.bars.map((bar) => {
        const of = svg("rect", { x: x(bar.begin), y, width: width(bar.length), height: BAR, fill: phases[bar.phase][1] });
        of.append(svg("title", null, told(bar)));
        return of;
      }),
    ];
  });
  const line = el("p", { class: "told" }, "Point at a bar, or go through them with the arrow keys.");
  const box = el(
    "div",
    { class: "gantt", tabindex: "0", role: "application", "aria-roledescription": "chart", "aria-label": `${label}. Arrow keys go from bar to bar and from lane to lane.` },
    svg("svg", { width: "100%", height, "aria-hidden": "true", focusable: "false" }, axis(picture.seconds, height, x), drawn, frame),
  );
  const cursor = { lane: 0, bar: 0 };
  const named = new Set();

  function told(bar) {
    const step = bar.step < 0 ? "" : ` of ${picture.steps[bar.step]}`;
    return `${phases[bar.phase][0]}${step}: ${seconds(bar.length / 1000)}, from ${seconds(bar.begin / 1000)} on`;
  }

  function put() {
    const bar = lanes[cursor.lane].bars[cursor.bar];
    const text = bar ? told(bar) : "no bar";
    fill(line, el("strong", null, lanes[cursor.lane].title), ` · ${text}`);
    app.say(`${lanes[cursor.lane].title}: ${text}`);
    frame.setAttribute("visibility", bar ? "visible" : "hidden");
    if (!bar) return;
    frame.setAttribute("x", x(bar.begin));
    frame.setAttribute("y", TOP + cursor.lane * LANE + 13);
    frame.setAttribute("width", width(bar.length));
  }

  box.addEventListener("focus", () => lanes.length && put());
  box.addEventListener("keydown", (event) => {
    const { lane, bar } = cursor;
    const to = { ArrowLeft: [lane, bar - 1], ArrowRight: [lane, bar + 1], ArrowUp: [lane - 1, 0], ArrowDown: [lane + 1, 0] }[event.key];
    if (!to || !lanes.length) return;
    event.preventDefault();
    cursor.lane = Math.min(Math.max(to[0], 0), lanes.length - 1);
    cursor.bar = Math.min(Math.max(to[1], 0), Math.max(0, lanes[cursor.lane].bars.length - 1));
    put();
  });
  lanes.forEach((lane) => lane.bars.forEach((bar) => named.add(bar.phase)));
  const legend = el("p", { class: "legend" }, [...named].map((phase) => el("span", { class: "key" }, square(phases[phase][1]), ` ${phases[phase][0]}`)));
  const rest = picture.left_out ? el("p", { class: "dim" }, `${count(picture.left_out)} short bars are left out.`) : null;
  return el("div", null, legend, box, line, rest, times(picture, phases));
}

function times(picture, phases) {
  const used = phases.map((_, at) => at).filter((at) => picture.times.some((row) => row[5].some(([phase]) => phase === at)));
  const heads = ["step", ["steps", "number"], ["ready at", "number"], ["took", "number"], ["fetching", "number"], ...used.map((at) => [phases[at][0], "number"])];
  const rows = picture.times.map(([name, several, ready, took, fetching, spent]) => {
    const by = new Map(spent);
    return [name, count(several), seconds(ready), seconds(took), fetching ? seconds(fetching) : "", ...used.map((at) => (by.has(at) ? by.get(at).toFixed(2) : ""))];
  });
  if (!rows.length) return null;
  return el("details", { class: "times" }, el("summary", null, "In numbers, seconds"), table("Where the time of steps went", heads, rows));
}

export function seconds(value) {
  if (value >= 5400) return `${(value / 3600).toFixed(1)} h`;
  if (value >= 120) return `${(value / 60).toFixed(1)} min`;
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}

export function square(color) {
  return svg("svg", { class: "swatch", width: 14, height: 12, "aria-hidden": "true" }, svg("rect", { width: 14, height: 12, rx: 2, fill: color }));
}

function axis(whole, height, x) {
  const step = tick(whole);
  const parts = [];
  for (let at = 0; step && at <= whole; at += step) {
    const last = at > whole * 0.94;
    parts.push(svg("line", { class: "line", x1: x(at * 1000), x2: x(at * 1000), y1: TOP - 4, y2: height }));
    parts.push(svg("text", { class: "dim", x: x(at * 1000), y: TOP - 8, "text-anchor": at === 0 ? "start" : last ? "end" : "middle" }, `${Number(at.toPrecision(6))} s`));
  }
  return parts;
}

function tick(whole) {
  for (let size = 0.001; whole > 0; size *= 10) for (const factor of [1, 2, 5]) if (whole / (size * factor) <= 5) return size * factor;
  return 0;
}

function barsOf(numbers) {
  const found = [];
  for (let at = 0; at < numbers.length; at += 4) found.push({ phase: numbers[at], begin: numbers[at + 1], length: numbers[at + 2], step: numbers[at + 3] });
  return found;
}
