// The page "The air": figures by day and location, hours in categories, spells. See figures.py for facts.
import { calendar, chooser, dayOf, daysOf, monthAtFirst, monthName, monthOf, spanChooser, spanOf, spanText, swatch, textOf, weekday, yearOf } from "./calendar.js";
import { count, counted, el, fill, state, svg, table } from "./dom.js";

const NO_ROW = 0xffff;
const NO_VALUE = 0xfffe;
const NO_WORD = 0xff;
const HOURS_A_DAY = 24;
const LONGEST = 15;
// Over the colours of categories, which not all can tell apart: the higher half has patterns.
const PATTERNS = ["p-slant", "p-level", "p-cross"];

export function draw(root, facts, app) {
  const trouble = facts.trouble.map((text) => el("p", null, state("failed", text)));
  if (!facts.daily || !facts.daily.days) {
    fill(root, trouble, el("p", null, facts.daily ? `${facts.asset} has no rows yet.` : "There is nothing to show."));
    return { show() {} };
  }
  const days = figures(facts.daily, facts.locations.length, facts.categories);
  const spells = facts.spells ? spellsOf(facts.spells) : null;
  const today = dayOf(facts.today);
  const [first, last] = [yearOf(days.base), yearOf(days.base + days.number - 1)];
  const locations = facts.locations.map(([key, name]) => ({ key, text: name }));
  const looks = Object.fromEntries(facts.categories.map((_, at) => [at, look(at)]));
  looks.none = { fill: "none", over: ["p-dots"] };
  let year = last;
  let month = monthAtFirst(days.base, days.base + days.number - 1);
  let location = 0;

  const shared = { rows: locations, looks, years: () => [first, last], turn: (_, day) => open(yearOf(day), month && monthOf(day), location), pick, today };
  const picture = calendar({ ...shared, label: (span) => `${facts.told}, ${span}`, runs: daily, short, told }, app);
  const line = spells && calendar({ ...shared, label: (span) => `${facts.spell[1]}, ${span}`, runs: spellRuns, told: toldSpells }, app);
  const spans = spanChooser(first, last, (of, some) => app.go("air", locations[location].key, spanText(of, some)));
  const which = chooser("Location", locations.map((one, at) => [String(at), one.text]), "0", (at) => app.go("air", locations[at].key, spanText(year, month)));
  const sums = el("div", { class: "sums" });
  const list = el("div");
  const summary = el("p");
  fill(
    root,
    trouble,
    el("div", { class: "controls" }, spans.element, which.element),
    facts.daily.since && el("p", { class: "dim" }, `Days before ${facts.daily.since} are left out here; the table has them.`),
    el("h2", null, sentence(facts.told)),
    summary,
    legend(),
    picture.element,
    el("h2", { id: "air-hours" }, "Hours in each category"),
    sums,
    spells && [el("h2", null, sentence(facts.spell[1])), line.element, list],
  );

  function value(row, day) {
    const at = day - days.base;
    return at < 0 || at >= days.number ? NO_ROW : days.values[row * days.number + at];
  }

  function category(figure) {
    let at = facts.categories.length - 1;
    while (at > 0 && figure < facts.categories[at][2]) at -= 1;
    return at;
  }

  function daily(row, from, to) {
    const found = [];
    for (let day = Math.max(from, days.base); day < Math.min(to, days.base + days.number); day += 1) {
      const figure = value(row, day);
      if (figure === NO_ROW) continue;
      const name = figure === NO_VALUE ? "none" : category(figure);
      const before = found[found.length - 1];
      if (before && before[2] === name && before[0] + before[1] === day) before[1] += 1;
      else found.push([day, 1, name]);
    }
    return found;
  }

  function short(row, day) {
    const figure = value(row, day);
    if (figure === NO_ROW || figure === NO_VALUE) return null;
    return { text: String(figure), ink: inkOn(facts.categories[category(figure)][3]) };
  }

  function told(row, day) {
    const figure = value(row, day);
    const lines = [`${locations[row].text}, ${weekday(day)} ${textOf(day)}`];
    if (figure === NO_ROW) return [...lines, "no row"];
    if (figure === NO_VALUE) return [...lines, "no figure"];
    const [name, letter] = facts.categories[category(figure)];
    const word = days.because[row * days.number + day - days.base];
    return [...lines, `${figure}, ${name} (${letter})`, ...(word === NO_WORD ? [] : [`${facts.because}: ${facts.daily.words[word]}`])];
  }

  function spellRuns(row, from, to) {
    return (spells.of[row] || [])
      .filter((at) => spells.start[at] / HOURS_A_DAY < to && (spells.start[at] + spells.hours[at]) / HOURS_A_DAY > from)
      .map((at) => [spells.start[at] / HOURS_A_DAY, spells.hours[at] / HOURS_A_DAY, category(spells.peak[at])]);
  }

  function toldSpells(row, day) {
    const here = (spells.of[row] || []).filter(
      (at) => spells.start[at] < (day + 1) * HOURS_A_DAY && spells.start[at] + spells.hours[at] > day * HOURS_A_DAY,
    );
    return [`${locations[row].text}, ${weekday(day)} ${textOf(day)}`, ...(here.length ? here.map(toldSpell) : [`no ${facts.spell[0]}`])];
  }

  function toldSpell(at) {
    const [name, letter] = facts.categories[category(spells.peak[at])];
    const word = spells.because[at];
    const why = word === NO_WORD ? "" : `, ${facts.because}: ${facts.spells.words[word]}`;
    return `from ${instant(spells.start[at])} UTC on, ${counted(spells.hours[at], "hour")}${spells.open.has(at) ? " so far, still open" : ""}, up to ${spells.peak[at]}, ${name} (${letter})${why}`;
  }

  function pick(row) {
    location = row;
    which.select.value = String(row);
    drawSums();
    app.say(`${locations[row].text} is chosen`);
  }

  function open(of, some, row) {
    [year, month, location] = [of, some, row];
    spans.put(year, month);
    which.select.value = String(location);
    picture.draw(year, month);
    fill(summary, summed());
    drawSums();
    if (!spells) return;
    line.draw(year, month);
    drawSpells();
  }

  // The worst day and how many figures there are, of what is shown.
  function summed() {
    const [from, to] = daysOf(year, month);
    let [most, where, number] = [-1, null, 0];
    locations.forEach((_, row) => {
      for (let day = Math.max(from, days.base); day < Math.min(to, days.base + days.number); day += 1) {
        const figure = value(row, day);
        if (figure >= NO_VALUE) continue;
        number += 1;
        if (figure > most) [most, where] = [figure, [row, day]];
      }
    });
    if (!where) return "No figure.";
    return `${counted(number, "day")} of ${counted(locations.length, "location")}; the highest: ${told(...where).join(", ")}.`;
  }

  function legend() {
    const keys = facts.categories.map(([name, letter, low], at) => {
      const next = facts.categories[at + 1];
      return el("span", { class: "key" }, swatch(looks[at]), ` ${letter} ${name} ${next ? `${low}–${next[2] - 1}` : `${low} and more`}`);
    });
    return el("p", { class: "legend" }, keys, el("span", { class: "key" }, swatch(looks.none), " no figure"));
  }

  function drawSums() {
    const months = days.months.map(([of, some], at) => ({ of, some, at })).filter(({ of, some }) => of === year && (!month || some === month));
    const names = [...facts.categories.map(([name]) => name), "no figure"];
    const rows = months.map(({ some, at }) => ({ name: monthName(some), hours: days.hoursOf(location, at) })).filter(({ hours }) => hours.some((number) => number));
    const most = Math.max(1, ...rows.map(({ hours }) => hours.reduce((sum, number) => sum + number, 0)));
    const bars = rows.map(({ name, hours }) => el("div", { class: "sum" }, el("span", { class: "month" }, name), stacked(hours, most, names)));
    const numbers = table(`Hours in each category, ${locations[location].text}`, ["month", ...names.map((name) => [name, "number"])], rows.map(({ name, hours }) => [name, ...hours.map(count)]));
    fill(
      sums,
      el("p", null, `${locations[location].text}, ${spanText(year, month)}`),
      rows.length ? [bars, el("details", null, el("summary", null, "In numbers"), numbers)] : el("p", { class: "dim" }, "No rows."),
    );
  }

  function stacked(hours, most, names) {
    let at = 0;
    const parts = hours.map((number, of) => {
      if (!number) return null;
      const x = (at / most) * 100;
      const width = (number / most) * 100;
      at += number;
      const [, letter, , color] = facts.categories[of] || [null, "–", null, null];
      const bar = svg("rect", { class: color ? null : "none", fill: color, x: `${x}%`, width: `${width}%`, height: 24 });
      const ink = color ? inkOn(color) : "currentColor";
      const plate = width > 5 ? svg("text", { x: `${x + width / 2}%`, y: 16, "text-anchor": "middle", fill: ink }, width > 9 ? `${letter} ${number}` : letter) : null;
      return svg("g", null, bar, plate, svg("title", null, `${names[of]}: ${counted(number, "hour")}`));
    });
    const words = hours.map((number, of) => (number ? `${names[of]} ${number}` : null)).filter(Boolean).join(", ");
    return svg("svg", { width: "100%", height: 24, role: "img", "aria-label": `hours: ${words}` }, parts);
  }

  function drawSpells() {
    const [from, to] = daysOf(year, month);
    const here = [];
    for (let at = 0; at < spells.number; at += 1) {
      if (spells.start[at] / HOURS_A_DAY < to && (spells.start[at] + spells.hours[at]) / HOURS_A_DAY > from) here.push(at);
    }
    const longest = [...here].sort((one, other) => spells.open.has(other) - spells.open.has(one) || spells.hours[other] - spells.hours[one]).slice(0, LONGEST);
    const rows = longest.map((at) => {
      const [name, letter] = facts.categories[category(spells.peak[at])];
      const word = spells.because[at];
      return [locations[spells.at[at]].text, instant(spells.start[at]), `${count(spells.hours[at])}${spells.open.has(at) ? ", still open" : ""}`, count(spells.peak[at]), `${name} (${letter})`, word === NO_WORD ? "" : facts.spells.words[word]];
    });
    const heads = ["location", ["began (UTC)", "short"], ["hours", "number"], ["peak", "number"], "category of the peak", facts.because];
    const left = facts.spells.left_out ? el("p", { class: "dim" }, `${counted(facts.spells.left_out, `older ${facts.spell[0]}`, `older ${facts.spell[1]}`)} are left out.`) : null;
    const open = here.filter((at) => spells.open.has(at));
    const told = `${counted(here.length, facts.spell[0], facts.spell[1])} in ${spanText(year, month)}${here.length > LONGEST ? `; ${open.length ? "the open ones first, " : ""}the ${LONGEST} longest` : ""}`;
    const since = open.slice(0, LONGEST).map((at) => `${locations[spells.at[at]].text} since ${instant(spells.start[at])} UTC`);
    const more = open.length > LONGEST ? `; and ${count(open.length - LONGEST)} more` : "";
    const going = open.length ? el("p", null, el("strong", null, "Still open: "), `${since.join("; ")}${more}.`) : null;
    fill(list, going, el("p", null, `${told}${here.length ? ":" : "."}`), rows.length ? table(`The longest ${facts.spell[1]}`, heads, rows) : null, left);
  }

  function look(at) {
    const over = PATTERNS[at - Math.floor(facts.categories.length / 2)];
    return { fill: facts.categories[at][3], over: over ? [over] : [] };
  }

  return {
    show([key, when]) {
      const span = spanOf(when);
      const known = span && span.year >= first && span.year <= last;
      const row = locations.findIndex((one) => one.key === key);
      open(known ? span.year : year, known ? span.month : month, row < 0 ? location : row);
    },
  };
}

// Columns of numbers of facts.daily, see figures.py.
function figures(daily, locations, categories) {
  const values = new Uint16Array(bytes(daily.values));
  const hours = new Uint16Array(bytes(daily.hours));
  const parts = categories.length + 1;
  return {
    base: dayOf(daily.base),
    number: daily.days,
    values,
    because: new Uint8Array(bytes(daily.because)),
    months: daily.months,
    hoursOf(location, month) {
      const at = (location * daily.months.length + month) * parts;
      return [...hours.subarray(at, at + parts)];
    },
  };
}

// Columns of numbers of facts.spells; of: by location, which are there.
function spellsOf(spells) {
  const at = new Uint16Array(bytes(spells.at));
  const of = {};
  at.forEach((location, number) => (of[location] = of[location] || []).push(number));
  return {
    number: spells.count,
    at,
    of,
    start: new Uint32Array(bytes(spells.start)),
    hours: new Uint16Array(bytes(spells.hours)),
    peak: new Uint16Array(bytes(spells.peak)),
    because: new Uint8Array(bytes(spells.because)),
    open: new Set(spells.open || []),
  };
}

function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at += 1) found[at] = raw.charCodeAt(at);
  return found.buffer;
}

function instant(hours) {
  return new Date(hours * 3600000).toISOString().slice(0, 16).replace("T", " ");
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// Black or white, whichever stands out more from a colour like #ff7e00 (WCAG 2, relative luminance).
function inkOn(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const of = parseInt(color.slice(at, at + 2), 16) / 255;
    return of <= 0.04045 ? of / 12.92 : ((of + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? "#000000" : "#ffffff";
}
