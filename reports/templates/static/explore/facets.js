// A folded list of checkboxes for each column that can be filtered.
"use strict";

Explore.LONG_LIST = 12;

Explore.makeFacets = function (store, place, changed) {
  const facets = {};
  for (const name of Explore.FACETS) facets[name] = makeFacet(store, name, place, changed);
  document.addEventListener("click", (event) => closeOthers(place, event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of place.querySelectorAll("details[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });
  return facets;
};

function closeOthers(place, target) {
  for (const open of place.querySelectorAll("details[open]")) if (!open.contains(target)) open.open = false;
}

function makeFacet(store, name, place, changed) {
  const title = Explore.COLUMNS[name].title;
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const list = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = title;
  list.append(legend);
  details.append(summary, list);
  const boxes = store.dims[name].values.map((value) => makeBox(name, value));
  if (boxes.length > Explore.LONG_LIST) list.append(makeNarrower(title, boxes));
  list.append(...boxes.map((box) => box.parentElement));
  list.addEventListener("change", (event) => {
    if (event.target.type === "checkbox") changed(name, boxes.filter((box) => box.checked).map((box) => box.value));
  });
  place.append(details);
  return (chosen) => {
    for (const box of boxes) box.checked = chosen.includes(box.value);
    const short = chosen.length > 2 ? chosen.length + " chosen" : chosen.join(", ");
    summary.textContent = title + ": " + (short || "any");
    details.classList.toggle("chosen", chosen.length > 0);
  };
}

function makeBox(name, value) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.name = name;
  box.value = String(value);
  label.append(box, " " + value);
  return box;
}

function makeNarrower(title, boxes) {
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "narrow the list";
  input.setAttribute("aria-label", "Narrow the list of " + title);
  input.addEventListener("input", () => {
    const word = input.value.toLowerCase();
    for (const box of boxes) box.parentElement.hidden = !box.value.toLowerCase().includes(word);
  });
  return input;
}
