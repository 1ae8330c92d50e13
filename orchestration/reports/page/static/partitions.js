// The page "Partitions": what is not as it should be, a calendar per asset, counts. See partition_facts.py for facts.
import { calendar, chooser, dayOf, daysOf, monthAtFirst, monthOf, spanChooser, spanOf, spanText, swatch, textOf, yearOf } from "./calendar.js";
import { command, count, counted, el, fill, quoted, state, table } from "./dom.js";

const AT_FIRST = 15;
const PATTERN = { stale: "p-slant", missing: "p-dots", failed: "p-cross", unrecorded: "p-upright", damaged: "p-level" };
// How a mark begins: the band that stands for it, and its word.
const BANDS = [
  ["given up", "low-given-up"],
  ["incomplete", "low-incomplete"],
  ["withdrawn", "low-withdrawn"],
  ["no longer configured", "top-gone"],
  ["without", "top-without"],
];

export function draw(root, facts, app) {
  const looks = facts.kinds.map(look);
  const base = dayOf(facts.base);
  const today = dayOf(facts.today);
  const rows = facts.rows.map((numbers) => runsOf(numbers, base));
  const reach = rows.filter((row) => row.length).map((row) => [row[0][0], row[row.length - 1][0] + row[row.length - 1][1] - 1]);
  const first = yearOf(Math.min(today, ...reach.map(([from]) => from)));
  const last = yearOf(Math.max(first === yearOf(today) ? today : -Infinity, ...reach.map(([, to]) => to), dayOf(`${first}-01-01`)));
  const locations = facts.locations.map(([key, name, configured]) => ({ key, name, text: name, dim: !configured }));
  let asset = facts.assets.find((one) => one.dated) || facts.assets[0];
  let year = last;
  let month = reach.length ? monthAtFirst(Math.min(...reach.map(([from]) => from)), Math.max(...reach.map(([, to]) => to))) : 0;

  const picture = calendar(
    {
      label: (of) => `Partitions of ${asset.key}, ${of}`,
      rows: locations,
      looks,
      runs: (row, from, to) => between(runs(row), from, to),
      told,
      pick: details,
      years: () => [first, last],
      turn: (_, day) => open(asset, yearOf(day), month && monthOf(day)),
      today,
    },
    app,
  );
  const assets = chooser("Asset", facts.assets.map((one) => [one.key, one.key]), "", (key) => app.go("partitions", key, spanText(year, month)));
  const spans = spanChooser(first, last, (of, some) => app.go("partitions", asset.key, spanText(of, some)));
  const legend = el("p", { class: "legend" });
  const more = el("div", { class: "details" });
  const alone = el("p", { class: "alone" });
  const box = el("div", null, picture.element);
  fill(
    root,
    el("h2", null, "What is not as it should be"),
    attention(),
    holes(),
    el("h2", { id: "partitions-calendar" }, "Calendar"),
    el("div", { class: "controls" }, assets.element, spans.element),
    facts.since && el("p", { class: "dim" }, `Days before ${facts.since} are left out here; they are counted below, and \`aqi status\` tells them.`),
    legend,
    alone,
    box,
    more,
    el("h2", null, "Counts"),
    counts(),
  );

  function runs(row) {
    const at = asset.at[row];
    return at === null || at === undefined ? [] : rows[at];
  }

  function open(one, of, some) {
    [asset, year, month] = [one, of, some];
    assets.select.value = asset.key;
    spans.put(year, month);
    spans.element.hidden = box.hidden = !asset.dated;
    fill(more);
    fill(alone);
    if (asset.dated) {
      picture.draw(year, month);
      shown(seen());
    } else {
      shown([]);
      const [kind] = asset.counts.length ? asset.counts[0] : [null];
      fill(alone, `${asset.key} has no days: it is one partition. `, kind === null ? "Nothing is known of it." : [said(kind), " ", why(kind)]);
    }
  }

  // The kinds that the days shown have, each with the number of its days.
  function seen() {
    const found = new Map();
    const [from, to] = daysOf(year, month);
    locations.forEach((_, row) => {
      for (const [start, days, kind] of between(runs(row), from, to)) {
        const number = asset.whole ? 1 : Math.min(start + days, to) - Math.max(start, from);
        found.set(kind, (found.get(kind) || 0) + number);
      }
    });
    return [...found];
  }

  function shown(found) {
    const states = new Map();
    const marks = new Map();
    for (const [kind, number] of found) {
      const [name] = facts.kinds[kind];
      states.set(name, (states.get(name) || 0) + number);
      for (const [word, band] of bands(kind)) marks.set(word, { band, number: number + (marks.get(word) || { number: 0 }).number });
    }
    const key = (look, text) => el("span", { class: "key" }, swatch(look), ` ${text}`);
    fill(
      legend,
      [...states].map(([name, number]) => key(plain(name), `${name} ${count(number)}`)),
      [...marks].map(([word, { band, number }]) => key({ fill: "nothing", over: [band] }, `${word} ${count(number)}`)),
      asset.dated && key({ fill: "nothing" }, "no partition"),
    );
  }

  function at(row, day) {
    return runs(row).find(([start, days]) => day >= start && day < start + days);
  }

  function told(row, day) {
    const location = locations[row];
    const run = at(row, day);
    const called = run && asset.whole ? run[0] : day;
    const lines = [`${textOf(called)}/${location.key}${location.name === location.key ? "" : ` (${location.name})`}`];
    if (!run) return [...lines, "no partition"];
    return [...lines, facts.kinds[run[2]][0], ...reasons(run[2])];
  }

  function details(row, day) {
    const run = at(row, day);
    const location = locations[row];
    const called = textOf(run && asset.whole ? run[0] : day);
    const where = `--partitions ${called} --locations ${quoted(location.key)}`;
    const name = run ? facts.kinds[run[2]][0] : "missing";
    const parts = [el("h3", null, `${asset.key} ${called}/${location.key}`)];
    parts.push(el("p", null, run ? [said(run[2]), " ", why(run[2])] : "There is no partition."));
    if (run && name !== "missing") parts.push(command(`aqi show ${asset.key} ${where}`, app));
    const named = run && reasons(run[2]).join(" ").match(/`(aqi repair [^`]+)`/);
    if ((name === "damaged" || name === "unrecorded") && named) parts.push(command(named[1], app));
    else if (!location.dim && name === "unrecorded") parts.push(command(`aqi repair ${asset.key} --partitions ${called}`, app));
    else if (!location.dim && name !== "fresh" && name !== "damaged") parts.push(command(`aqi materialize '+${asset.key}' ${where}`, app));
    parts.push(app.has("assets") && el("p", null, app.link(`What ${asset.key} is`, "assets", asset.key)));
    fill(more, parts);
    app.say(told(row, day).join(", "));
  }

  function said(kind) {
    return state(facts.kinds[kind][0]);
  }

  function why(kind) {
    return reasons(kind).join("; ");
  }

  // Once each: the reason can be a mark.
  function reasons(kind) {
    const [name, reason, marks] = facts.kinds[kind];
    return [...new Set([reason, ...marks])].filter((text) => text && text !== name);
  }

  function bands(kind) {
    return facts.kinds[kind][2].map((mark) => BANDS.find(([begins]) => mark.startsWith(begins)) || ["marked", "top-without"]);
  }

  // The look of a state without marks.
  function plain(name) {
    return { fill: `of-${name}`, over: PATTERN[name] ? [PATTERN[name]] : [] };
  }

  function look([name], kind) {
    const { fill: ground, over } = plain(name);
    return { fill: ground, over: [...over, ...bands(kind).map(([, band]) => band)] };
  }

  function attention() {
    if (!facts.told.length) return el("p", null, state("fresh", "All partitions are fresh, and none has a mark."));
    const lines = facts.told.map(([number, kind, partitions, from, to, where, several, alike]) => {
      const one = facts.assets[number];
      const days = from === null ? "" : from === to ? from : `${from} … ${to}`;
      const location = where === null ? "" : several === 1 ? facts.locations[where][1] : `${several} locations`;
      const path = from === null ? [one.key] : [one.key, to, facts.locations[where][0]];
      return [said(kind), app.link(one.key, "partitions", ...path), `${why(kind)}${alike ? ` (and ${alike} more like it)` : ""}`, count(partitions), days, location];
    });
    const heads = ["state", "asset", ["why", "words"], ["partitions", "number"], ["days", "short"], ["where", "short"]];
    const list = el("div");
    const some = (most) => {
      const left = lines.length - most;
      const button = left > 0 && el("button", { type: "button", on: { click: () => some(lines.length) } }, `Show ${counted(left, "line")} more`);
      const rest = left <= 0 && facts.more ? el("p", { class: "dim" }, `${counted(facts.more, "line")} more: \`aqi status\` tells them.`) : null;
      fill(list, table("What is not as it should be", heads, lines.slice(0, most)), button, rest);
    };
    some(AT_FIRST);
    return list;
  }

  // What no table has: wanted, or between days that are there; and the commands that make it.
  function holes() {
    if (!facts.holes || !facts.holes.length) return null;
    const lines = facts.holes.map((one) => [
      app.link(one.asset, "partitions", one.asset),
      one.location,
      one.since || "not declared",
      one.missing ? one.missing_days : "",
      one.hole_days,
    ]);
    const heads = ["asset", ["where", "short"], ["wanted since", "short"], ["wanted and missing", "words"], ["holes", "words"]];
    const told = facts.fill.map((line) => (line.startsWith("  aqi ") ? command(line.trim(), app) : el("p", null, line.trim())));
    return el("div", null, el("h2", null, "Days that are not there"), table("Days that are not there", heads, lines), told);
  }

  // What the calendar shows, in numbers: a row per asset.
  function counts() {
    const known = [...new Set([...app.head.states, ...facts.kinds.map(([name]) => name)])];
    const states = known.filter((name) => facts.assets.some((one) => one.counts.some(([kind]) => facts.kinds[kind][0] === name)));
    const sum = (one, wanted, at = 1) => one.counts.filter(([kind]) => wanted(facts.kinds[kind])).reduce((all, of) => all + (of[at] || 0), 0);
    const lines = facts.assets.map((one) => [
      app.link(one.key, "partitions", one.key),
      ...states.map((name) => count(sum(one, ([of]) => of === name))),
      ...BANDS.filter(marked).map(([begins]) => count(sum(one, ([, , marks]) => marks.some((mark) => mark.startsWith(begins))))),
      count(sum(one, () => true, 2)),
    ]);
    const heads = ["asset", ...states.map((name) => [state(name), "number"]), ...BANDS.filter(marked).map(([begins]) => [begins, "number"]), ["rows", "number"]];
    return table("Partitions by asset, state and mark", heads, lines);
  }

  function marked([begins]) {
    return facts.kinds.some(([, , marks]) => marks.some((mark) => mark.startsWith(begins)));
  }

  return {
    show([key, when, where]) {
      const one = facts.assets.find((found) => found.key === key) || asset;
      const span = spanOf(when);
      const known = span && (span.year >= first && span.year <= last);
      open(one, known ? span.year : year, known ? span.month : month);
      const day = known ? span.day : null;
      const row = locations.findIndex((location) => location.key === where);
      if (day === null || row < 0 || !asset.dated) return;
      picture.put(row, day, true);
      details(row, day);
      document.getElementById("partitions-calendar").scrollIntoView();
    },
  };
}

// [[first day, days, kind]] of a flat list of (days before, days, kind).
function runsOf(numbers, base) {
  const found = [];
  let at = base;
  for (let number = 0; number < numbers.length; number += 3) {
    at += numbers[number];
    found.push([at, numbers[number + 1], numbers[number + 2]]);
    at += numbers[number + 1];
  }
  return found;
}

// Those of sorted runs that have days from one on and before another.
function between(runs, from, to) {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle][0] + runs[middle][1] <= from) low = middle + 1;
    else high = middle;
  }
  const found = [];
  for (; low < runs.length && runs[low][0] < to; low += 1) found.push(runs[low]);
  return found;
}
