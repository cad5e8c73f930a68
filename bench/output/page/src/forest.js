// Forest plot: a row a cell, in it a mark an allocator: the ratio to the baseline and its 95 % interval. What differs by the verdict is
// filled; what does not is hollow. The grey band is what equal slices of work of one library differ by on this host.
import * as Plot from "@observablehq/plot";
import { described, legend, ratioDomain, ratioTicks, tickText, widthOf } from "./looks.js";
import { element, intervalText, metricTitle, plural, ratioText } from "./words.js";

const kLine = 13; // pixels a mark
const kGap = 9; // between cells
const kFirst = 24; // cells shown before "show all"
const kLabels = 250; // pixels for names of cells, where there is room

function rowsOf(view, choice) {
  return choice.cells
    .map((cell) => {
      const marks = choice.allocators.filter((name) => name !== view.baseline).map((name) => ({ name, found: view.ratio(choice.metric, cell, name) })).filter((mark) => mark.found);
      return { cell, marks, size: Math.max(0, ...marks.map((mark) => Math.abs(Math.log(mark.found.ratio)))) };
    })
    .filter((row) => row.marks.length > 0);
}

// Pixel positions: a fixed distance from mark to mark, whatever the number of cells.
function laidOut(view, rows, narrow) {
  let y = narrow ? 10 : 4;
  const labels = [];
  const marks = [];
  const lines = [];
  for (const row of rows) {
    labels.push({ text: view.cellName(row.cell), y: narrow ? y + 6 : y + (row.marks.length * kLine) / 2 });
    y += narrow ? 16 : 0;
    for (const mark of row.marks) {
      marks.push({ ...mark.found, name: mark.name, cell: view.cellName(row.cell), y: y + kLine / 2 });
      y += kLine;
    }
    y += kGap;
    lines.push(y - kGap / 2);
  }
  return { labels, marks, lines: lines.slice(0, -1), bottom: y };
}

function chart(view, looks, rows, width, band) {
  const narrow = width < 640;
  const left = narrow ? 12 : kLabels;
  const { labels, marks, lines, bottom } = laidOut(view, rows, narrow);
  const domain = ratioDomain(marks.map((mark) => mark.ratio));
  const within = (value) => Math.min(Math.max(value, domain[0]), domain[1]);
  const inside = marks.filter((mark) => mark.ratio === within(mark.ratio));
  const outside = marks.filter((mark) => mark.ratio !== within(mark.ratio));
  const title = (d) => `${d.cell}\n${d.name}: ${ratioText(d.ratio)} (${intervalText(d)}) ${d.verdict}`;
  const base = { y: "y", fill: (d) => looks.colour(d.name) };
  return Plot.plot({
    width, height: bottom + 62, marginLeft: left, marginRight: 34, marginTop: 28, marginBottom: 34,
    x: { type: "log", domain, ticks: ratioTicks(domain, width - left - 34), tickFormat: tickText, axis: "both", label: null, grid: true },
    y: { type: "linear", domain: [bottom, 0], axis: null }, symbol: { type: "identity" }, color: { type: "identity" },
    marks: [
      band ? Plot.rect([band], { x1: within(band[0]), x2: within(band[1]), y1: 0, y2: bottom, fill: "var(--band)" }) : null,
      Plot.ruleX([1], { stroke: "var(--ink)", y1: 0, y2: bottom }),
      Plot.ruleY(lines, { stroke: "var(--line)" }),
      Plot.link(inside.filter((d) => d.low != null), { x1: (d) => within(d.low), x2: (d) => within(d.high), y1: "y", y2: "y", stroke: (d) => looks.colour(d.name), strokeWidth: 2 }),
      Plot.dot(inside.filter((d) => d.sign !== 0), { ...base, x: "ratio", r: 4, symbol: (d) => looks.symbol(d.name) }),
      Plot.dot(inside.filter((d) => d.sign === 0), { ...base, x: "ratio", r: 4, symbol: (d) => looks.symbol(d.name), fill: "var(--back)", stroke: (d) => looks.colour(d.name), strokeWidth: 1.5 }),
      Plot.text(outside.filter((d) => d.ratio < 1), { ...base, x: () => domain[0], text: (d) => `\u25c0 ${ratioText(d.ratio)}`, textAnchor: "start", fontSize: 11, fontWeight: 600 }),
      Plot.text(outside.filter((d) => d.ratio > 1), { ...base, x: () => domain[1], text: (d) => `${ratioText(d.ratio)} \u25b6`, textAnchor: "end", fontSize: 11, fontWeight: 600 }),
      Plot.text(labels, { text: "text", x: () => domain[0], y: "y", textAnchor: narrow ? "start" : "end", dx: narrow ? 0 : -10, fill: "var(--ink)", fontSize: 12, lineWidth: narrow ? 60 : 17, textOverflow: "ellipsis-middle" }),
      Plot.tip(marks, Plot.pointer({ x: (d) => within(d.ratio), y: "y", title })),
    ],
  });
}

export function drawForest(place, view, looks, choice) {
  const metric = view.metric(choice.metric);
  let rows = rowsOf(view, choice);
  if (rows.length === 0) {
    place.replaceChildren(element("p", { class: "note" }, "No cell of this choice has a ratio: choose another metric, kind or allocator."));
    return;
  }
  if (choice.order === "largest") rows = [...rows].sort((a, b) => b.size - a.size);
  const count = rows.length;
  if (!choice.all) rows = rows.slice(0, kFirst);
  const figure = element("figure");
  place.replaceChildren(legend(looks, choice.allocators.filter((name) => name !== view.baseline)), figure);
  const direction = metric.better === "higher" ? "right of 1 is better" : metric.better === "lower" ? "left of 1 is better" : "neither side is better";
  const words = `${metricTitle(choice.metric)} relative to ${view.baseline}, ${plural(rows.length, "cell")}; ${direction}`;
  figure.append(described(chart(view, looks, rows, widthOf(figure), choice.band), `${words}. The table at the end has every figure.`));
  const band = choice.band ? ` Grey band: 95 % of the ratios of two equal slices of work of one library lie within it on this host (${choice.band[0].toFixed(3)} to ${choice.band[1].toFixed(3)}, by the host card).` : " The host card of this run has no spread of equal slices of work (A/A), so no band is drawn.";
  figure.append(element("figcaption", {}, `${words}${count > rows.length ? ` of ${count}` : ""}. Lines: 95 % intervals; filled: differs by the verdict; hollow: does not, or not decided; a figure with an arrow lies outside the axis.${band}`));
}

export const kForestFirst = kFirst;
