// Throughput against memory: one point an allocator, geometric means of ratios to the baseline, with their intervals.
import * as Plot from "@observablehq/plot";
import { described, ratioTicks, tickText, widthOf } from "./looks.js";
import { element, intervalText, ratioText } from "./words.js";

export const kMemory = ["mean_rss", "peak_rss"];

// Means of one kind that have both figures.
function points(view, kind, memory, allocators) {
  const of = (metric, name) => view.view.means.find((mean) => mean.metric === metric && mean.kind === kind && mean.allocator === name && mean.ratio != null);
  return allocators
    .map((name) => ({ name, fast: of("throughput", name), lean: of(memory, name) }))
    .filter((point) => point.fast && point.lean);
}

// No other is better in both by the means; whether that is shown stands in the sentences above.
function onFront(point, all) {
  return !all.some((other) => other !== point && other.fast.ratio >= point.fast.ratio && other.lean.ratio <= point.lean.ratio &&
    (other.fast.ratio > point.fast.ratio || other.lean.ratio < point.lean.ratio));
}

function domain(values) {
  const low = Math.min(...values, 0.98);
  const high = Math.max(...values, 1.02);
  const margin = Math.exp(0.12 * Math.log(high / low));
  return [low / margin, high * margin];
}

function chart(all, looks, width, memoryName) {
  const x = domain(all.flatMap(({ fast }) => [fast.low ?? fast.ratio, fast.high ?? fast.ratio]));
  const y = domain(all.flatMap(({ lean }) => [lean.low ?? lean.ratio, lean.high ?? lean.ratio]));
  const height = Math.min(340, Math.round(width * 0.85));
  const front = all.filter((point) => onFront(point, all)).sort((a, b) => a.fast.ratio - b.fast.ratio);
  return Plot.plot({
    width, height, marginLeft: 46, marginRight: 20, marginBottom: 42,
    x: { type: "log", domain: x, ticks: ratioTicks(x, width - 66), tickFormat: tickText, label: "throughput (right is faster) \u2192", labelAnchor: "right" },
    y: { type: "log", domain: y, ticks: ratioTicks(y, height - 62, 26), tickFormat: tickText, label: `${memoryName} (down is leaner)`, labelArrow: "down" },
    marks: [
      Plot.ruleX([1], { stroke: "var(--line)" }),
      Plot.ruleY([1], { stroke: "var(--line)" }),
      Plot.line(front, { x: (d) => d.fast.ratio, y: (d) => d.lean.ratio, stroke: "var(--faint)", strokeDasharray: "3 4" }),
      Plot.link(all.filter((d) => d.fast.low != null), { x1: (d) => d.fast.low, x2: (d) => d.fast.high, y1: (d) => d.lean.ratio, y2: (d) => d.lean.ratio, stroke: (d) => looks.colour(d.name), strokeWidth: 1.5 }),
      Plot.link(all.filter((d) => d.lean.low != null), { x1: (d) => d.fast.ratio, x2: (d) => d.fast.ratio, y1: (d) => d.lean.low, y2: (d) => d.lean.high, stroke: (d) => looks.colour(d.name), strokeWidth: 1.5 }),
      Plot.dot(all, {
        x: (d) => d.fast.ratio, y: (d) => d.lean.ratio, r: 6, fill: (d) => looks.colour(d.name), symbol: (d) => looks.symbol(d.name),
        title: (d) => `${d.name}\nthroughput ${ratioText(d.fast.ratio)} (${intervalText(d.fast)})\n${memoryName} ${ratioText(d.lean.ratio)} (${intervalText(d.lean)})`, tip: true,
      }),
      Plot.text(all, { x: (d) => d.fast.ratio, y: (d) => d.lean.ratio, text: "name", dy: -13, fill: "var(--ink)", stroke: "var(--back)", strokeWidth: 4, fontSize: 12 }),
    ],
    symbol: { type: "identity" }, color: { type: "identity" },
  });
}

export function drawPareto(place, view, looks, choice) {
  // The mean says more than the peak, but only where it was taken in as many cells.
  const cells = (name) => view.view.means.filter((mean) => mean.metric === name).reduce((sum, mean) => sum + mean.cells, 0);
  const memory = kMemory.filter(cells).sort((a, b) => cells(b) - cells(a))[0];
  const allocators = choice.allocators.filter((name) => !view.run.references.includes(name));
  const kinds = choice.meanKinds.map((kind) => [kind, memory ? points(view, kind, memory, allocators) : []]).filter(([, all]) => all.length > 1);
  if (kinds.length === 0) {
    place.replaceChildren(element("p", { class: "note" }, "This choice has no two allocators with both figures."));
    return;
  }
  const name = memory === "mean_rss" ? "mean RSS" : "peak RSS";
  const grid = element("div", { class: "multiples" });
  place.replaceChildren(grid);
  for (const [kind, all] of kinds) {
    const cell = element("div", {}, element("h3", {}, `${kind} (${all[0].fast.cells} cells)`));
    grid.append(cell);
    const words = all.map((d) => `${d.name} ${ratioText(d.fast.ratio)} and ${ratioText(d.lean.ratio)}`).join("; ");
    cell.append(described(chart(all, looks, widthOf(cell), name), `Throughput and ${name} relative to ${view.baseline}, ${kind}: ${words}`));
  }
}
