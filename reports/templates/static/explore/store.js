// The rows as columns: a code into a dictionary for what was asked, a typed array for what came out.
"use strict";

const Explore = {};

Explore.openStore = function (data) {
  const rows = data.rows;
  const dims = {};
  for (const [name, { values, codes }] of Object.entries(data.dims)) {
    const Codes = values.length < 256 ? Uint8Array : values.length < 65536 ? Uint16Array : Uint32Array;
    dims[name] = { values, codes: Codes.from(codes), texts: values.map((value) => String(value).toLowerCase()) };
  }
  const measures = {};
  for (const [name, values] of Object.entries(data.measures)) {
    measures[name] = Float64Array.from(values, (value) => (value === null ? NaN : value));
  }
  const bound = measures.bound_cycles;
  measures.over_bound = measures.cycles.map((cycles, row) => cycles / bound[row]);
  measures.speedup = new Float64Array(rows).fill(NaN);
  const store = { rows, dims, measures, conventional: data.conventional, colors: data.colors };
  store.setup = keys(store, ["workload", "batch", "profile", "topology", "link", "link_ns", "fpgas"]);
  store.network = keys(store, ["workload", "batch", "profile"]);
  return store;
};

// One number for each combination of values: equal numbers, equal combinations.
function keys(store, names) {
  const found = new Float64Array(store.rows);
  for (const name of names) {
    const { values, codes } = store.dims[name];
    for (let row = 0; row < store.rows; row++) found[row] = found[row] * values.length + codes[row];
  }
  return found;
}

// Fills the column `speedup`. `base`: "one" (the plan for one FPGA), "conventional" (the fastest of them on
// the same devices), or a partitioner's name (on the same devices).
Explore.setBaseline = function (store, base) {
  const { partitioner, fpgas } = store.dims;
  const latency = store.measures.latency_us;
  const names = base === "one" ? ["single"] : base === "conventional" ? store.conventional : [base];
  const wanted = Uint8Array.from(partitioner.values, (name) => names.includes(name));
  const one = fpgas.values.indexOf(1);
  const key = base === "one" ? store.network : store.setup;
  const best = new Map();
  for (let row = 0; row < store.rows; row++) {
    if (!wanted[partitioner.codes[row]] || Number.isNaN(latency[row])) continue;
    if (base === "one" && fpgas.codes[row] !== one) continue;
    const known = best.get(key[row]);
    if (known === undefined || latency[row] < known) best.set(key[row], latency[row]);
  }
  const speedup = store.measures.speedup;
  for (let row = 0; row < store.rows; row++) {
    const base_us = best.get(key[row]);
    speedup[row] = base_us === undefined ? NaN : base_us / latency[row];
  }
};

// All rows in the order of a column; missing values come last either way.
Explore.order = function (store, sort) {
  const down = sort.startsWith("-");
  const name = down ? sort.slice(1) : sort;
  const column = name in store.dims ? Float64Array.from(store.dims[name].codes) : store.measures[name];
  const sign = down ? -1 : 1;
  const order = Uint32Array.from({ length: store.rows }, (_, row) => row);
  const key = Float64Array.from(column, (value) => (Number.isNaN(value) ? Infinity : sign * value));
  return order.sort((one, other) => (key[one] < key[other] ? -1 : key[one] > key[other] ? 1 : one - other));
};

// The rows of `order` that pass: each filter names values of a dimension, each word of the search must be in a text.
Explore.filter = function (store, order, filters, query) {
  const tests = [];
  for (const [name, chosen] of Object.entries(filters)) {
    const { values, codes } = store.dims[name];
    const names = new Set(chosen);
    tests.push([[codes, Uint8Array.from(values, (value) => names.has(String(value)))]]);
  }
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const any = [];
    for (const name of Explore.SEARCHED) {
      const { codes, texts } = store.dims[name];
      const mask = Uint8Array.from(texts, (text) => text.includes(word));
      if (mask.includes(1)) any.push([codes, mask]);
    }
    tests.push(any);
  }
  const found = new Uint32Array(order.length);
  let count = 0;
  next: for (const row of order) {
    for (const any of tests) {
      let passes = false;
      for (const [codes, mask] of any) {
        if (mask[codes[row]]) {
          passes = true;
          break;
        }
      }
      if (!passes) continue next;
    }
    found[count++] = row;
  }
  return found.subarray(0, count);
};

Explore.value = function (store, name, row) {
  if (name in store.measures) return store.measures[name][row];
  const { values, codes } = store.dims[name];
  return values[codes[row]];
};

Explore.SEARCHED = ["workload", "cell", "experiment", "partitioner", "profile", "topology", "link", "outcome"];

// What a column is called, how its numbers are written, and how it is coloured.
Explore.COLUMNS = {
  workload: { title: "workload", width: 310 },
  fpgas: { title: "FPGAs", width: 90, number: true },
  partitioner: { title: "partitioner", width: 205 },
  speedup: { title: "speed-up", width: 106, digits: 2, heat: "ratio" },
  latency_us: { title: "latency, µs", width: 122, digits: 1 },
  over_bound: { title: "over the bound", width: 142, digits: 2, heat: "excess" },
  utilization: { title: "utilisation", width: 116, share: true, heat: "share" },
  links: { title: "lost to links", width: 126, share: true, heat: "loss" },
  cell: { title: "cell", width: 92 },
  size: { title: "size", width: 76, number: true },
  layers: { title: "layers", width: 86, number: true },
  steps: { title: "steps", width: 82, number: true },
  batch: { title: "batch", width: 82, number: true },
  profile: { title: "profile", width: 200 },
  topology: { title: "topology", width: 130 },
  link: { title: "link", width: 110 },
  link_ns: { title: "link latency, ns", width: 148, number: true },
  devices_used: { title: "FPGAs used", width: 124, digits: 0 },
  weights_mb: { title: "fullest FPGA, MB", width: 162, digits: 1 },
  cycles: { title: "cycles", width: 110, digits: 0 },
  experiment: { title: "experiment", width: 210 },
  outcome: { title: "outcome", width: 560 },
};

Explore.format = function (name, value) {
  const { digits, share } = Explore.COLUMNS[name];
  if (typeof value !== "number") return value;
  if (Number.isNaN(value)) return "–";
  if (share) return (100 * value).toFixed(1) + " %";
  if (digits === undefined) return String(value);
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
};
