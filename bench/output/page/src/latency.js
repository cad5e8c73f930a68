// Times of calls: the share that took longer than a time, both on logarithmic axes, a line an allocator, of one cell and one function.
// The crosshair follows the pointer, or the arrow keys once the chart has the focus.
import * as Plot from "@observablehq/plot";
import { described, legend, widthOf } from "./looks.js";
import { element, quantity, svgElement } from "./words.js";

const kOrder = ["malloc", "free", "realloc", "calloc", "aligned", "request"];
const kSteps = 60; // presses of a key from end to end
const kLeastNs = 1; // shorter times are drawn here
const kTimeGrid = 0.01;
const kShareGrid = 0.005;
const kTop = 12;
const kBottom = 40;

const titleOf = ({ workload, threads }) => (threads === 1 ? workload : `${workload}, ${threads} threads`);
const time = (ns) => quantity(ns * 1e-9, "s");

// "1 in 1,000": of small shares people see how often, not how many percent. Two digits: their tails hold few calls.
const twoDigits = (value) => Number(value.toPrecision(2)).toLocaleString("en");
const often = (share) => (share >= 0.1 ? `${twoDigits(share * 100)} %` : share > 0 ? `1 in ${twoDigits(1 / share)}` : "none");

// What there is to choose from, and what is chosen; null where the choice has no times of calls.
export function latencyChoice(view, choice) {
  const kept = new Set(choice.cells.map((cell) => view.cellName(cell)));
  const all = view.run.latencies.filter((each) => kept.has(titleOf(each)));
  if (all.length === 0) return null;
  const cells = [...new Set(all.map(titleOf))];
  const cell = cells.includes(choice.cell) ? choice.cell : cells[0];
  const here = all.filter((each) => titleOf(each) === cell);
  const calls = [...new Set(here.map((each) => each.function))].sort((a, b) => kOrder.indexOf(a) - kOrder.indexOf(b));
  const call = calls.includes(choice.call) ? choice.call : calls[0];
  const shown = here.filter((each) => each.function === call && choice.allocators.includes(each.allocator));
  return { cells, cell, calls, call, shown };
}

// [[ns, share of calls that took longer]], from all calls down to none; README.md describes `steps`.
function curveOf({ steps }) {
  const curve = [];
  let [time, rarity] = [0, 0];
  for (let i = 0; i < steps.length; i += 2) {
    time += steps[i];
    rarity += steps[i + 1] ?? Infinity;
    curve.push([Math.exp(time * kTimeGrid), Math.exp(-rarity * kShareGrid)]);
  }
  return curve;
}

function shareAt(curve, ns) {
  return curve.findLast(([at]) => at <= ns)?.[1] ?? 1;
}

function powers(low, high, least) {
  const from = Math.ceil(Math.log10(low) - 1e-9);
  const to = Math.floor(Math.log10(high) + 1e-9);
  const step = Math.ceil((to - from + 1) / least);
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => 10 ** (from + i * step));
}

function chart(curves, looks, width) {
  const ends = curves.flatMap(({ curve }) => [curve[0][0], curve.at(-1)[0]]);
  const domain = [Math.max(kLeastNs, Math.min(...ends) / 1.2), Math.max(...ends) * 1.2];
  const rarest = Math.min(0.1, ...curves.map(({ calls }) => 1 / calls)) / 2;
  // The last call is at the lower edge: no share is left beyond it, and 0 has no place on the axis.
  const points = curves.flatMap(({ allocator, curve }) => [[domain[0], 1], ...curve].map(([ns, share]) => ({ allocator, ns, share: Math.max(share, rarest) })));
  const marks = curves.flatMap(({ allocator, curve }) => symbolPlaces(curve).map(([ns, share]) => ({ allocator, ns, share })));
  const narrow = width < 600;
  return Plot.plot({
    width, height: narrow ? 300 : 380, marginLeft: narrow ? 74 : 86, marginRight: 16, marginTop: kTop, marginBottom: kBottom, color: { type: "identity" }, symbol: { type: "identity" },
    x: { type: "log", domain, ticks: powers(...domain, narrow ? 5 : 10), tickFormat: time, label: "longer than \u2192", grid: true },
    y: { type: "log", domain: [rarest, 1], ticks: powers(rarest, 1, 7), tickFormat: (share) => (share === 1 ? "all" : `1 in ${Math.round(1 / share).toLocaleString("en", { notation: share < 1e-4 ? "compact" : "standard" })}`), label: null, grid: true },
    marks: [
      Plot.line(points, { x: "ns", y: "share", z: "allocator", stroke: (d) => looks.colour(d.allocator), strokeWidth: 1.8, curve: "step-after" }),
      Plot.dot(marks, { x: "ns", y: "share", fill: (d) => looks.colour(d.allocator), symbol: (d) => looks.symbol(d.allocator), r: 4 }),
    ],
  });
}

// Where a line carries its allocator's shape: at a half, a hundredth and so on of the calls. For those who do not tell the colours apart.
function symbolPlaces(curve) {
  return [0.5, 0.01, 1e-4, 1e-6].map((share) => curve.find(([, left]) => left <= share)).filter((found) => found && found[1] > 0);
}

function addCrosshair(drawn, curves, readout, call) {
  const x = drawn.scale("x");
  const [low, high] = x.domain;
  const line = svgElement("line", { y1: kTop, y2: drawn.viewBox.baseVal.height - kBottom, stroke: "var(--ink)", "stroke-width": 1, visibility: "hidden", class: "crosshair" });
  drawn.append(line);
  let share = 0.5;
  const show = (to) => {
    share = Math.min(1, Math.max(0, to));
    const ns = low * (high / low) ** share;
    const at = x.apply(ns);
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
    line.setAttribute("visibility", "visible");
    readout.textContent = `${call} longer than ${time(ns)}: ${curves.map(({ allocator, curve }) => `${allocator} ${often(shareAt(curve, ns))}`).join("; ")}`;
  };
  drawn.setAttribute("tabindex", "0");
  drawn.addEventListener("pointermove", (event) => {
    const box = drawn.getBoundingClientRect();
    const ns = x.invert(((event.clientX - box.left) * drawn.viewBox.baseVal.width) / box.width);
    show(Math.log(ns / low) / Math.log(high / low));
  });
  drawn.addEventListener("focus", () => show(share));
  drawn.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(share + step / kSteps);
  });
}

export function drawLatency(place, view, looks, choice) {
  const chosen = latencyChoice(view, choice);
  if (!chosen) {
    place.replaceChildren(element("p", { class: "note" }, "This choice timed no calls. bench run with --measure=latency times each of them."));
    return;
  }
  const { cell, call, shown } = chosen;
  if (shown.length === 0) {
    place.replaceChildren(element("p", { class: "note" }, `None of the allocators chosen has times of ${call} in ${cell}.`));
    return;
  }
  const ordered = looks.names.flatMap((name) => shown.filter((each) => each.allocator === name));
  const curves = ordered.map((each) => ({ allocator: each.allocator, calls: each.calls, curve: curveOf(each) }));
  const readout = element("p", { class: "note readout", role: "status" }, "Point at the chart, or give it the focus and use the arrow keys, to read its figures.");
  const figure = element("figure");
  place.replaceChildren(legend(looks, curves.map(({ allocator }) => allocator)), readout, figure);
  const drawn = described(chart(curves, looks, widthOf(place)), `Share of ${call} in ${cell} that took longer than a time, under ${curves.map(({ allocator }) => allocator).join(", ")}`);
  figure.append(drawn);
  addCrosshair(drawn, curves, readout, call);
  const least = Math.min(...curves.map(({ calls }) => calls));
  place.append(element("p", { class: "note" }, `${quantity(least, "1")} calls or more under each, of all blocks together. Lower and further left is better. A line ends at its slowest call; the timer's own cost is subtracted, and what is left below ${time(kLeastNs)} is drawn there.`));
}
