"use strict";
// Sort and filter the rows of the table.

const body = document.getElementById("clips");
const rows = [...body.rows].map((row) => ({
  row,
  text: row.textContent.toLowerCase(),
  values: JSON.parse(row.dataset.values),
}));
const filters = { find: "", status: "", class: "" };

function filter() {
  const words = filters.find.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { row, text } of rows) {
    const fits =
      words.every((word) => text.includes(word)) &&
      (!filters.status || row.dataset.status === filters.status) &&
      (!filters.class || row.dataset.class === filters.class);
    row.hidden = !fits;
    shown += fits;
  }
  document.getElementById("count").value = `${shown} of ${rows.length} shown`;
}

/** Missing values come last in both orders. */
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
}

function sort(button) {
  const head = button.closest("th");
  const first = button.dataset.sort === "name" || button.dataset.sort === "label";
  const usual = first ? "ascending" : "descending";
  const other = first ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === usual ? other : usual;
  for (const th of head.parentElement.children) {
    if (th.hasAttribute("aria-sort")) th.setAttribute("aria-sort", th === head ? order : "none");
  }
  const sign = order === "ascending" ? 1 : -1;
  const key = button.dataset.sort;
  const sorted = rows.toSorted((a, b) => compare(a.values[key], b.values[key], sign));
  body.append(...sorted.map(({ row }) => row));
}

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => sort(button));
}
for (const name of Object.keys(filters)) {
  const input = document.getElementById(name);
  input.addEventListener("input", () => {
    filters[name] = input.value;
    filter();
  });
}
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
filter();
