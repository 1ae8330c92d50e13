// Small charts of a number over runs: a bar each, one that failed hatched and marked with a cross.
import { el, svg } from "./dom.js";

const HIGH = 96;

// bars: [{value, text, bad, go}], oldest first, null for a value that is not there. told: what the chart shows, in words.
// format: a value as text. go: called for a click on a bar.
export function chart(title, told, bars, format) {
  const most = Math.max(0, ...bars.map((bar) => bar.value ?? 0));
  const wide = 100 / Math.max(bars.length, 12);
  const parts = bars.map((bar, at) => {
    if (bar.value === null || bar.value === undefined) return null;
    const height = bar.value ? Math.max(1, (bar.value / most) * HIGH) : 0;
    const x = `${at * wide}%`;
    const width = `${Math.min(wide * 0.84, 6)}%`;
    return svg(
      "g",
      { class: bar.bad ? "bar bad" : "bar", on: { click: bar.go } },
      svg("rect", { x, y: 6, width, height: HIGH, class: "catch" }),
      svg("rect", { x, y: 6 + HIGH - height, width, height, class: "fill" }),
      bar.bad ? svg("text", { x: `${at * wide + Math.min(wide * 0.42, 3)}%`, y: Math.max(12, 3 + HIGH - height), "text-anchor": "middle" }, "✕") : null,
      svg("title", null, bar.text),
    );
  });
  return el(
    "figure",
    { class: "chart" },
    el("figcaption", null, el("strong", null, title), el("span", { class: "dim" }, ` up to ${format(most)}`)),
    svg("svg", { width: "100%", height: HIGH + 12, role: "img", "aria-label": told }, svg("line", { class: "ground", x1: 0, x2: "100%", y1: HIGH + 6.5, y2: HIGH + 6.5 }), parts),
  );
}
