// Figures as people read them, and small helpers that make elements.

const kBytes = ["B", "KiB", "MiB", "GiB", "TiB"];

export function threeDigits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e15 || size < 1e-4) return value.toExponential(2);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return Number(value.toPrecision(3)).toString();
}

export function quantity(value, unit) {
  if (value == null) return "-";
  if (unit === "bytes") {
    let power = 0;
    while (Math.abs(value) >= 1024 && power < kBytes.length - 1) {
      value /= 1024;
      power += 1;
    }
    return `${threeDigits(value)} ${kBytes[power]}`;
  }
  if (unit === "s") {
    const [scale, name] = value === 0 || value >= 1 ? [1, "s"] : value >= 1e-3 ? [1e3, "ms"] : value >= 1e-6 ? [1e6, "us"] : [1e9, "ns"];
    return `${threeDigits(value * scale)} ${name}`;
  }
  if (unit === "ops/s" || unit === "1") {
    const [scale, name] = value >= 1e9 ? [1e9, " G"] : value >= 1e6 ? [1e6, " M"] : value >= 1e4 ? [1e3, " k"] : [1, ""];
    return `${threeDigits(value / scale)}${name}${unit === "1" ? "" : name ? "/s" : " /s"}`;
  }
  return unit ? `${threeDigits(value)} ${unit}` : threeDigits(value);
}

export function ratioText(ratio) {
  if (ratio == null) return "-";
  if (ratio >= 100) return Math.round(ratio).toString();
  if (ratio >= 10) return ratio.toFixed(1);
  if (ratio >= 0.1) return ratio.toFixed(2);
  return Number(ratio.toPrecision(2)).toString();
}

export function intervalText(found) {
  return found.low == null || found.high == null ? "" : `${ratioText(found.low)} to ${ratioText(found.high)}`;
}

export const metricTitle = (name) => name.replaceAll("_", " ").replace("rss", "RSS").replace("pss", "PSS").replace(/^./, (c) => c.toUpperCase());

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// element("td", {class: "text"}, "words", otherElement)
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const kSvg = "http://www.w3.org/2000/svg";

export function svgElement(name, attributes = {}) {
  const made = document.createElementNS(kSvg, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
