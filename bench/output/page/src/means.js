// The first table: for each kind of work, the geometric mean of the ratios to the baseline.
import { kMemory } from "./pareto.js";
import { element, intervalText, metricTitle, plural, ratioText } from "./words.js";

const kFirst = ["throughput", "first_pass", ...kMemory, "cost", "minor_faults"];

function meanCell(mean, metric, isBaseline) {
  if (!mean || mean.ratio == null) return element("td", { class: "none" }, "-");
  if (isBaseline) return element("td", {}, "1");
  const apart = mean.low != null && (mean.low > 1 || mean.high < 1);
  const good = mean.ratio > 1 === (metric.better === "higher");
  const without = mean.without ? `; without ${mean.without.family}: ${ratioText(mean.without.ratio)}` : "";
  return element("td", { class: apart && metric.better ? (good ? "better" : "worse") : null, title: `${intervalText(mean)}${without}` },
    ratioText(mean.ratio), element("span", { class: "interval" }, mean.low == null ? "" : ` (${intervalText(mean)})`),
    mean.without ? element("span", { class: "interval" }, element("br"), `without ${mean.without.family}: ${ratioText(mean.without.ratio)}`) : null);
}

export function drawMeans(place, view, looks, choice) {
  const means = view.view.means;
  const names = kFirst.filter((name) => means.some((mean) => mean.metric === name));
  const head = element("tr", {}, element("th", { class: "text" }, "kind of work"), element("th", { class: "text" }, "geometric mean of"), ...choice.allocators.map((name) => element("th", {}, looks.swatch(name), " ", name)));
  const rows = choice.meanKinds.flatMap((kind) =>
    names.map((name) => {
      const metric = view.metric(name);
      const of = (allocator) => means.find((mean) => mean.metric === name && mean.kind === kind && mean.allocator === allocator);
      const any = choice.allocators.map(of).find(Boolean);
      if (!any || !any.cells) return null;
      const what = `${metricTitle(name)} (${plural(any.cells, "cell")}, ${plural(any.families, "family").replace("familys", "families")}${metric.better ? `, ${metric.better} is better` : ""})`;
      return element("tr", {}, element("td", { class: "text" }, kind), element("td", { class: "text", title: any.left_out ? `left out: ${any.left_out}` : null }, what), ...choice.allocators.map((allocator) => meanCell(of(allocator), metric, allocator === view.baseline)));
    })).filter(Boolean);
  place.replaceChildren(element("div", { class: "scroll free", tabindex: "0", role: "region", "aria-label": "Means by kind of work" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))),
    element("p", { class: "note" }, `Ratios to ${view.baseline} with 95 % intervals over blocks: they speak of these workloads on this machine. Coloured where the interval excludes 1.`));
}
