// Heat map of all cells: how much better (blue) or worse (orange) than the baseline. A table, so that it can be read aloud and copied.
import { element, intervalText, metricTitle, ratioText } from "./words.js";

const kFull = Math.log(4); // a factor of four has the full colour

function cellOf(view, metric, cell, name) {
  if (name === view.baseline) return element("td", {}, element("span", { class: "fill" }, "1"));
  const found = view.ratio(metric.name, cell, name);
  if (!found) {
    const figure = view.figure(metric.name, cell, name);
    const text = figure?.failure ? figure.failure.split(":")[0] : "no ratio";
    return element("td", { class: "none", title: figure?.failure ?? "no ratio" }, element("span", { class: "fill" }, text));
  }
  const log = Math.log(found.ratio) * (metric.better === "lower" ? -1 : 1);
  const share = metric.better ? Math.round(Math.min(1, Math.abs(log) / kFull) * 65) : 0;
  const colour = log >= 0 ? "var(--better)" : "var(--worse)";
  const fill = element("span", { class: "fill" }, ratioText(found.ratio) + (found.sign > 0 ? " +" : found.sign < 0 ? " \u2212" : ""));
  fill.style.background = `color-mix(in srgb, ${colour} ${share}%, transparent)`;
  if (found.sign !== 0) fill.style.fontWeight = "650";
  return element("td", { title: `${name}: ${ratioText(found.ratio)} (${intervalText(found)}) ${found.verdict}` }, fill);
}

export function drawHeat(place, view, looks, choice) {
  const metric = view.metric(choice.metric);
  const head = element("tr", {}, element("th", { class: "text", scope: "col" }, "cell"), ...choice.allocators.map((name) => element("th", { scope: "col" }, name)));
  const rows = choice.cells.map((cell) =>
    element("tr", {}, element("th", { class: "text", scope: "row", style: "position:static;font-weight:400;background:none" }, view.cellName(cell)), ...choice.allocators.map((name) => cellOf(view, metric, cell, name))));
  const table = element("table", { class: "heat" }, element("thead", {}, head), element("tbody", {}, ...rows));
  place.replaceChildren(
    element("p", { class: "note" }, `${metricTitle(choice.metric)}, ratio to ${view.baseline}: ${metric.better ? `blue is better, orange is worse (${metric.better} is better); + and \u2212 where the verdict says so` : "no direction is better"}; hatched: no ratio.`),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Heat map of all cells" }, table));
}
