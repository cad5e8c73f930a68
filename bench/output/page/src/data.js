// The data that `bench report` put into the page, and questions that the charts ask of them. README.md describes their form.

// Resolves to {version, runs}.
export async function readData() {
  const text = document.getElementById("data").textContent;
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// One run as the charts see it: with one of its allocators as the baseline.
export class RunView {
  constructor(run, baseline) {
    this.run = run;
    this.view = run.views.find((view) => view.baseline === baseline) ?? run.views[0];
    this.baseline = this.view.baseline;
  }

  metric(name) {
    return this.run.metrics.find((metric) => metric.name === name);
  }

  cellName(cell) {
    const { workload, threads } = this.run.cells[cell];
    return threads === 1 ? workload : `${workload}, ${threads} threads`;
  }

  // {n, median, low, high}, {failure}, or undefined.
  figure(metric, cell, allocator) {
    const found = this.at(this.run.figures, metric, cell, allocator);
    if (typeof found === "string") return { failure: found };
    return found ? { n: found[0], median: found[1], low: found[2], high: found[3] } : undefined;
  }

  // {ratio, low, high, verdict, sign} to the baseline, or undefined.
  ratio(metric, cell, allocator) {
    const found = this.at(this.view.ratios, metric, cell, allocator);
    return found ? { ratio: found[0], low: found[1], high: found[2], verdict: found[3], sign: found[4] } : undefined;
  }

  // The figures of an allocator in a cell by block, null where there is none.
  samples(metric, cell, allocator) {
    return this.at(this.run.samples, metric, cell, allocator) ?? [];
  }

  at(table, metric, cell, allocator) {
    const row = this.run.metrics.findIndex((each) => each.name === metric);
    const column = this.run.allocators.indexOf(allocator);
    return row < 0 || column < 0 ? undefined : table[row][cell][column] ?? undefined;
  }

  // Of the kinds chosen: places of cells in the run's list.
  cells(kinds) {
    return this.run.cells.map((cell, place) => [cell, place]).filter(([cell]) => kinds.has(cell.kind)).map(([, place]) => place);
  }

  kinds() {
    return [...new Set(this.run.cells.map((cell) => cell.kind))];
  }
}
