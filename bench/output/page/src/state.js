// What the reader has chosen. It stands in the URL's hash, so that a view can be sent to somebody.

const kDefaults = { run: "0", base: "", metric: "throughput", kinds: "", allocators: "", price: "", sort: "", filter: "", verdict: "", order: "largest", all: "", cell: "", call: "" };

export class State {
  constructor(onChange) {
    this.onChange = onChange;
    this.read();
    addEventListener("hashchange", () => {
      if (location.hash !== this.hash()) {
        this.read();
        onChange(null);
      }
    });
  }

  read() {
    const given = new URLSearchParams(location.hash.slice(1));
    this.values = Object.fromEntries(Object.entries(kDefaults).map(([key, value]) => [key, given.get(key) ?? value]));
  }

  get(key) {
    return this.values[key];
  }

  list(key) {
    return this.values[key] ? this.values[key].split("|") : [];
  }

  set(key, value) {
    this.values[key] = value;
    history.replaceState(null, "", this.hash() || location.pathname + location.search);
    this.onChange(key);
  }

  hash() {
    const changed = Object.entries(this.values).filter(([key, value]) => value !== kDefaults[key]);
    return changed.length ? "#" + new URLSearchParams(changed) : "";
  }
}
