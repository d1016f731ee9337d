// The state of the page as its address's fragment, so that each view has a permanent link.
"use strict";

Explore.START = { q: "", filters: {}, base: "one", sort: "-speedup", view: "table", x: "", y: "", c: "" };

Explore.FACETS = ["workload", "cell", "size", "fpgas", "partitioner", "profile", "topology", "link", "batch", "experiment", "outcome"];

Explore.writeState = function (state) {
  const parts = new URLSearchParams();
  for (const name of Explore.FACETS) {
    for (const value of state.filters[name] || []) parts.append(name, value);
  }
  for (const name of ["q", "base", "sort", "view", "x", "y", "c"]) {
    if (state[name] !== Explore.START[name]) parts.set(name, state[name]);
  }
  return "#" + parts;
};

// What a fragment asks for; names and values that these results do not have are left out.
Explore.readState = function (store, fragment) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = { ...Explore.START, filters: {} };
  for (const name of Explore.FACETS) {
    const known = new Set(store.dims[name].values.map(String));
    const chosen = parts.getAll(name).filter((value) => known.has(value));
    if (chosen.length) state.filters[name] = chosen;
  }
  const columns = Object.keys(Explore.COLUMNS);
  const allowed = {
    base: ["one", "conventional", ...store.dims.partitioner.values],
    sort: columns.flatMap((name) => [name, "-" + name]),
    view: ["table", "line", "bar", "heat"],
    x: columns,
    y: columns,
    c: columns,
  };
  for (const [name, values] of Object.entries(allowed)) {
    if (values.includes(parts.get(name))) state[name] = parts.get(name);
  }
  state.q = parts.get("q") || "";
  return state;
};
