// What a program costs by the price of memory: CPU seconds + bytes held x wall seconds / price, where the price is the memory that costs as
// much as one CPU. Relative to the baseline; the slider picks a price.
import * as Plot from "@observablehq/plot";
import { described, legend, widthOf } from "./looks.js";
import { element, ratioText } from "./words.js";

const kGiB = 2 ** 30;
const kLowest = -4; // powers of two, in GiB a CPU
const kHighest = 8;

const priceText = (gib) => (gib >= 1 ? `${Number(gib.toPrecision(3))} GiB` : `${Number((gib * 1024).toPrecision(3))} MiB`);
const costAt = ([, cpu, bytes], gib) => cpu + bytes / (gib * kGiB);

// [{name, ratio}] at that price, the cheapest first.
function ranking(lines, baseline, gib) {
  const base = costAt(lines.find(([name]) => name === baseline) ?? lines[0], gib);
  return lines.map((line) => ({ name: line[0], ratio: costAt(line, gib) / base })).sort((a, b) => a.ratio - b.ratio);
}

function chart(lines, baseline, looks, width, price) {
  const prices = Array.from({ length: 61 }, (_, i) => 2 ** (kLowest + (i * (kHighest - kLowest)) / 60));
  const points = prices.flatMap((gib) => ranking(lines, baseline, gib).map((each) => ({ ...each, gib })));
  return Plot.plot({
    width, height: 230, marginLeft: 46, marginBottom: 42, color: { type: "identity" },
    x: { type: "log", base: 2, ticks: [1 / 16, 1 / 4, 1, 4, 16, 64, 256], tickFormat: priceText, label: "memory that costs as much as one CPU \u2192" },
    y: { label: "cost (down is cheaper)", labelArrow: "down", ticks: 5, grid: true },
    marks: [Plot.ruleX([price], { stroke: "var(--ink)", strokeDasharray: "4 3" }), Plot.line(points, { x: "gib", y: "ratio", z: "name", stroke: (d) => looks.colour(d.name), strokeWidth: 2 })],
  });
}

function words(lines, baseline, price) {
  const [best, second] = ranking(lines, baseline, price);
  const move = best.name === baseline ? `${baseline} is the cheapest` : `${best.name} is the cheapest: a move from ${baseline} changes the cost to ${ratioText(best.ratio)} of what it is`;
  return `At ${priceText(price)} a CPU ${move}; next is ${second.name} with ${ratioText(second.ratio)}.`;
}

export function drawPrice(place, view, looks, choice, state) {
  const kinds = view.view.costs.filter(({ kind }) => choice.kinds.has(kind)).map(({ kind, lines }) => ({ kind, lines: lines.filter(([name]) => choice.allocators.includes(name)) })).filter(({ lines }) => lines.length > 1);
  if (kinds.length === 0) {
    place.replaceChildren(element("p", { class: "note" }, "This choice has no cost: it takes CPU time, wall time and mean RSS of at least two allocators."));
    return;
  }
  const slider = element("input", { type: "range", id: "price-slider", min: kLowest, max: kHighest, step: 0.25, value: Math.log2(choice.price), "aria-valuetext": `${priceText(choice.price)} a CPU`, oninput: (event) => { state.set("price", String(2 ** Number(event.target.value))); document.getElementById("price-slider")?.focus(); } });
  const grid = element("div", { class: "multiples" });
  place.replaceChildren(element("div", {}, element("label", { for: "price-slider", class: "note" }, `Memory that costs as much as one CPU: ${priceText(choice.price)} `), slider), legend(looks, kinds[0].lines.map(([name]) => name)), grid,
    element("ul", { class: "note" }, ...view.view.prices.map((line) => element("li", {}, line))),
    element("p", { class: "note" }, "Means over the families of a kind, where the baseline's CPU time is spread evenly over them. They have no interval: whether two allocators differ at all is in the tables of ratios."));
  for (const { kind, lines } of kinds) {
    const cell = element("div", {}, element("h3", {}, kind));
    grid.append(cell);
    const text = words(lines, view.baseline, choice.price);
    cell.append(described(chart(lines, view.baseline, looks, widthOf(cell), choice.price), text), element("p", { class: "note", "data-cheapest": kind }, text));
  }
}
