// What every chart shares: an allocator's colour and shape (the same everywhere, whatever else is shown), axes of ratios, widths.
import * as Plot from "@observablehq/plot";
import { element, ratioText, svgElement } from "./words.js";

const kShapes = ["circle", "square", "triangle", "diamond", "star", "wye", "cross", "hexagon", "plus", "asterisk"];
const kColours = 10;

export class Looks {
  // The run's own baseline is grey; the others take colours in the order of the run, so that a choice does not change them.
  constructor(run) {
    const first = run.views[0].baseline;
    this.names = [first, ...run.allocators.filter((name) => name !== first)];
  }

  colour(name) {
    return `var(--a${this.names.indexOf(name) % kColours})`;
  }

  symbol(name) {
    return kShapes[this.names.indexOf(name) % kShapes.length];
  }

  swatch(name) {
    const dot = Plot.dot([[7, 7]], { symbol: this.symbol(name), fill: this.colour(name), r: 5 });
    const drawn = Plot.plot({ width: 14, height: 14, margin: 0, x: { type: "identity", axis: null }, y: { type: "identity", axis: null }, marks: [dot] });
    drawn.setAttribute("class", "swatch");
    drawn.setAttribute("aria-hidden", "true");
    return drawn;
  }
}

// Which colour and shape is whose, where a chart is far from the choices.
export function legend(looks, names) {
  return element("p", { class: "legend" }, ...names.map((name) => element("span", {}, looks.swatch(name), name)));
}

const kSteps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000];

// Round numbers at least `apart` pixels from one another on a logarithmic axis; 1 is always among them.
export function ratioTicks([low, high], pixels, apart = 44) {
  const place = (value) => (Math.log(value / low) / Math.log(high / low)) * pixels;
  const ticks = low <= 1 && high >= 1 ? [1] : [];
  const inside = kSteps.filter((step) => step >= low * 0.999 && step <= high * 1.001);
  for (const step of inside.sort((a, b) => Math.abs(Math.log(a)) - Math.abs(Math.log(b)))) {
    if (ticks.every((tick) => Math.abs(place(tick) - place(step)) >= apart)) ticks.push(step);
  }
  return ticks.sort((a, b) => a - b);
}

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))];
}

// Holds 1 and all but the outermost ratios: one outlier must not squeeze the rest. What lies outside is drawn at the edge, with its figure.
export function ratioDomain(ratios, widest = 12) {
  const sorted = ratios.filter((ratio) => ratio > 0).sort((a, b) => a - b);
  if (sorted.length === 0) return [0.5, 2];
  const few = sorted.length < 12;
  let low = Math.min(few ? sorted[0] : quantile(sorted, 0.03), 0.95);
  let high = Math.max(few ? sorted.at(-1) : quantile(sorted, 0.97), 1.05);
  low = Math.max(low, 1 / widest);
  high = Math.min(high, widest);
  const margin = Math.exp(0.06 * Math.log(high / low));
  return [low / margin, high * margin];
}

export const tickText = (value) => String(Number(ratioText(value)));

export const widthOf = (place) => Math.max(280, Math.floor(place.getBoundingClientRect().width || 960));

// A chart for those who do not see it: the words say what it shows and where the figures are.
export function described(drawn, words) {
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", words);
  const title = svgElement("title");
  title.textContent = words;
  return drawn;
}
