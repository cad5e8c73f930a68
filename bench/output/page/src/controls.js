// The reader's choices, as plain form elements: they work by keyboard and say what they are.
import { element, metricTitle } from "./words.js";

export function select(state, key, label, options, value) {
  const made = element("select", { id: `choose-${key}`, onchange: (event) => state.set(key, event.target.value) }, ...options.map(([text, each]) => element("option", { value: each, selected: each === value }, text)));
  return element("div", {}, element("label", { for: `choose-${key}` }, label), made);
}

// A box each; all of them is the default and leaves no trace in the URL. The last one cannot be taken away.
function boxes(state, key, label, names, chosen, picture) {
  const set = element("fieldset", {}, element("legend", {}, label));
  for (const name of names) {
    const box = element("input", { type: "checkbox", value: name, checked: chosen.includes(name), "data-choice": key });
    box.addEventListener("change", () => {
      const now = [...set.querySelectorAll("input:checked")].map((each) => each.value);
      if (now.length === 0) {
        box.checked = true;
        return;
      }
      state.set(key, now.length === names.length ? "" : now.join("|"));
    });
    set.append(element("label", {}, box, picture ? picture(name) : null, name));
  }
  return set;
}

export function controls(state, data, view, looks, choice) {
  const { run } = view;
  const parts = [];
  if (data.runs.length > 1) parts.push(select(state, "run", "run", data.runs.map((each, i) => [each.name, String(i)]), state.get("run")));
  parts.push(select(state, "base", "baseline", run.views.map(({ baseline }) => [baseline, baseline]), view.baseline));
  parts.push(select(state, "metric", "metric", run.metrics.map(({ name }) => [metricTitle(name), name]), choice.metric));
  parts.push(select(state, "order", "order of cells", [["largest difference first", "largest"], ["as in the suite", "suite"]], choice.order));
  if (view.kinds().length > 1) parts.push(boxes(state, "kinds", "kinds of work", view.kinds(), [...choice.kinds]));
  parts.push(boxes(state, "allocators", "allocators", looks.names, choice.allocators, (name) => looks.swatch(name)));
  return parts;
}
