// Throughput against threads: a small chart for each workload that ran at several numbers of threads.
import * as Plot from "@observablehq/plot";
import { described, legend, widthOf } from "./looks.js";
import { element, metricTitle, quantity } from "./words.js";

function seriesOf(view, choice) {
  const workloads = new Map();
  for (const cell of choice.cells) {
    const { workload, threads } = view.run.cells[cell];
    if (!workloads.has(workload)) workloads.set(workload, []);
    for (const name of choice.allocators) {
      const figure = view.figure("throughput", cell, name);
      if (figure?.median != null) workloads.get(workload).push({ name, threads, ...figure });
    }
  }
  return [...workloads].filter(([, points]) => new Set(points.map((point) => point.threads)).size > 1);
}

function chart(points, looks, width) {
  const threads = [...new Set(points.map((point) => point.threads))].sort((a, b) => a - b);
  const colour = (d) => looks.colour(d.name);
  return Plot.plot({
    width, height: 190, marginLeft: 58, marginRight: 14, marginBottom: 34, color: { type: "identity" }, symbol: { type: "identity" },
    x: { type: "log", base: 2, ticks: threads, tickFormat: String, label: "threads \u2192", inset: 8 },
    y: { zero: true, label: null, ticks: 4, tickFormat: (value) => quantity(value, "ops/s"), grid: true },
    marks: [
      Plot.areaY(points.filter((d) => d.low != null), { x: "threads", y1: "low", y2: "high", z: "name", fill: colour, fillOpacity: 0.13 }),
      Plot.line(points, { x: "threads", y: "median", z: "name", stroke: colour, strokeWidth: 1.8 }),
      Plot.dot(points, { x: "threads", y: "median", fill: colour, symbol: (d) => looks.symbol(d.name), r: 3.5, tip: true, title: (d) => `${d.name}, ${d.threads} threads\n${quantity(d.median, "ops/s")}` }),
    ],
  });
}

export function drawThreads(place, view, looks, choice) {
  const all = seriesOf(view, choice);
  if (all.length === 0) {
    place.replaceChildren(element("p", { class: "note" }, "No workload of this choice ran at more than one number of threads."));
    return;
  }
  const grid = element("div", { class: "multiples" });
  place.replaceChildren(legend(looks, choice.allocators), grid);
  for (const [workload, points] of all) {
    const cell = element("div", {}, element("h3", {}, workload));
    grid.append(cell);
    cell.append(described(chart(points, looks, widthOf(cell)), `${metricTitle("throughput")} of ${workload} against threads, by allocator`));
  }
}
