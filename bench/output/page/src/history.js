// The page of `bench report --history`: each metric over the runs, a chart a kind's mean and a chart a cell, with the places where it
// changed; those as a table, too; which runs there are, and which folders are left out.
import * as Plot from "@observablehq/plot";
import { readData } from "./data.js";
import { Looks, described, legend, ratioDomain, ratioTicks, tickText, widthOf } from "./looks.js";
import { State } from "./state.js";
import { element, metricTitle, plural, ratioText } from "./words.js";

const kHeight = 210;
const kFirstCells = 12; // charts of cells shown before "show all"

const titleOf = ({ kind, suite, workload, threads }) => (workload == null ? `${kind}: mean, ${suite ? `suite ${suite}` : "no suite"}` : threads === 1 ? workload : `${workload}, ${threads} threads`);
const dayOf = (run) => run.date.slice(0, 10);
const commitOf = (run) => (run.commit ? `${run.commit.slice(0, 8)}${run.dirty ? " with changes" : ""}` : "unknown commit");

// Two runs can be compared where the host and the baseline are alike: a line is drawn between them.
const likeness = (run) => `${run.host}|${run.baseline}`;

function grouped(series) {
  const groups = new Map();
  for (const each of series) {
    const title = titleOf(each);
    if (!groups.has(title)) groups.set(title, []);
    groups.get(title).push(each);
  }
  return [...groups];
}

function chart(runs, list, looks, width) {
  const points = list.flatMap(({ allocator, points: all }) => all.map(([run, ratio, low, high]) => ({ allocator, run, ratio, low, high, line: `${allocator}|${likeness(runs[run])}` })));
  const changes = list.flatMap(({ allocator, changes: all }) => all.map(([run, ratio]) => ({ allocator, run, ratio })));
  const domain = ratioDomain(points.flatMap((d) => [d.ratio, d.low ?? d.ratio, d.high ?? d.ratio]));
  const within = (value) => Math.min(Math.max(value, domain[0]), domain[1]);
  const places = [...new Set(points.map((d) => d.run))].sort((a, b) => a - b);
  const labelled = places.filter((_, i) => places.length <= 4 || i === 0 || i === places.length - 1 || i === Math.floor(places.length / 2));
  const colour = (d) => looks.colour(d.allocator);
  const title = (d) => `${d.allocator}: ${ratioText(d.ratio)}${d.low == null ? "" : ` (${ratioText(d.low)} to ${ratioText(d.high)})`}\n${runs[d.run].name}\n${commitOf(runs[d.run])}`;
  return Plot.plot({
    width, height: kHeight, marginLeft: 44, marginRight: 30, marginTop: 14, marginBottom: 42, color: { type: "identity" }, symbol: { type: "identity" },
    x: { type: "point", domain: places, label: null, tickSize: 0, ticks: labelled, tickFormat: (run) => (labelled.includes(run) ? `${runs[run].commit.slice(0, 7)}\n${dayOf(runs[run]).slice(5)}` : "") },
    y: { type: "log", domain, ticks: ratioTicks(domain, kHeight - 56, 28), tickFormat: tickText, grid: true, label: null },
    marks: [
      Plot.ruleY([1], { stroke: "var(--ink)" }),
      Plot.ruleX(changes, { x: "run", stroke: colour, strokeDasharray: "3 3", strokeWidth: 1.5 }),
      Plot.text(changes, { x: "run", text: (d) => (d.ratio > 1 ? "\u25b2" : "\u25bc"), fill: colour, frameAnchor: "top", dy: -12, fontSize: 11 }),
      Plot.ruleX(points.filter((d) => d.low != null), { x: "run", y1: (d) => within(d.low), y2: (d) => within(d.high), stroke: colour, strokeOpacity: 0.55 }),
      Plot.line(points, { x: "run", y: (d) => within(d.ratio), z: "line", stroke: colour, strokeWidth: 1.6 }),
      Plot.dot(points, { x: "run", y: (d) => within(d.ratio), r: 3.5, fill: colour, symbol: (d) => looks.symbol(d.allocator), tip: true, title }),
    ],
  });
}

function drawCharts(place, runs, groups, looks, metric) {
  const grid = element("div", { class: "multiples" });
  place.append(grid);
  for (const [title, list] of groups) {
    const cell = element("div", {}, element("h3", {}, title));
    grid.append(cell);
    const changes = list.reduce((sum, each) => sum + each.changes.length, 0);
    cell.append(described(chart(runs, list, looks, widthOf(cell)), `${metricTitle(metric)} of ${title} relative to the baseline over ${plural(runs.length, "run")}, ${plural(changes, "change point")}`));
  }
}

function table(titles, rows, label) {
  const head = titles.map((title) => element("th", { class: "text", scope: "col" }, title));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((text) => element("td", { class: "text" }, text)))))));
}

class HistoryPage {
  constructor(data) {
    this.data = data;
    const allocators = [...new Set(data.series.map((each) => each.allocator))];
    this.looks = new Looks({ views: [{ baseline: data.runs[0].baseline }], allocators });
    this.names = this.looks.names.filter((name) => allocators.includes(name));
    this.state = new State(() => this.draw());
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width) this.draw();
      width = innerWidth;
    });
    const place = (id, title) => {
      const drawn = element("div", { class: "drawn" });
      return [element("section", { id, "aria-labelledby": `title-${id}` }, element("h2", { id: `title-${id}`, tabindex: "-1" }, title), drawn), drawn];
    };
    const made = { kinds: place("kinds", "By kind of work"), cells: place("cells", "Cell by cell"), table: place("table", "Change points"), runs: place("runs", "Runs") };
    this.places = Object.fromEntries(Object.entries(made).map(([id, [, drawn]]) => [id, drawn]));
    this.controls = element("form", { class: "controls", "aria-label": "What is shown", onsubmit: (event) => event.preventDefault() });
    document.getElementById("page").replaceChildren(this.header(), this.controls, ...Object.values(made).map(([section]) => section));
    document.querySelector("[data-skip]").addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById("table").scrollIntoView();
      document.getElementById("title-table").focus();
    });
    this.drawRuns();
    this.draw();
  }

  header() {
    const { runs, left_out: leftOut } = this.data;
    return element("header", {}, element("h1", {}, "bench: history"),
      element("p", { class: "note" }, `${plural(runs.length, "run")}, ${dayOf(runs[0])} to ${dayOf(runs.at(-1))}. Figures are ratios to the baseline of each run. Lines join runs of one host, and change points (\u25b2 up, \u25bc down) are looked for among such alone; the chance of any false one in a metric is at most 5 %, as far as the scatter of blocks and the A/A spread of the host tell.`),
      ...(leftOut.length ? [element("p", { class: "alert" }, `${plural(leftOut.length, "folder")} left out, as listed at the end.`)] : []));
  }

  // What the address asks for, where it is there.
  choice() {
    const names = this.data.metrics.map(({ name }) => name);
    const asked = this.state.list("allocators").filter((name) => this.names.includes(name));
    return { metric: names.includes(this.state.get("metric")) ? this.state.get("metric") : names[0], allocators: asked.length ? asked : this.names, filter: this.state.get("filter"), all: this.state.get("all") === "1" };
  }

  drawControls({ metric, allocators, filter }) {
    if (this.controls.childElementCount > 0) return;
    const select = element("select", { id: "choose-metric", onchange: (event) => this.state.set("metric", event.target.value) }, ...this.data.metrics.map(({ name }) => element("option", { value: name, selected: name === metric }, metricTitle(name))));
    const search = element("input", { type: "search", id: "filter", value: filter, placeholder: "larson", oninput: (event) => this.state.set("filter", event.target.value) });
    const boxes = element("fieldset", {}, element("legend", {}, "allocators"));
    for (const name of this.names) {
      const box = element("input", { type: "checkbox", value: name, checked: allocators.includes(name), "data-choice": "allocators" });
      box.addEventListener("change", () => {
        const now = [...boxes.querySelectorAll("input:checked")].map((each) => each.value);
        if (now.length === 0) box.checked = true;
        else this.state.set("allocators", now.length === this.names.length ? "" : now.join("|"));
      });
      boxes.append(element("label", {}, box, this.looks.swatch(name), name));
    }
    this.controls.replaceChildren(element("div", {}, element("label", { for: "choose-metric" }, "metric"), select), element("div", {}, element("label", { for: "filter" }, "cells named"), search), boxes);
  }

  draw() {
    const choice = this.choice();
    this.drawControls(choice);
    const { runs, series } = this.data;
    const chosen = series.filter((each) => each.metric === choice.metric && choice.allocators.includes(each.allocator));
    const better = this.data.metrics.find(({ name }) => name === choice.metric).better;
    const note = `${metricTitle(choice.metric)} relative to the baseline${better ? `; ${better} is better` : ""}. Vertical lines: 95 % intervals of a run.`;
    this.places.kinds.replaceChildren(element("p", { class: "note" }, note), legend(this.looks, choice.allocators));
    drawCharts(this.places.kinds, runs, grouped(chosen.filter((each) => each.workload == null)), this.looks, choice.metric);
    this.drawCells(chosen.filter((each) => each.workload != null && choice.filter.split(" ").every((word) => titleOf(each).includes(word))), choice);
    this.drawChanges(chosen);
  }

  // Those with change points first.
  drawCells(cells, { metric, all }) {
    const groups = grouped(cells);
    const changed = ([, list]) => list.some((each) => each.changes.length > 0);
    const ordered = [...groups.filter(changed), ...groups.filter((group) => !changed(group))];
    const shown = all ? ordered : ordered.slice(0, kFirstCells);
    const more = element("button", { type: "button", "data-more": "cells", onclick: () => this.state.set("all", all ? "" : "1") }, all ? "Show the first only" : `Show all ${ordered.length}`);
    this.places.cells.replaceChildren(element("p", { class: "note" }, `${plural(shown.length, "cell")} of ${ordered.length}; those with change points come first.`), ...(ordered.length > kFirstCells ? [more] : []));
    drawCharts(this.places.cells, this.data.runs, shown, this.looks, metric);
  }

  drawChanges(chosen) {
    const all = chosen.flatMap((each) => each.changes.map(([run, ratio, low, high]) => ({ each, run: this.data.runs[run], ratio, low, high })));
    all.sort((a, b) => Math.abs(Math.log(b.ratio)) - Math.abs(Math.log(a.ratio)));
    const rows = all.map(({ each, run, ratio, low, high }) => [titleOf(each), each.allocator, `${ratio > 1 ? "\u25b2" : "\u25bc"} ${ratio.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`, commitOf(run), run.name]);
    this.places.table.replaceChildren(rows.length ? table(["of", "allocator", "after over before (95 %)", "first commit after", "run"], rows, "Change points") : element("p", { class: "note" }, "No change is shown in this metric."));
  }

  drawRuns() {
    const { runs, left_out: leftOut } = this.data;
    const rows = runs.map((run) => [run.name, run.date.slice(0, 10), commitOf(run), run.suite, String(run.blocks), run.baseline, run.host, run.aa_spread ? `${(100 * run.aa_spread).toFixed(1)} %` : "unknown"]);
    this.places.runs.replaceChildren(table(["run", "date", "commit", "suite", "blocks", "baseline", "host", "A/A spread"], rows, "Runs"),
      ...(leftOut.length ? [element("h3", {}, "Left out"), element("ul", { id: "left-out" }, ...leftOut.map(([name, why]) => element("li", {}, element("strong", {}, name), `: ${why}`)))] : []));
  }
}

async function start() {
  let data;
  try {
    data = await readData();
  } catch (error) {
    document.getElementById("waiting").textContent = `The data in this file cannot be read: ${error.message}. Write it again with bench report --history.`;
    return;
  }
  new HistoryPage(data);
}

start();
