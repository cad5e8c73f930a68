// What can be taken away from the page: samples as CSV, text for the clipboard.
import { element } from "./words.js";

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

// samples.csv with exactly the figures that were measured; its rows come in the order of metric, cell and allocator.
export function samplesCsv(run) {
  const lines = ["block,workload,threads,kind,allocator,metric,unit,value,log_ratio,status,detail"];
  run.samples.forEach((cells, m) => {
    const { name, unit } = run.metrics[m];
    cells.forEach((allocators, c) => {
      const { workload, threads, kind } = run.cells[c];
      allocators.forEach((values, a) => {
        (values ?? []).forEach((value, block) => {
          if (value == null) return;
          const log = run.log_ratios?.[m]?.[c]?.[a]?.[block] ?? "";
          lines.push([block, quoted(workload), threads, kind, quoted(run.allocators[a]), name, unit, value, log, "ok", ""].join(","));
        });
      });
    });
  });
  for (const [block, workload, threads, allocator, metric, unit, status, detail] of run.failed_samples) {
    const kind = run.cells.find((cell) => cell.workload === workload && cell.threads === threads)?.kind ?? "";
    lines.push([block, quoted(workload), threads, kind, quoted(allocator), metric, unit, "", "", status, quoted(detail)].join(","));
  }
  return lines.join("\n") + "\n";
}

export function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// Where the clipboard is out of reach the text is shown, marked, for the reader to copy.
export async function copy(text, place, status) {
  try {
    await navigator.clipboard.writeText(text);
    status.textContent = "Copied.";
    place.replaceChildren();
  } catch {
    const area = element("textarea", { readonly: true, "aria-label": "Text to copy" });
    area.value = text;
    place.replaceChildren(area);
    area.focus();
    area.select();
    status.textContent = "The clipboard cannot be reached from here: copy the marked text.";
  }
}
