// Where and how the run was measured: warnings with their remedies, failures, the host, the allocators' versions, the whole environment.
import { element, plural, quantity } from "./words.js";

const words = (value) => (value == null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));

function listOf(pairs) {
  return element("dl", {}, ...pairs.filter(([, value]) => value !== "").flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]));
}

function allocatorTable(rows) {
  const head = ["allocator", "version", "library", "variables", "SHA-256"].map((title) => element("th", { class: "text", scope: "col" }, title));
  const body = rows.map((row) => element("tr", {}, ...[row.name, row.version, row.library, Object.entries(row.environment ?? {}).map(([key, value]) => `${key}=${value}`).join(" "), (row.sha256 ?? "").slice(0, 16)]
    .map((text) => element("td", { class: "text" }, words(text)))));
  return element("div", { class: "scroll free", tabindex: "0", role: "region", "aria-label": "Allocators" }, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

export function drawHost(place, view) {
  const { environment, warnings, failures } = view.run;
  const { cpu = {} } = environment;
  const card = environment.card ?? environment.host_card;
  place.replaceChildren(
    ...(failures.length ? [element("h3", {}, plural(failures.length, "failure")), element("ul", {}, ...failures.map((line) => element("li", {}, line)))] : []),
    element("h3", {}, plural(warnings.length, "warning")),
    warnings.length ? element("ul", {}, ...warnings.map(([what, remedy]) => element("li", {}, what, element("span", { class: "note" }, ` \u2192 ${remedy}`)))) : element("p", { class: "note" }, "None."),
    element("h3", {}, "Host"),
    listOf([
      ["CPU", `${words(cpu.model)}${cpu.count ? `, ${plural(cpu.count, "CPU")}` : ""}`],
      ["memory", environment.memory_bytes ? quantity(environment.memory_bytes, "bytes") : ""],
      ["kernel", words(environment.kernel)],
      ["system", [environment.distribution, environment.libc].map(words).filter(Boolean).join(", ")],
      ["transparent huge pages", words(environment.transparent_huge_pages)],
      ["load", words(environment.load_average)],
      ["built with", [environment.compiler, environment.build_type].map(words).filter(Boolean).join(", ")],
      ["commit", words(environment.commit) + (environment.dirty ? " with changes" : "")],
      ["date", words(environment.date)],
      ["command", words(view.run.command)],
    ]),
    ...(card ? [element("h3", {}, "Host card: what system calls and pages cost here"), element("pre", { tabindex: "0" }, typeof card === "string" ? card : JSON.stringify(card, null, 1))] : []),
    element("h3", {}, "Allocators"),
    allocatorTable(environment.allocators ?? []),
    element("details", {}, element("summary", {}, "The whole environment"), element("pre", { tabindex: "0" }, JSON.stringify(environment, null, 1))),
  );
}
