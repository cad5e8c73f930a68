// Puts the page together: the words first, then the choices, then the charts, which are drawn when they come near the screen.
import { controls, select } from "./controls.js";
import { RunView, readData } from "./data.js";
import { copy, download, samplesCsv } from "./files.js";
import { drawForest, kForestFirst } from "./forest.js";
import { drawHeat } from "./heat.js";
import { drawHost } from "./host.js";
import { drawLatency, latencyChoice } from "./latency.js";
import { Looks } from "./looks.js";
import { drawMeans } from "./means.js";
import { drawMemory, kMemoryFirst, memoryCells } from "./memory.js";
import { drawPareto } from "./pareto.js";
import { drawPrice } from "./price.js";
import { State } from "./state.js";
import { drawTable, tableMarkdown } from "./table.js";
import { drawThreads } from "./threads.js";
import { element } from "./words.js";

// Which choices redraw a section: all but those of other sections' own.
const kOwn = { price: ["price"], table: ["sort", "filter", "verdict"], forest: ["order", "all"], memory: ["all"], latency: ["cell", "call"] };

const kSections = [
  { id: "means", title: "By kind of work", draw: drawMeans },
  { id: "pareto", title: "Throughput against memory", draw: drawPareto },
  { id: "price", title: "By the price of memory", draw: drawPrice },
  { id: "forest", title: "Cell by cell", draw: drawForest },
  { id: "heat", title: "All cells at a glance", draw: drawHeat },
  { id: "threads", title: "Throughput against threads", draw: drawThreads },
  { id: "memory", title: "Memory over time", draw: drawMemory },
  { id: "latency", title: "Times of calls", draw: drawLatency },
  { id: "table", title: "All figures", draw: drawTable },
  { id: "host", title: "Warnings, host and versions", draw: drawHost },
];

// The answer for a kind of work in a sentence; what is behind it unfolds.
function verdictElement({ kind, sentences }, place) {
  const first = sentences[0].replace(`${kind}: `, "");
  return element("details", { class: "verdicts", open: place === 0 }, element("summary", {}, element("strong", {}, `${kind[0].toUpperCase()}${kind.slice(1)}: `), first), element("ul", {}, ...sentences.slice(1).map((sentence) => element("li", {}, sentence))));
}

// A run that timed calls measured no throughput; one that counted has one figure only.
const firstMetric = (run) => (["throughput", "malloc_p99"].map((name) => run.metrics.find((each) => each.name === name)).find(Boolean) ?? run.metrics[0]).name;

class Page {
  constructor(data) {
    this.data = data;
    this.state = new State((key) => this.update(key));
    this.root = document.getElementById("page");
    this.header = element("header");
    this.controls = element("form", { class: "controls", "aria-label": "What is shown", onsubmit: (event) => event.preventDefault() });
    this.sections = kSections.map((section) => ({ ...section, place: element("div", { class: "drawn" }), stale: true, near: false }));
    this.root.replaceChildren(this.header, this.controls, ...this.sections.map((section) => this.sectionElement(section)));
    this.watcher = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: "600px" });
    this.sections.forEach(({ place }) => this.watcher.observe(place));
    addEventListener("beforeprint", () => this.sections.forEach((section) => this.draw(section)));
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width) this.update(null);
      width = innerWidth;
    });
    document.querySelector("[data-skip]").addEventListener("click", (event) => {
      event.preventDefault();
      const table = document.getElementById("table");
      table.scrollIntoView();
      table.querySelector("h2").focus();
    });
    this.update(null);
  }

  sectionElement(section) {
    const tools = element("div", { class: "tools" });
    section.tools = tools;
    return element("section", { id: section.id, "aria-labelledby": `title-${section.id}` }, element("h2", { id: `title-${section.id}`, tabindex: "-1" }, section.title), tools, section.place);
  }

  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const section = this.sections.find(({ place }) => place === target);
      section.near = isIntersecting;
      if (isIntersecting) this.draw(section);
    }
  }

  draw(section) {
    if (!section.stale) return;
    section.stale = false;
    section.draw(section.place, this.view, this.looks, this.choice, this.state);
  }

  // What is chosen now, with everything that a chart may ask of it.
  readChoice() {
    const { state } = this;
    const run = this.data.runs[Number(state.get("run"))] ?? this.data.runs[0];
    if (run !== this.view?.run) this.looks = new Looks(run);
    this.view = new RunView(run, state.get("base"));
    const known = (list, all) => (list.some((each) => all.includes(each)) ? list.filter((each) => all.includes(each)) : all);
    const kinds = new Set(known(state.list("kinds"), this.view.kinds()));
    const meanKinds = [...new Set(this.view.view.means.map((mean) => mean.kind))].filter((kind) => kind === "" || kinds.has(kind));
    this.choice = {
      metric: this.view.metric(state.get("metric")) ? state.get("metric") : firstMetric(run),
      kinds, meanKinds, cells: this.view.cells(kinds), allocators: known(state.list("allocators"), this.looks.names),
      order: state.get("order"), all: state.get("all") === "1", sort: state.get("sort"), filter: state.get("filter"), verdict: state.get("verdict"),
      cell: state.get("cell"), call: state.get("call"),
      band: run.aa_band ?? null, price: Number(state.get("price")) || (run.environment.memory_per_cpu_bytes ?? 2 ** 32) / 2 ** 30,
    };
  }

  // `key`: the one choice that changed, or null for all.
  update(key) {
    this.readChoice();
    this.placeLatency();
    const own = Object.entries(kOwn).filter(([, keys]) => key !== null && keys.includes(key)).map(([id]) => id);
    for (const section of this.sections) section.stale ||= own.length === 0 || own.includes(section.id);
    if (own.length === 0) this.drawHead();
    this.drawTools(key);
    for (const section of this.sections) if (section.near) this.draw(section);
  }

  // Of a run that timed calls and measured nothing else, they come first.
  placeLatency() {
    const [section, first, after] = ["latency", "means", "table"].map((id) => document.getElementById(id));
    const next = this.view.metric("throughput") ? after : first;
    if (section.nextElementSibling !== next) next.before(section);
  }

  drawHead() {
    const { run, view, baseline } = this.view;
    const { environment } = run;
    document.title = `bench report: ${run.name}`;
    const origin = [environment.cpu?.model, environment.cpu?.count && `${environment.cpu.count} CPUs`, environment.kernel, String(environment.date ?? "").slice(0, 10)].filter(Boolean).join(" \u00b7 ");
    this.header.replaceChildren(
      element("h1", {}, `bench: ${run.suite ? `suite ${run.suite}` : run.name}`),
      element("p", { class: "note" }, `${run.name} \u00b7 ${run.cells.length} cells \u00b7 ${run.blocks} blocks \u00b7 baseline ${baseline} \u00b7 ${origin}`),
      ...(run.cut_off ? [element("p", { class: "alert" }, "This run was cut off: cells may be missing.")] : []),
      ...(run.failures.length ? [element("p", { class: "alert" }, `${run.failures.length} cells failed; they are listed at the end.`)] : []),
      ...(view.verdicts.length ? view.verdicts.map(verdictElement) : [element("p", { class: "note" }, "There is nothing to compare on a front: fewer than two allocators have both throughput and memory.")]),
    );
    const focus = document.activeElement;
    const again = focus && this.controls.contains(focus) ? focus.id ? `#${focus.id}` : `[data-choice="${focus.dataset.choice}"][value="${CSS.escape(focus.value)}"]` : null;
    this.controls.replaceChildren(...controls(this.state, this.data, this.view, this.looks, this.choice));
    if (again) this.controls.querySelector(again)?.focus();
  }

  drawTools(key) {
    const tools = Object.fromEntries(this.sections.map((section) => [section.id, section.tools]));
    const more = (id, count, first) => {
      const text = this.choice.all ? "Show the first only" : `Show all ${count}`;
      tools[id].replaceChildren(...(count > first ? [element("button", { type: "button", "data-more": id, onclick: () => { this.state.set("all", this.choice.all ? "" : "1"); document.querySelector(`[data-more=${id}]`)?.focus(); } }, text)] : []));
    };
    more("forest", this.choice.cells.length, kForestFirst);
    more("memory", memoryCells(this.view, this.choice).length, kMemoryFirst);
    this.drawLatencyTools(tools.latency);
    if (!["sort", "filter", "verdict"].includes(key)) this.drawTableTools(tools.table);
  }

  drawLatencyTools(place) {
    const chosen = latencyChoice(this.view, this.choice);
    const focus = place.contains(document.activeElement) ? document.activeElement.id : null;
    const parts = chosen ? [select(this.state, "cell", "cell", chosen.cells.map((name) => [name, name]), chosen.cell), select(this.state, "call", "call", chosen.calls.map((name) => [name, name]), chosen.call)] : [];
    place.replaceChildren(...parts);
    if (focus) document.getElementById(focus)?.focus();
  }

  drawTableTools(place) {
    const { state } = this;
    const verdicts = new Set();
    for (const cell of this.choice.cells) for (const name of this.choice.allocators) verdicts.add(this.view.ratio(this.choice.metric, cell, name)?.verdict);
    verdicts.delete(undefined);
    const search = element("input", { type: "search", id: "filter", value: this.choice.filter, placeholder: "larson osmem", oninput: (event) => state.set("filter", event.target.value) });
    const choose = element("select", { id: "verdict", onchange: (event) => state.set("verdict", event.target.value) }, element("option", { value: "" }, "any"), ...[...verdicts].sort().map((word) => element("option", { value: word, selected: word === this.choice.verdict }, word)));
    const status = element("span", { class: "note", role: "status" });
    const spill = element("div", { style: "flex-basis:100%" });
    const { run } = this.view;
    place.replaceChildren(
      element("div", {}, element("label", { for: "filter" }, "rows with all of these words"), search),
      element("div", {}, element("label", { for: "verdict" }, "verdict"), choose),
      element("button", { type: "button", id: "copy", onclick: () => copy(tableMarkdown(this.view, this.choice), spill, status) }, "Copy as Markdown"),
      element("button", { type: "button", id: "download", onclick: () => download(`${run.name}-samples.csv`, samplesCsv(run), "text/csv") }, "Download raw samples (CSV)"),
      status, spill,
    );
  }
}

async function start() {
  let data;
  try {
    data = await readData();
  } catch (error) {
    document.getElementById("waiting").textContent = `The data in this file cannot be read: ${error.message}. Write it again with bench report.`;
    return;
  }
  new Page(data);
}

start();
