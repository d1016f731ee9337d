// Ties the parts together: state -> rows -> table or chart, and back from each control.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const at = (id) => document.getElementById(id);
  const store = Explore.openStore(window.RESULTS);
  let state = Explore.readState(store, location.hash);
  let [rows, order, sorted, sortedBase] = [null, null, "", ""];

  const facets = Explore.makeFacets(store, at("facets"), (name, chosen) => {
    if (chosen.length) state.filters[name] = chosen;
    else delete state.filters[name];
    update();
  });
  const drawGrid = Explore.makeGrid(store, at("grid"), (name) => {
    const first = name in store.measures ? "-" + name : name;
    state.sort = state.sort === first ? (first === name ? "-" + name : name) : first;
    update();
  });

  // In the state a view's axes are empty until somebody chooses others.
  function axes() {
    const [x, c] = Explore.DEFAULT_AXES[state.view] || ["fpgas", "partitioner"];
    const lists = { y: Explore.VALUES, x: Explore.AXES[state.view] || [], c: Explore.AXES.bar };
    const asked = { ...state };
    for (const [name, fallback] of [["y", "speedup"], ["x", x], ["c", c]]) {
      if (!lists[name].includes(asked[name])) asked[name] = fallback;
      fillSelect(at(name), lists[name].map((value) => [value, Explore.COLUMNS[value].title]), asked[name]);
    }
    at("c-name").textContent = state.view === "heat" ? "Down" : "Colour";
    return asked;
  }

  function select() {
    const start = performance.now();
    if (sortedBase !== state.base) {
      Explore.setBaseline(store, state.base);
      store.base = state.base;
    }
    if (sorted !== state.sort || (sortedBase !== state.base && state.sort.endsWith("speedup"))) {
      order = Explore.order(store, state.sort);
    }
    [sorted, sortedBase] = [state.sort, state.base];
    rows = Explore.filter(store, order, state.filters, state.q);
    return start;
  }

  function show(start) {
    const charted = state.view !== "table";
    at("table-view").hidden = charted;
    at("chart-view").hidden = !charted;
    at("axes").hidden = !charted;
    for (const button of document.querySelectorAll("[data-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === state.view));
    }
    for (const name of Explore.FACETS) facets[name](state.filters[name] || []);
    if (at("search").value !== state.q) at("search").value = state.q;
    at("base").value = state.base;
    at("permalink").href = Explore.writeState(state);
    if (charted) Explore.drawChart(store, rows, axes(), at("chart"), at("chart-note"), at("chart-table"));
    else drawGrid(rows, state.sort);
    const spent = performance.now() - start;
    const count = (number) => number.toLocaleString("en");
    at("status").textContent = `${count(rows.length)} of ${count(store.rows)} rows, found and ${charted ? "grouped" : "listed"} in ${spent.toFixed(1)} ms`;
    at("status").dataset.rows = rows.length;
    at("status").dataset.ms = spent;
  }

  function update() {
    history.replaceState(null, "", Explore.writeState(state) === "#" ? location.pathname : Explore.writeState(state));
    show(select());
  }

  fillSelect(
    at("base"),
    [
      ["one", "one FPGA"],
      ["conventional", "the best conventional one, same FPGAs"],
      ...store.dims.partitioner.values.map((name) => [name, name + ", same FPGAs"]),
    ],
    state.base,
  );
  at("base").addEventListener("change", (event) => ((state.base = event.target.value), update()));
  for (const name of ["x", "y", "c"]) at(name).addEventListener("change", (event) => ((state[name] = event.target.value), update()));
  at("search").addEventListener("input", (event) => ((state.q = event.target.value), update()));
  at("reset").addEventListener("click", () => ((state = { ...Explore.START, filters: {} }), update()));
  at("csv").addEventListener("click", () => Explore.download(store, rows));
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => ((state.view = button.dataset.view), (state.x = state.c = ""), update()));
  }
  window.addEventListener("hashchange", () => ((state = Explore.readState(store, location.hash)), show(select())));
  window.addEventListener("themechange", () => show(select()));
  show(select());
});

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value, false, value === chosen)));
}

// The rows as CSV, in the table's order; numbers in full, missing values empty.
Explore.csv = function (store, rows) {
  const names = Object.keys(Explore.COLUMNS);
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const lines = [names.join(",")];
  for (const row of rows) {
    lines.push(
      names
        .map((name) => Explore.value(store, name, row))
        .map((value) => (Number.isNaN(value) ? "" : quote(String(value))))
        .join(","),
    );
  }
  return lines.join("\n") + "\n";
};

Explore.download = function (store, rows) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([Explore.csv(store, rows)], { type: "text/csv" }));
  link.download = "results.csv";
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
