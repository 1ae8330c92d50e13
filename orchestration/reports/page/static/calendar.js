// A calendar of one year, or a month of it: a row per location, a column per day. Drawn as one path for each look, so that a year of
// hundreds of locations is a handful of elements; where the pointer is, follows from numbers.
import { el, fill, svg } from "./dom.js";

const DAY = 86400000;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const LEAST = 2.2;
const LEAST_OF_MONTH = 24;
const FEW = 45;
let made = 0;

// Days since 1970 of "2025-08-08", and back.
export function dayOf(text) {
  return Math.round(Date.parse(`${text}T00:00:00Z`) / DAY);
}

export function textOf(day) {
  return new Date(day * DAY).toISOString().slice(0, 10);
}

export function yearOf(day) {
  return new Date(day * DAY).getUTCFullYear();
}

export function weekday(day) {
  return WEEKDAYS[new Date(day * DAY).getUTCDay()];
}

export function monthName(month) {
  return MONTHS[month - 1];
}

// The days of a year, or of a month of it: the first, and the first after them. month: 1 to 12; 0: all.
export function daysOf(year, month) {
  return month ? [Date.UTC(year, month - 1, 1) / DAY, Date.UTC(year, month, 1) / DAY] : [Date.UTC(year, 0, 1) / DAY, Date.UTC(year + 1, 0, 1) / DAY];
}

// What "2025", "2025-08" or "2025-08-09" means: {year, month, day}, the month 0 and the day null where it names none.
export function spanOf(text) {
  const found = /^(\d{4})(?:-(\d{2})(-\d{2})?)?$/.exec(text || "");
  if (!found) return null;
  return { year: Number(found[1]), month: found[3] ? 0 : Number(found[2] || 0), day: found[3] ? dayOf(text) : null };
}

// "2025", or "2025-08".
export function spanText(year, month) {
  return month ? `${year}-${String(month).padStart(2, "0")}` : String(year);
}

export function monthOf(day) {
  return new Date(day * DAY).getUTCMonth() + 1;
}

// What to show first of these days: the last month of few, of more the whole year, 0.
export function monthAtFirst(first, last) {
  return last - first < FEW ? monthOf(last) : 0;
}

// Controls of a year and a month. change(year, month) is called when one of them is used.
export function spanChooser(first, last, change) {
  const years = [];
  for (let year = last; year >= first; year -= 1) years.push([String(year), String(year)]);
  const now = () => change(Number(year.select.value), Number(month.select.value));
  const year = chooser("Year", years, String(last), now);
  const month = chooser("Month", [["0", "all"], ...MONTHS.map((name, at) => [String(at + 1), name])], "0", now);
  return {
    element: el("span", { class: "spans" }, year.element, " ", month.element),
    put(of, some) {
      year.select.value = String(of);
      month.select.value = String(some);
    },
  };
}

// A control of a name with options: [value, text].
export function chooser(name, options, value, change) {
  const select = el("select", { on: { change: () => change(select.value) } });
  choices(select, options, value);
  return { element: el("label", { class: "chooser" }, el("span", null, name), " ", select), select };
}

export function choices(select, options, value) {
  fill(select, options.map(([of, text]) => el("option", { value: of }, text)));
  select.value = value;
}

// given:
//   label(span)          what it shows, in words; span: "2025", "2025-08"
//   rows                 [{text, dim}], one a location
//   looks                name → {fill: layer, over: [layers]}, by what runs name; see `painted` and `within`
//   runs(row, from, to)  [[first day, days, name of a look]]: may be parts of days
//   short(row, day)      what stands in the cell of a day where there is room, {text, ink}; may be left out
//   told(row, day)       what is said of a day: a list of lines, the first of which is the day itself
//   pick(row, day)       called for Enter and clicks
//   years()              [first, last]: how far arrows lead
//   turn(row, day)       called where an arrow leads to a day that is not drawn: draws it
//   today                a day, marked by a line
// Gives {element, draw(year, month), put(row, day, aloud)}.
export function calendar(given, app) {
  const id = `calendar-${(made += 1)}`;
  const labels = el("div", { class: "rows", "aria-hidden": "true" });
  const picture = el("div", { class: "picture", "aria-hidden": "true" });
  const box = el("div", { class: "calendar", tabindex: "0", role: "application", "aria-roledescription": "calendar" }, labels, picture);
  const line = el("p", { class: "told" }, "Point at a day, or go through them with the arrow keys; Enter says more.");
  const tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const element = el("div", null, box, line, tip);
  let drawn = { year: null };
  let cursor = null;
  let frame = null;

  function draw(year, month) {
    const [from, to] = daysOf(year, month);
    const high = month || given.rows.length <= 16 ? 22 : 13;
    drawn = { year, month, from, to, high, wide: breadth(from, to, month), top: 18 };
    const wide = drawn.wide;
    box.setAttribute("aria-label", `${given.label(spanText(year, month))}. Arrow keys go from day to day and from location to location, Page Up and Page Down by a month, Enter says more.`);
    fill(labels, el("div", { class: "top" }), given.rows.map((row) => el("div", { class: row.dim ? "row dim" : "row", style: { height: `${high}px` } }, row.text)));
    fill(picture, drawing());
    frame = picture.querySelector(".cursor");
    if (cursor && (cursor.day < from || cursor.day >= to)) cursor = null;
    box.scrollLeft = given.today >= from && given.today < to ? (given.today - from) * wide - box.clientWidth * 0.6 : 0;
    mark();
  }

  // Of a day, in pixels.
  function breadth(from, to, month) {
    const all = element.clientWidth || document.documentElement.clientWidth - 40;
    const room = all - Math.min(150, all * 0.3) - 4;
    return Math.max(month ? LEAST_OF_MONTH : LEAST, Math.floor((room / (to - from)) * 20) / 20);
  }

  function drawing() {
    const { from, to, high, wide, top } = drawn;
    const paths = new Map();
    const add = (name, x, y, height, length) => {
      if (!paths.has(name)) paths.set(name, []);
      paths.get(name).push(`M${x} ${y}h${length}v${height}h-${length}z`);
    };
    given.rows.forEach((_, row) => {
      const y = top + row * high;
      for (const [first, days, name] of given.runs(row, from, to)) {
        const look = given.looks[name];
        const start = Math.max(first, from);
        const length = round((Math.min(first + days, to) - start) * wide);
        const x = round((start - from) * wide);
        if (length <= 0) continue;
        for (const layer of layers(look)) add(layer, x, ...within(layer, y + 1, high - 2), length);
      }
    });
    const width = round((to - from) * wide);
    const height = top + given.rows.length * high;
    const names = drawn.month
      ? Array.from({ length: to - from }, (_, day) => [String(day + 1), day])
      : MONTHS.map((name, month) => [name, Date.UTC(drawn.year, month, 1) / DAY - from]);
    const today = given.today >= from && given.today < to ? round((given.today - from) * wide) : null;
    return svg(
      "svg",
      { width, height, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", focusable: "false" },
      patterns(id),
      svg("rect", { class: "nothing", x: 0, y: top, width, height: height - top }),
      [...paths.keys()].sort(byLayer).map((name) => svg("path", { ...painted(name, id), d: paths.get(name).join("") })),
      drawn.month && given.short ? given.rows.map((_, row) => shorts(row)) : null,
      names.map(([name, day]) => [
        svg("line", { class: "month", x1: round(day * wide), x2: round(day * wide), y1: 4, y2: height }),
        svg("text", { class: "name", x: round(day * wide) + 3, y: 13 }, name),
      ]),
      today === null ? null : svg("line", { class: "today", x1: today + wide / 2, x2: today + wide / 2, y1: drawn.month ? 0 : top, y2: drawn.month ? top : height }),
      svg("rect", { class: "cursor", width: Math.max(wide, 5), height: high, visibility: "hidden" }),
    );
  }

  // Where numbers stand in cells, nobody needs patterns.
  function layers(look) {
    const over = (look.over || []).filter((name) => !(drawn.month && given.short && PATTERNS[name]));
    return [look.fill, ...over];
  }

  // What stands in the cells of a row.
  function shorts(row) {
    const found = [];
    for (let day = drawn.from; day < drawn.to; day += 1) {
      const short = given.short(row, day);
      const x = round((day - drawn.from + 0.5) * drawn.wide);
      const y = drawn.top + row * drawn.high + drawn.high / 2 + 4;
      if (short) found.push(svg("text", { class: "short", x, y, fill: short.ink, "text-anchor": "middle" }, short.text));
    }
    return found;
  }

  function mark() {
    if (!frame) return;
    frame.setAttribute("visibility", cursor ? "visible" : "hidden");
    if (!cursor) return;
    const x = (cursor.day - drawn.from) * drawn.wide;
    frame.setAttribute("x", round(x - Math.max(0, 5 - drawn.wide) / 2));
    frame.setAttribute("y", drawn.top + cursor.row * drawn.high);
    say(cursor.row, cursor.day);
    if (document.activeElement === box && !inSight(x)) box.scrollLeft = x - box.clientWidth / 2;
  }

  function inSight(x) {
    const left = labels.offsetWidth;
    return x >= box.scrollLeft && x <= box.scrollLeft + box.clientWidth - left - 8;
  }

  function say(row, day) {
    const [first, ...more] = given.told(row, day);
    fill(line, el("strong", null, first), more.map((text) => [" · ", text]));
  }

  function put(row, day, aloud) {
    cursor = { row, day };
    mark();
    if (aloud) app.say(given.told(row, day).join(", "));
  }

  function where(event) {
    const of = picture.getBoundingClientRect();
    const row = Math.floor((event.clientY - of.top - drawn.top) / drawn.high);
    const day = drawn.from + Math.floor((event.clientX - of.left) / drawn.wide);
    const inside = row >= 0 && row < given.rows.length && day >= drawn.from && day < drawn.to;
    return inside ? [row, day] : null;
  }

  picture.addEventListener("pointermove", (event) => {
    const at = where(event);
    tip.hidden = !at;
    if (!at) return;
    say(...at);
    fill(tip, given.told(...at).map((text) => el("div", null, text)));
    const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18 + tip.offsetHeight < document.documentElement.clientHeight;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${below ? event.clientY + 18 : event.clientY - tip.offsetHeight - 12}px`;
  });
  picture.addEventListener("pointerleave", () => {
    tip.hidden = true;
    if (cursor) say(cursor.row, cursor.day);
  });
  picture.addEventListener("click", (event) => {
    const at = where(event);
    if (!at) return;
    put(...at, true);
    given.pick(...at);
  });
  box.addEventListener("focus", () => {
    if (!cursor && given.rows.length) put(0, Math.min(Math.max(given.today, drawn.from), drawn.to - 1), true);
  });
  box.addEventListener("keydown", (event) => {
    if (!cursor || event.ctrlKey || event.altKey || event.metaKey) return;
    const { row, day } = cursor;
    const to = {
      ArrowLeft: [row, day - 1],
      ArrowRight: [row, day + 1],
      ArrowUp: [row - 1, day],
      ArrowDown: [row + 1, day],
      PageUp: [row, day - 30],
      PageDown: [row, day + 30],
      Home: [row, drawn.from],
      End: [row, drawn.to - 1],
    }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      given.pick(row, day);
    }
    if (!to) return;
    event.preventDefault();
    const [first, last] = given.years();
    const next = Math.min(Math.max(to[1], daysOf(first)[0]), daysOf(last)[1] - 1);
    const into = Math.min(Math.max(to[0], 0), given.rows.length - 1);
    if (next < drawn.from || next >= drawn.to) given.turn(into, next);
    put(into, next, true);
  });
  const watched = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(() => {
    if (drawn.year !== null && breadth(drawn.from, drawn.to, drawn.month) !== drawn.wide) draw(drawn.year, drawn.month);
  });
  if (watched) watched.observe(element);
  return { element, draw, put };
}

// A little square of a look, for a legend.
export function swatch(look) {
  const id = `swatch-${(made += 1)}`;
  const d = (name) => {
    const [y, height] = within(name, 0, 14);
    return `M0 ${y}h18v${height}h-18z`;
  };
  return svg(
    "svg",
    { class: "swatch", width: 18, height: 14, "aria-hidden": "true" },
    patterns(id),
    [look.fill, ...(look.over || [])].sort(byLayer).map((name) => svg("path", { ...painted(name, id), d: d(name) })),
  );
}

const PATTERNS = {
  "p-slant": "M-1 5L5 -1M-1 11L11 -1M5 11L11 5",
  "p-cross": "M-1 5L5 -1M-1 11L11 -1M5 11L11 5M-1 5L5 11M-1 -1L11 11M5 -1L11 5",
  "p-upright": "M2 0V10M7 0V10",
  "p-dots": "M1 2h2.4M6 2h2.4M3.5 7h2.4M8.5 7h2.4",
  "p-level": "M0 2.5H10M0 7.5H10",
};

// Where a layer lies in a cell: [top, height]. A mark is a band at its foot (low-…) or its head (top-…).
function within(layer, y, height) {
  if (layer.startsWith("low-")) return [round(y + height - Math.max(4, height / 4)), Math.max(4, round(height / 4))];
  if (layer.startsWith("top-")) return [y, Math.max(3, round(height / 5))];
  return [y, height];
}

// A layer is a pattern, a colour, or a class of a style.
function painted(name, id) {
  if (PATTERNS[name]) return { fill: `url(#${id}-${name})` };
  return name.startsWith("#") ? { fill: name } : { class: name };
}

function patterns(id) {
  const one = ([name, d]) =>
    svg("pattern", { id: `${id}-${name}`, width: 10, height: 10, patternUnits: "userSpaceOnUse" }, svg("path", { class: "ink", d }));
  return svg("defs", null, Object.entries(PATTERNS).map(one));
}

// Fills first, what lies over them last.
function byLayer(one, other) {
  return layer(one) - layer(other);
}

function layer(name) {
  return name.startsWith("p-") ? 1 : name.startsWith("low-") || name.startsWith("top-") ? 2 : 0;
}

function round(number) {
  return Math.round(number * 100) / 100;
}
