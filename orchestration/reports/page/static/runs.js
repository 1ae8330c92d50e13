// The page "Runs": numbers over time, a list of runs, the picture of one. See run_facts.py for facts.
import { chart } from "./chart.js";
import { choices, chooser } from "./calendar.js";
import { command, count, counted, el, fill, state, table } from "./dom.js";
import { gantt, seconds } from "./gantt.js";

const AT_FIRST = 25;
const LOOKS = { completed: "fresh", failed: "failed", interrupted: "stale", running: "missing" };

export function draw(root, facts, app) {
  if (!facts.runs.length) {
    fill(root, el("p", null, "No run is known: the warehouse has no journal, or no run yet."));
    return { show() {} };
  }
  const byId = new Map(facts.runs.map((run) => [run.id, run]));
  const list = el("div", { class: "runs" });
  const one = el("section", { class: "one", "aria-label": "One run" });
  const lags = el("div");
  const lagged = facts.lags.map(([asset]) => asset);
  const which = chooser("Lag of", [], "", drawLags);
  choices(which.select, lagged.map((asset) => [asset, asset]), lagged[lagged.length - 1] || "");
  fill(
    root,
    el("h2", null, "Over time"),
    el("p", { class: "dim" }, `${counted(facts.runs.length, "run")}, oldest to the left; a run that failed has a cross.`),
    facts.unread && el("p", null, state("failed", `The history of steps could not be read: ${facts.unread}`)),
    el("div", { class: "charts" }, overTime("Duration", (run) => run.seconds, seconds), overTime("Rows written", (run) => run.rows, count), overTime("Partitions that failed", (run) => run.failed, count), lags),
    el("h2", { id: "runs-one" }, "One run"),
    one,
    el("h2", null, "Runs"),
    list,
  );
  if (lagged.length) drawLags(which.select.value);
  drawList(AT_FIRST);

  function overTime(title, value, format) {
    const bars = [...facts.runs].reverse().map((run) => ({
      value: value(run),
      bad: run.state === "failed",
      text: `${when(run.started)} ${run.title}: ${value(run) === null ? "unknown" : format(value(run))}`,
      go: () => app.go("runs", run.id),
    }));
    const known = bars.filter((bar) => bar.value !== null);
    const last = known.length ? `; the last ${format(known[known.length - 1].value)}` : "";
    return chart(title, `${title} of ${counted(known.length, "run")}, in the order in which they began${last}. The numbers stand in the list of runs.`, bars, format);
  }

  function drawLags(asset) {
    const [, of] = facts.lags.find(([key]) => key === asset);
    const hours = new Map(of);
    const format = (value) => (value < 100 ? `${value.toFixed(1)} h` : `${Math.round(value / 24)} days`);
    const bars = facts.runs.map((run, at) => ({
      value: hours.has(at) ? hours.get(at) : null,
      bad: false,
      text: `${when(run.started)}: ${hours.has(at) ? format(hours.get(at)) : "unknown"}`,
      go: () => app.go("runs", run.id),
    }));
    const told = `Worst lag of ${asset} after each of ${counted(of.length, "run")}; the last ${format(of[0][1])}`;
    const picture = chart("Worst lag after a run", told, bars.reverse(), format);
    fill(lags, picture, which.element);
  }

  function drawList(most) {
    const rows = facts.runs.slice(0, most).map((run) => [
      app.link(when(run.started), "runs", run.id),
      run.title,
      outcome(run),
      run.seconds === null ? "" : seconds(run.seconds),
      run.rows === null ? "" : count(run.rows),
      partitions(run),
      problems(run),
    ]);
    const heads = [["began (UTC)", "short"], ["what", "words"], ["outcome", "short"], ["took", "number"], ["rows", "number"], "partitions", ["problems", "words"]];
    const rest = facts.runs.length - most;
    const button = rest > 0 ? el("button", { type: "button", on: { click: () => drawList(facts.runs.length) } }, `Show ${counted(rest, "run")} more`) : null;
    const older = facts.more ? el("p", { class: "dim" }, `${counted(facts.more, "older run")}: \`aqi runs\` tells them.`) : null;
    fill(list, table("Runs, the newest first", heads, rows), button, older);
  }

  function partitions(run) {
    const parts = [];
    if (run.written !== null) parts.push(`${count(run.written)} written`, `${count(run.unchanged)} unchanged`);
    else if (run.good) parts.push(`${count(run.good)} right`);
    if (run.failed) parts.push(`${count(run.failed)} failed`);
    if (run.skipped) parts.push(`${count(run.skipped)} skipped`);
    return parts.join(", ");
  }

  function problems(run) {
    const told = run.problems.map(([asset, what, some, , message]) =>
      el("li", null, state(what === "failed" ? "failed" : "stale", what), " ", el("code", null, asset), ` ${some}: ${message}`));
    return told.length ? [el("ul", { class: "problems" }, told), run.more ? `and ${count(run.more)} more` : null] : null;
  }

  function outcome(run) {
    return state(LOOKS[run.state] || "missing", run.state === "running" ? "running, or killed" : run.state);
  }

  function open(run) {
    const picture = facts.pictures[run.id];
    const took = run.seconds === null ? "" : `, ${seconds(run.seconds)}`;
    fill(
      one,
      el("h3", null, run.title),
      el("p", null, outcome(run), ` ${when(run.started)} UTC${took} · `, el("code", null, run.id)),
      el("p", null, [partitions(run), run.rows === null ? null : `${counted(run.rows, "row")}`].filter(Boolean).join(" · ")),
      problems(run),
      picture
        ? gantt(picture, facts.phases, `Where the time of ${run.title} went`, app)
        : el("p", { class: "dim" }, `Where its time went is not in this report: ${unpictured()}.`),
      command(`aqi runs ${run.id}`, app),
    );
  }

  function unpictured() {
    const several = Object.keys(facts.pictures).length;
    return several ? `it has the pictures of ${several === 1 ? "the newest run that was measured" : `the ${several} newest runs that were measured`}` : "no run was measured";
  }

  return {
    show([id]) {
      const run = byId.get(id);
      open(run || facts.runs.find((found) => facts.pictures[found.id]) || facts.runs[0]);
      if (run) document.getElementById("runs-one").scrollIntoView();
    },
  };
}

function when(text) {
  return text.slice(0, 16).replace("T", " ");
}
