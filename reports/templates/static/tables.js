// Headings of plain tables become buttons that sort.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".scroll table")) {
    if (table.tBodies[0].rows.length > 2) makeSortable(table);
  }
});

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...cell.childNodes);
    cell.append(button);
    cell.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      sortRows(table.tBodies[0], column, down ? -1 : 1);
    });
  });
}

function sortRows(body, column, sign) {
  const key = (row) => {
    const text = row.cells[column].textContent.trim();
    const number = Number(text.replace(/,/g, ""));
    return text === "" || Number.isNaN(number) ? text : number;
  };
  const keyed = [...body.rows].map((row) => [key(row), row]);
  keyed.sort(([one], [other]) => {
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1; // numbers before missing values
    return sign * (typeof one === "number" ? one - other : one.localeCompare(other));
  });
  body.append(...keyed.map(([, row]) => row));
}
