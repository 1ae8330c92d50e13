// What is known of one asset, below the graph.
import { command, count, counted, el, state, table } from "./dom.js";
import { isDirect } from "./walk.js";

const SHOWN = 3;
const HOW = {
  IDENTITY: "as it is",
  TRANSFORMATION: "transformed",
  AGGREGATION: "aggregated",
  JOIN: "decides: join",
  GROUP_BY: "decides: group",
  FILTER: "decides: filter",
  SORT: "decides: order",
  WINDOW: "decides: window",
  CONDITIONAL: "decides: condition",
};

// asset: as asset_facts.py makes it, or {key, source: true, columns} of a source. column: the one that is chosen, or
// null. told: where it comes from and goes to (ofColumn in assets.js).
export function panel(asset, column, told, app) {
  const close = el("a", { class: "close", href: app.address("assets"), "aria-label": `Close ${asset.key}` }, "✕ close");
  const top = el("div", { class: "title" }, el("h2", { tabindex: "-1" }, asset.key), close);
  if (asset.source === true) {
    const links = asset.columns.map((name) => el("li", null, app.link(name, "assets", asset.key, name)));
    return [top, el("p", null, "A source. Columns of it that tables are made of:"), el("ul", { class: "names" }, links), column && lineage(asset, column, told, app)];
  }
  return [
    top,
    el("p", { class: "description" }, asset.description),
    standing(asset),
    column && lineage(asset, column, told, app),
    columns(asset, column, app),
    el("div", { class: "pair" }, el("div", null, contract(asset), checks(asset)), el("div", null, commands(asset, app), about(asset, app))),
    commits(asset),
    partitions(asset),
  ];
}

function standing(asset) {
  const states = Object.entries(asset.states).map(([name, number]) => state(name, `${count(number)} ${name}`));
  const { incomplete, given_up: givenUp, hours_withdrawn: withdrawn } = asset.lacking;
  const lacks = [
    incomplete ? state("incomplete", `${counted(incomplete, "partition")} incomplete`) : null,
    givenUp ? state("incomplete", `${counted(givenUp, "partition")} given up: lack values, and are not asked for again`) : null,
    withdrawn ? state("incomplete", `${counted(withdrawn, "hour")} withdrawn by the source, kept here`) : null,
  ];
  const reasons = asset.reasons.map(([name, why, many]) => el("li", null, state(name), `${counted(many, "partition")}: ${why}`));
  const more = asset.reasons_more ? el("li", null, `and ${asset.reasons_more} reasons more: `, el("code", null, `aqi status ${asset.key}`)) : null;
  return [
    el("p", null, states.length ? states : state("missing", "nothing yet"), lacks, el("span", { class: "dim" }, `${counted(asset.rows, "row")}${asset.version === null ? "" : `, version ${asset.version}`}`)),
    reasons.length ? el("ul", { class: "reasons" }, reasons, more) : null,
    asset.lag ? lag(asset.lag) : null,
  ];
}

function lag({ target, missed, locations, worst }) {
  const [location, hours, until] = worst[0];
  const behind = hours === null ? "never made" : `${count(hours)} hours behind, covers until ${until}`;
  const aim = target === null ? "no target" : missed ? `target ${target} hours, missed at ${count(missed)} of ${counted(locations, "location")}` : `target ${target} hours, kept`;
  return el("p", null, missed ? state("failed", "too late") : null, `Farthest behind: ${location}, ${behind}; ${aim}.`);
}

const KNOWN = {
  older: (asset) => `Where columns come from was recorded of older code than today's. The next step of this asset records it; so does: aqi materialize ${asset.key} --record-columns`,
  lacking: (asset) => `Where columns come from is not recorded yet. The next step of this asset records it; where all is fresh: aqi materialize ${asset.key} --record-columns`,
};

function columns(asset, chosen, app) {
  const rows = asset.columns.map(([name, type, nullable, unit, description, edges, unknown]) => [
    el("a", { href: app.address("assets", asset.key, name), "aria-current": name === chosen ? "true" : null }, name),
    type,
    nullable ? "may be null" : "never null",
    unit,
    description,
    asset.known === "lacking" ? el("span", { class: "dim" }, "not recorded") : made(edges, unknown, app),
  ]);
  return [
    el("h3", null, "Columns"),
    asset.known === "now" ? null : el("p", { class: "note" }, el("strong", null, asset.known === "older" ? "Of older code. " : "Not recorded. "), KNOWN[asset.known](asset)),
    table(`Columns of ${asset.key}`, ["column", ["type", "short"], ["null", "short"], ["unit", "short"], ["what it holds", "words"], ["made of", "words"]], rows),
    rowsFrom(asset, app),
  ];
}

function made(edges, unknown, app) {
  const direct = edges.filter(([, , kind]) => isDirect(kind));
  const shown = (direct.length ? direct : edges).slice(0, SHOWN);
  const links = shown.map(([of, column, kind], at) => [at ? ", " : "", app.link(`${of}.${column}`, "assets", of, column), el("span", { class: "dim" }, ` ${HOW[kind]}`)]);
  const rest = edges.length - shown.length;
  if (!edges.length && !unknown.length) return el("span", { class: "dim" }, "of no column: a constant, a count of rows");
  return [links, rest ? el("span", { class: "dim" }, ` and ${rest} more`) : null, unknown.length ? el("span", { class: "note" }, ` unknown: ${unknown.join(", ")}`) : null];
}

function rowsFrom(asset, app) {
  if (!asset.rows_from.length && !asset.unknown.length) return null;
  const by = new Map();
  for (const [of, column, kind] of asset.rows_from) {
    const id = `${of} ${kind}`;
    if (!by.has(id)) by.set(id, [of, kind, []]);
    by.get(id)[2].push(column);
  }
  const parts = [...by.values()].map(([of, kind, names]) => el("li", null, `${HOW[kind].replace("decides: ", "")} by `, names.map((name, at) => [at ? ", " : "", app.link(name, "assets", of, name)]), ` of ${of}`));
  return el("details", null, el("summary", null, "What decides which rows there are"), el("ul", null, parts, asset.unknown.length ? el("li", { class: "note" }, `unknown: ${asset.unknown.join(", ")}`) : null));
}

// Where a column comes from and goes to, by asset.
function lineage(asset, column, told, app) {
  const list = (title, found, none) => el("div", null, el("h4", null, title), found.size ? [...found].map(([of, kinds]) => el("div", { class: "of" }, el("strong", null, of), el("ul", null, [...kinds].map(([name, how]) => el("li", null, app.link(name, "assets", of, name), el("span", { class: "dim" }, ` ${[...how].map((kind) => HOW[kind]).join("; ")}`)))))) : el("p", { class: "dim" }, none));
  const unknown = asset.known === "lacking" ? "It is not recorded where it comes from." : told.lost.length ? "It could not be read where it comes from." : "From no column: a constant, a count of rows, or made of parameters.";
  return el("section", { class: "lineage", "aria-label": `Lineage of ${asset.key}.${column}` },
    el("h3", null, `${column}: ${told.words}`),
    el("div", { class: "pair" }, list("↑ comes from", told.above, unknown), list("↓ goes into", told.below, "No column of these tables is made of it.")),
    told.lost.map(([name, what]) => el("p", { class: "note" }, `Not all is known of where ${name} comes from: ${what.join(", ")}`)),
    told.open.length ? el("p", { class: "note" }, `It may go into what could not be read, too: ${told.open.slice(0, SHOWN).join(", ")}${told.open.length > SHOWN ? ` and ${told.open.length - SHOWN} more` : ""}`) : null);
}

function contract({ contract: of }) {
  return [
    el("h3", null, "Contract"),
    el("p", null, of.description),
    el("p", null, `Key: ${of.key.join(", ")}. `, el("span", { class: "dim" }, `${of.name}, `, el("code", null, of.digest))),
    of.rules.length ? table("Row rules", ["a row is turned away as", ["where", "words"]], of.rules) : null,
  ];
}

function checks(asset) {
  const rows = asset.checks.map((check) => [
    check.name,
    check.blocking ? "blocks" : "warns",
    check.violations ? state("failed", `${counted(check.violations, "violation")} in ${counted(check.partitions, "partition")}`) : state("fresh", "none"),
    check.violations && check.remedy ? check.remedy : check.says || check.remedy,
  ]);
  return [el("h3", null, "Checks"), el("p", { class: "dim" }, "Of the rows that are there. What blocks is never committed."), table("Checks", ["check", "kind", ["violations", "short"], ["says", "words"]], rows)];
}

function commands(asset, app) {
  return [el("h3", null, "Commands"), asset.commands.map(([what, text]) => [el("p", { class: "dim what" }, what), command(text, app)])];
}

function about(asset, app) {
  const upstream = asset.upstream.map(([key, mapping], at) => [at ? ", " : "", app.link(key, "assets", key), ` (${mapping})`]);
  const rows = [
    ["made of", upstream.length ? upstream : asset.source ? `fetched from ${asset.source}` : "parameters alone"],
    ["partitions", asset.partitioned ? asset.partitioned.join(" × ") : "none: one table"],
    ["tags", asset.tags.join(", ") || "none"],
    ["parameters", asset.parameters.join(", ") || "none"],
    ["code now", el("code", null, asset.code)],
  ];
  return [el("h3", null, "Declared"), el("dl", null, rows.map(([name, value]) => [el("dt", null, name), el("dd", null, value)]))];
}

function commits(asset) {
  if (!asset.commits.length) return null;
  const rows = asset.commits.map(([version, at, run, many, of, which]) => [version, at, el("code", null, run), count(many), count(of), which]);
  return [el("h3", null, "Last materializations"), table("Last materializations", [["version", "number"], ["at", "short"], "run", ["partitions", "number"], ["rows", "number"], ["which", "words"]], rows)];
}

function partitions(asset) {
  if (!asset.partitions.length) return null;
  const rows = asset.partitions.map((of) => [
    of.key,
    count(of.rows),
    el("code", null, of.fingerprint),
    el("code", null, of.code),
    [
      of.inputs.map(([key, consulted, more]) => el("div", null, `${key}: `, consulted.map(([one, fingerprint], at) => [at ? ", " : "", one === of.key ? "" : `${one} `, el("code", null, fingerprint)]), more ? ` and ${count(more)} more` : "")),
      of.answers.map(([asked, digest]) => el("div", null, `asked ${asked}: `, el("code", null, digest))),
    ],
  ]);
  return [el("h3", null, "What was made last, of what"), table("What was made last, of what", [["partition", "short"], ["rows", "number"], "fingerprint", "code", ["inputs' fingerprints", "short"]], rows)];
}
