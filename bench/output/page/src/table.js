// The table of all figures of a metric: sorted by a column, filtered by words and verdict; what is shown can be copied as Markdown.
import { element, intervalText, metricTitle, plural, quantity, ratioText } from "./words.js";

const kColumns = [
  { key: "cell", title: "cell", text: true, of: (row) => row.cell },
  { key: "kind", title: "kind", text: true, of: (row) => row.kind },
  { key: "allocator", title: "allocator", text: true, of: (row) => row.allocator },
  { key: "median", title: "median", of: (row) => row.median },
  { key: "ratio", title: "ratio", of: (row) => row.ratio },
  { key: "interval", title: "95 % interval", of: (row) => row.high - row.low },
  { key: "verdict", title: "verdict", text: true, of: (row) => row.verdict },
  { key: "n", title: "n", of: (row) => row.n },
];

function rowsOf(view, choice) {
  const rows = [];
  for (const cell of choice.cells) {
    for (const allocator of choice.allocators) {
      const figure = view.figure(choice.metric, cell, allocator);
      if (!figure) continue;
      const found = view.ratio(choice.metric, cell, allocator);
      const verdict = figure.failure ?? (allocator === view.baseline ? "baseline" : found ? found.verdict : "no ratio");
      rows.push({ cell: view.cellName(cell), kind: view.run.cells[cell].kind, allocator, n: figure.n, median: figure.median, ...found, verdict, sign: found?.sign ?? 0 });
    }
  }
  return rows;
}

// Words that all have to be in a row; every column's text counts.
function filtered(rows, choice) {
  const words = choice.filter.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const text = `${row.cell} ${row.kind} ${row.allocator} ${row.verdict}`.toLowerCase();
    return words.every((word) => text.includes(word)) && (!choice.verdict || row.verdict === choice.verdict);
  });
}

function sorted(rows, sort) {
  const column = kColumns.find((each) => each.key === sort.replace(/^-/, ""));
  if (!column) return rows;
  const sign = sort.startsWith("-") ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [column.of(a), column.of(b)];
    if (x == null || Number.isNaN(x)) return y == null || Number.isNaN(y) ? 0 : 1; // what is missing comes last, either way
    if (y == null || Number.isNaN(y)) return -1;
    return sign * (column.text ? x.localeCompare(y) : x - y);
  });
}

const direction = (sort, key) => (sort === key ? "ascending" : sort === `-${key}` ? "descending" : "none");

function texts(row, unit) {
  return [row.cell, row.kind, row.allocator, quantity(row.median, unit), ratioText(row.ratio), row.ratio == null ? "" : intervalText(row), row.verdict, String(row.n ?? "")];
}

function heading(choice, state) {
  const cells = kColumns.map((column) => {
    const now = direction(choice.sort, column.key);
    const next = now === "ascending" ? `-${column.key}` : column.key;
    const arrow = now === "ascending" ? " \u25b2" : now === "descending" ? " \u25bc" : "";
    const button = element("button", { type: "button", "data-sort": column.key, onclick: () => state.set("sort", next) }, column.title + arrow);
    return element("th", { scope: "col", class: column.text ? "text" : null, "aria-sort": now }, button);
  });
  return element("thead", {}, element("tr", {}, ...cells));
}

export function shownRows(view, choice) {
  return sorted(filtered(rowsOf(view, choice), choice), choice.sort);
}

export function drawTable(place, view, looks, choice, state) {
  const metric = view.metric(choice.metric);
  const rows = shownRows(view, choice);
  const body = rows.map((row) => {
    const marked = row.sign > 0 ? "better" : row.sign < 0 ? "worse" : null;
    return element("tr", {}, ...texts(row, metric.unit).map((text, i) => element("td", { class: [kColumns[i].text ? "text" : "", [4, 6].includes(i) ? marked ?? "" : ""].join(" ").trim() || null }, text)));
  });
  const count = element("p", { class: "note", role: "status" }, `${plural(rows.length, "row")} of ${metricTitle(choice.metric).toLowerCase()}${metric.unit ? ` (${metric.unit})` : ""}: ${metric.meaning}.`);
  const table = element("table", {}, heading(choice, state), element("tbody", {}, ...body));
  place.replaceChildren(count, element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All figures" }, table));
}

export function tableMarkdown(view, choice) {
  const metric = view.metric(choice.metric);
  const line = (cells) => `| ${cells.map((text) => String(text).replaceAll("|", "\\|")).join(" | ")} |`;
  const head = [line(kColumns.map((column) => column.title)), line(kColumns.map((column) => (column.text ? "---" : "---:")))];
  const note = `${metricTitle(choice.metric)}, ratio to ${view.baseline}${metric.better ? `, ${metric.better} is better` : ""}; run ${view.run.name}, ${plural(view.run.blocks, "block")}.`;
  return [note, "", ...head, ...shownRows(view, choice).map((row) => line(texts(row, metric.unit)))].join("\n") + "\n";
}
