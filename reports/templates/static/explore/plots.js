// Line, bar and heat-map views: the rows chosen, grouped by two columns, as a Vega-Lite chart.
"use strict";

Explore.VALUES = ["speedup", "latency_us", "over_bound", "utilization", "links", "devices_used"];
Explore.AXES = {
  line: ["fpgas", "link_ns", "size", "batch", "layers", "steps"],
  bar: ["workload", "partitioner", "fpgas", "cell", "size", "profile", "topology", "link", "experiment", "batch"],
};
Explore.AXES.heat = Explore.AXES.bar;
Explore.DEFAULT_AXES = { line: ["fpgas", "partitioner"], bar: ["partitioner", "fpgas"], heat: ["fpgas", "workload"] };
Explore.MOST_COLOURS = 8;
Explore.MOST_ROWS = 40;

// Groups the rows by two columns: geometric means of ratios and times, means of shares.
Explore.group = function (store, rows, y, x, c) {
  const values = store.measures[y];
  const [one, other] = [store.dims[x], store.dims[c]];
  const share = Explore.COLUMNS[y].share;
  const groups = new Map();
  let missing = 0;
  for (const row of rows) {
    const value = values[row];
    if (Number.isNaN(value) || (!share && value <= 0)) {
      missing++;
      continue;
    }
    const key = one.codes[row] * other.values.length + other.codes[row];
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { x: one.codes[row], c: other.codes[row], sum: 0, rows: 0 }));
    group.sum += share ? value : Math.log(value);
    group.rows++;
  }
  const points = [...groups.values()].sort((a, b) => a.x - b.x || a.c - b.c);
  for (const point of points) {
    const mean = point.sum / point.rows;
    point.value = share ? mean : Math.exp(mean);
  }
  return { points, missing };
};

// The groups' most frequent codes of one side, at most so many.
function keepMost(points, side, most) {
  const counts = new Map();
  for (const point of points) counts.set(point[side], (counts.get(point[side]) || 0) + point.rows);
  const kept = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, most);
  const codes = new Set(kept.map(([code]) => code));
  return [points.filter((point) => codes.has(point[side])), counts.size - codes.size, codes];
}

Explore.drawChart = function (store, rows, state, place, note, table) {
  const { view } = state;
  const [y, x, c] = [state.y, state.x, state.c];
  const { points: all, missing } = Explore.group(store, rows, y, x, c);
  const colours = view === "heat" ? Explore.MOST_ROWS : Explore.MOST_COLOURS;
  let [points, leftOut, codes] = keepMost(all, "c", colours);
  let leftRows = 0;
  if (view !== "line") [points, leftRows] = keepMost(points, "x", Explore.MOST_ROWS);
  const text = (name, code) => String(store.dims[name].values[code]);
  const data = points.map((point) => ({
    x: view === "line" ? Number(store.dims[x].values[point.x]) : text(x, point.x),
    c: text(c, point.c),
    value: point.value,
    rows: point.rows,
  }));
  const order = (name, side) => [...new Set(points.map((point) => point[side]))].sort((a, b) => a - b).map((code) => text(name, code));
  const names = { y: Explore.COLUMNS[y], x: Explore.COLUMNS[x].title, c: Explore.COLUMNS[c].title };
  const lists = { x: order(x, "x"), c: order(c, "c") };
  const mean = names.y.share ? "mean" : "geometric mean";
  const cut = [];
  if (leftOut) cut.push(`${leftOut} more of ${names.c} are left out: filter to see them`);
  if (leftRows) cut.push(`${leftRows} more of ${names.x} are left out`);
  if (missing) cut.push(`${missing.toLocaleString("en")} rows have no value`);
  note.textContent = `Each mark is the ${mean} over the rows that share its ${names.x} and ${names.c}. ` + cut.map((one) => one + ".").join(" ");
  fillTable(table, names, data, mean);
  const spec = Explore.SPECS[view](names, lists, c === "partitioner" ? Charts.strategyColors(lists.c, store.colors) : Charts.palette(lists.c.length));
  spec.data = { values: data };
  return Charts.draw(place, spec);
};

function fillTable(table, names, data, mean) {
  const titles = [names.x, names.c, `${names.y.title} (${mean})`, "rows"];
  const cells = (tag, values) => values.map((value) => `<${tag}>${escapeHtml(value)}</${tag}>`).join("");
  table.tHead.innerHTML = `<tr>${cells("th", titles)}</tr>`;
  table.tBodies[0].innerHTML = data
    .map((point) => `<tr>${cells("td", [point.x, point.c, point.value.toPrecision(4), point.rows])}</tr>`)
    .join("");
}

function tooltip(names) {
  return [
    { field: "x", title: names.x, type: "nominal" },
    { field: "c", title: names.c, type: "nominal" },
    { field: "value", title: names.y.title, format: ".4~g" },
    { field: "rows", title: "rows" },
  ];
}

const numberAxis = (names) => ({
  field: "value",
  type: "quantitative",
  title: names.y.title,
  axis: { format: names.y.share ? "%" : "~r" },
});

Explore.SPECS = {
  line: (names, lists, range) => ({
    width: "container",
    height: 380,
    mark: { type: "line", point: { size: 55, filled: true } },
    encoding: {
      x: { field: "x", type: "quantitative", title: names.x, scale: { type: "symlog", constant: 1, nice: false, zero: false }, axis: { values: [...new Set(lists.x.map(Number))], format: "d" } },
      y: { ...numberAxis(names), scale: { zero: true } },
      color: { field: "c", type: "nominal", title: names.c, scale: { domain: lists.c, range } },
      shape: { field: "c", type: "nominal", title: names.c, scale: { domain: lists.c } },
      tooltip: tooltip(names),
    },
  }),
  bar: (names, lists, range) => ({
    width: lists.x.length * lists.c.length > 60 ? { step: 9 } : "container",
    height: 380,
    mark: { type: "bar" },
    encoding: {
      x: { field: "x", type: "nominal", title: names.x, sort: lists.x, axis: { labelAngle: -35, labelLimit: 220 } },
      xOffset: { field: "c", type: "nominal", sort: lists.c },
      y: numberAxis(names),
      color: { field: "c", type: "nominal", title: names.c, scale: { domain: lists.c, range } },
      tooltip: tooltip(names),
    },
  }),
  heat: (names, lists) => ({
    width: { step: 58 },
    height: { step: 24 },
    encoding: {
      x: { field: "x", type: "nominal", title: names.x, sort: lists.x, axis: { labelAngle: -35, labelLimit: 220, orient: "top" } },
      y: { field: "c", type: "nominal", title: null, sort: lists.c, axis: { labelLimit: innerWidth < 740 ? 130 : 280 } },
      tooltip: tooltip(names),
    },
    layer: [
      {
        mark: "rect",
        encoding: { color: { field: "value", type: "quantitative", title: names.y.title, scale: { type: names.y.share ? "linear" : "log", range: Charts.ramp() }, legend: { format: names.y.share ? "%" : "~r" } } },
      },
      { mark: { type: "text", fontSize: 11 }, encoding: { text: { field: "value", format: names.y.share ? ".0%" : ".3~r" } } },
    ],
  }),
};
