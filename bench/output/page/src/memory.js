// Resident memory over time, above what the process had before its work, over the live bytes that the work asked for. The crosshair is
// shared: the same share of each run's own time. It follows the pointer, or the arrow keys once a chart has the focus.
import * as Plot from "@observablehq/plot";
import { described, legend, widthOf } from "./looks.js";
import { element, plural, quantity, svgElement } from "./words.js";

const kFirst = 9; // charts shown before "show all"
const kSteps = 50; // presses of a key from end to end

export const kMemoryFirst = kFirst;

// [title, {allocator: timeline}], of the cells chosen.
export function memoryCells(view, choice) {
  const chosen = new Set(choice.cells.map((cell) => `${view.run.cells[cell].workload} ${view.run.cells[cell].threads}`));
  const cells = new Map();
  for (const timeline of view.run.timelines) {
    if (!chosen.has(`${timeline.workload} ${timeline.threads}`) || !choice.allocators.includes(timeline.allocator)) continue;
    const title = timeline.threads === 1 ? timeline.workload : `${timeline.workload}, ${timeline.threads} threads`;
    if (!cells.has(title)) cells.set(title, []);
    cells.get(title).push(timeline);
  }
  return [...cells];
}

// Three to six round figures in powers of two.
function byteTicks(top) {
  let step = 2 ** Math.floor(Math.log2(top / 3));
  if (top / step > 6) step *= 2;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step);
}

// What is live is the same work under each allocator, but each takes its own time: the first one's stands for all.
function chart(timelines, looks, width) {
  const points = timelines.flatMap(({ allocator, points: list }) => list.map(([time, rss, live]) => ({ allocator, time, rss: rss * 1024, live: live * 1024 })));
  const first = timelines[0];
  const live = points.filter((point) => point.allocator === first.allocator);
  const marks = first.marks.map(([time, phase]) => ({ time, phase }));
  const top = Math.max(...points.map((point) => Math.max(point.rss, point.live)), 1);
  const span = Math.max(...points.map((point) => point.time), 1e-9);
  // Names only where there is room for them; the lines are all there.
  const named = marks.filter((mark, i) => marks.every((other, k) => k === i || Math.abs(mark.time - other.time) / span > 0.15));
  return Plot.plot({
    width, height: 190, marginLeft: 62, marginRight: 10, marginTop: 16, marginBottom: 32, color: { type: "identity" },
    x: { label: "s \u2192", ticks: 5 },
    y: { label: null, ticks: byteTicks(top), tickFormat: (value) => quantity(value, "bytes"), grid: true, domain: [0, top] },
    marks: [
      Plot.areaY(live, { x: "time", y: "live", fill: "var(--live)", curve: "step-after" }),
      Plot.ruleX(marks, { x: "time", stroke: "var(--faint)", strokeDasharray: "2 3" }),
      Plot.text(named, { x: "time", text: "phase", frameAnchor: "top", dy: -10, fontSize: 10, fill: "var(--faint)", lineWidth: 8, textOverflow: "ellipsis" }),
      Plot.line(points, { x: "time", y: "rss", z: "allocator", stroke: (d) => looks.colour(d.allocator), strokeWidth: 1.6 }),
    ],
  });
}

function valueAt(timeline, share) {
  const end = timeline.points.at(-1)?.[0] ?? 0;
  const time = share * end;
  const point = timeline.points.findLast(([at]) => at <= time) ?? timeline.points[0];
  return { time, rss: (point?.[1] ?? 0) * 1024, live: (point?.[2] ?? 0) * 1024 };
}

class Crosshair {
  constructor(readout) {
    this.readout = readout;
    this.charts = [];
    this.share = 0.5;
  }

  add(drawn, title, timelines) {
    const x = drawn.scale("x");
    const line = svgElement("line", { y1: 16, y2: 158, stroke: "var(--ink)", "stroke-width": 1, visibility: "hidden", class: "crosshair" });
    drawn.append(line);
    const chart = { drawn, title, timelines, line, x };
    this.charts.push(chart);
    drawn.setAttribute("tabindex", "0");
    drawn.addEventListener("pointermove", (event) => {
      const box = drawn.getBoundingClientRect();
      const scale = drawn.viewBox.baseVal.width / box.width;
      this.show(chart, (x.invert((event.clientX - box.left) * scale) - x.domain[0]) / (x.domain[1] - x.domain[0]));
    });
    drawn.addEventListener("focus", () => this.show(chart, this.share));
    drawn.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.show(chart, this.share + step / kSteps);
    });
  }

  show(active, share) {
    this.share = Math.min(1, Math.max(0, share));
    for (const { line, x } of this.charts) {
      const at = x.range[0] + this.share * (x.range[1] - x.range[0]);
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      line.setAttribute("visibility", "visible");
    }
    const end = Math.max(...active.timelines.map((timeline) => timeline.points.at(-1)?.[0] ?? 0));
    const texts = active.timelines.map((timeline) => {
      const last = timeline.points.at(-1)?.[0] ?? 0;
      const value = valueAt(timeline, last ? Math.min(1, (this.share * end) / last) : 0);
      return `${timeline.allocator} ${quantity(value.rss, "bytes")}`;
    });
    const live = valueAt(active.timelines[0], this.share).live;
    this.readout.textContent = `${active.title}, at ${quantity(this.share * end, "s")}: live ${quantity(live, "bytes")}; ${texts.join(", ")}`;
  }
}

export function drawMemory(place, view, looks, choice) {
  const cells = memoryCells(view, choice);
  if (cells.length === 0) {
    place.replaceChildren(element("p", { class: "note" }, "This choice has no record of memory over time: such are kept where a suite asks for memory, and for programs."));
    return;
  }
  const shown = choice.all ? cells : cells.slice(0, kFirst);
  const readout = element("p", { class: "note readout", role: "status" }, "Point at a chart, or give it the focus and use the arrow keys, to read its figures.");
  const grid = element("div", { class: "multiples" });
  place.replaceChildren(legend(looks, choice.allocators), readout, grid);
  const crosshair = new Crosshair(readout);
  for (const [title, timelines] of shown) {
    const cell = element("div", {}, element("h3", {}, title));
    grid.append(cell);
    const drawn = described(chart(timelines, looks, widthOf(cell)), `Resident memory over time of ${title} under ${timelines.map((each) => each.allocator).join(", ")}`);
    cell.append(drawn);
    crosshair.add(drawn, title, timelines);
  }
  place.append(element("p", { class: "note" }, `${plural(shown.length, "cell")} of ${cells.length}. Lines: resident set above that before the work; grey area: live bytes requested; dotted: marks of the workload (drained, idled, ...). One block of each.`));
}
