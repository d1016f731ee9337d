// The table: only the rows in sight are in the page, however many there are.
"use strict";

Explore.ROW_PX = 29;
Explore.PRINTED_ROWS = 300;

Explore.makeGrid = function (store, box, sortBy) {
  const table = box.querySelector("table");
  const names = Object.keys(Explore.COLUMNS);
  const numeric = (name) => name in store.measures || Explore.COLUMNS[name].number;
  const narrow = matchMedia("(max-width: 46rem)").matches;
  const width = (name) => (narrow ? Math.min(Explore.COLUMNS[name].width, 168) : Explore.COLUMNS[name].width);
  table.querySelector("colgroup").append(
    ...names.map((name) => {
      const col = document.createElement("col");
      col.style.width = width(name) + "px";
      return col;
    }),
  );
  table.style.width = names.reduce((sum, name) => sum + width(name), 0) + "px";
  const heads = makeHeads(table.tHead, names, numeric, sortBy);
  const body = table.tBodies[0];
  let rows = new Uint32Array(0);
  let range = [-1, -1];

  function draw(first, last) {
    if (first === range[0] && last === range[1]) return;
    range = [first, last];
    const scale = heatScale(store);
    const lines = [spacer(first)];
    for (let at = first; at < last; at++) {
      const cells = names.map((name) => cell(store, name, rows[at], numeric(name), scale));
      lines.push(`<tr aria-rowindex="${at + 2}">${cells.join("")}</tr>`);
    }
    lines.push(spacer(rows.length - last));
    body.innerHTML = lines.join("");
  }

  function drawWindow() {
    const first = Math.max(0, Math.floor(box.scrollTop / Explore.ROW_PX) - 10);
    const seen = Math.ceil((box.clientHeight || 600) / Explore.ROW_PX) + 20;
    draw(Math.min(first, rows.length), Math.min(rows.length, first + seen));
  }

  box.addEventListener("scroll", drawWindow, { passive: true });
  window.addEventListener("resize", drawWindow);
  window.addEventListener("beforeprint", () => draw(0, Math.min(rows.length, Explore.PRINTED_ROWS)));
  window.addEventListener("afterprint", drawWindow);
  return (found, sort) => {
    rows = found;
    range = [-1, -1];
    table.setAttribute("aria-rowcount", rows.length + 1);
    names.forEach((name, column) => {
      const state = sort === name ? "ascending" : sort === "-" + name ? "descending" : "none";
      heads[column].setAttribute("aria-sort", state);
    });
    box.scrollTop = 0;
    drawWindow();
  };
};

function makeHeads(head, names, numeric, sortBy) {
  const line = head.insertRow();
  return names.map((name) => {
    const cell = document.createElement("th");
    cell.scope = "col";
    if (numeric(name)) cell.className = "number";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = Explore.COLUMNS[name].title;
    button.addEventListener("click", () => sortBy(name));
    cell.append(button);
    line.append(cell);
    return cell;
  });
}

function spacer(rows) {
  return rows ? `<tr aria-hidden="true"><td style="height:${rows * Explore.ROW_PX}px;padding:0;border:0"></td></tr>` : "";
}

function cell(store, name, row, numeric, scale) {
  const value = Explore.value(store, name, row);
  const text = escapeHtml(Explore.format(name, value));
  const heat = Explore.COLUMNS[name].heat && Explore.heat(Explore.COLUMNS[name].heat, value, scale);
  const style = heat ? ` style="background:${heat}"` : "";
  const title = numeric ? "" : ` title="${text}"`;
  return `<td${numeric ? ' class="number"' : ""}${style}${title}>${text}</td>`;
}

function escapeHtml(value) {
  return String(value).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
}

function heatScale(store) {
  if (store.heatBase !== store.base) {
    store.heatBase = store.base;
    store.heatMost = store.measures.speedup.reduce((most, value) => (value > most ? value : most), 2);
  }
  return store.heatMost;
}

// A ground for a value, faint enough for text upon it; ratios are blue above 1 and orange below.
Explore.heat = function (kind, value, most) {
  if (Number.isNaN(value)) return "";
  const shade = (tone, part) => `rgba(var(--${tone}), ${(0.55 * Math.min(1, Math.max(0, part))).toFixed(3)})`;
  if (kind === "ratio") {
    const part = Math.log(value) / Math.log(most);
    return part >= 0 ? shade("heat", part) : shade("cold", -part);
  }
  if (kind === "excess") return shade("cold", Math.log(value) / Math.log(20));
  return shade(kind === "loss" ? "cold" : "heat", value);
};
