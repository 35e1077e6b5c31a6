"use strict";
// Sort, filter and page through the clips. Only the rows of one page are in the document: a browser
// takes half a minute for 100,000 rows of a table.

const ROWS_PER_PAGE = DATA.rows_per_page;
const SEARCH_DELAY = 250; // milliseconds without a key, where a search loads files
const FIELDS = { status: "status", class: "label", truth: "truth", answer: "answer" }; // of filters
const { columns } = DATA; // key -> heading
const clips = new Clips(DATA);
const body = document.getElementById("clips");
const count = document.getElementById("count");
const filters = { find: "", status: "", class: "", truth: "", answer: "" };

let sorting = null; // {key, sign}; null for the order of results.jsonl
let order = null; // promise of all clips, as sorted; null until more is needed than the page holds
let shown = null; // those of them that pass the filters; null for all
let pageIndex = 0;
let task = 0; // number of what was asked for last: earlier tasks are given up

/** Do what is asked for now, instead of what is still being done; say what fails. */
async function run(work) {
  task += 1;
  const own = task;
  try {
    await work(() => own === task);
  } catch (error) {
    if (own !== task) return;
    count.value = `${error.message}: load this page again, or run the command again`;
  }
}

/** Promise of all clips, as sorted. */
function allClips() {
  order ??= sorting ? sorted(sorting) : Promise.resolve(clips.indices());
  return order;
}

async function clipsOfPage() {
  // The page holds those that it shows first: it opens without loading a file.
  if (order === null && shown === null && pageIndex === 0 && !clips.isWhole) return clips.first;
  const first = pageIndex * ROWS_PER_PAGE;
  return (shown ?? (await allClips())).subarray(first, first + ROWS_PER_PAGE);
}

async function drawPage(isCurrent) {
  const places = await clips.places(await clipsOfPage());
  if (!isCurrent()) return;
  body.replaceChildren(...places.map((place) => drawRow(place, columns, body.dataset.picture)));
  const numShown = shown === null ? clips.count : shown.length;
  const last = Math.max(0, Math.ceil(numShown / ROWS_PER_PAGE) - 1);
  document.getElementById("pages").hidden = last === 0;
  Object.assign(document.getElementById("page"), { value: pageIndex + 1, max: last + 1 });
  document.getElementById("last").textContent = last + 1;
  for (const button of document.querySelectorAll("[data-page]")) {
    const target = { first: 0, previous: pageIndex - 1, next: pageIndex + 1, last };
    const wanted = Math.min(Math.max(target[button.dataset.page], 0), last);
    button.disabled = wanted === pageIndex;
    button.onclick = () => goToPage(wanted);
  }
  count.value = `${numShown} of ${clips.count} shown`;
}

function goToPage(index) {
  return run(async (isCurrent) => {
    pageIndex = index;
    await drawPage(isCurrent);
    document.querySelector(".clips").scrollIntoView();
  });
}

/** Keep the clips that pass the filters, and draw the first page of them. */
function filter() {
  return run(async (isCurrent) => {
    const chosen = Object.keys(FIELDS).filter((name) => filters[name]);
    const words = filters.find.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !clips.isWhole) await pause(SEARCH_DELAY);
    if (!isCurrent()) return;
    let passing = chosen.length || words.length ? await allClips() : null;
    for (const name of chosen) {
      const keys = await clips.keys(FIELDS[name]);
      const wanted = TABLES[FIELDS[name]].indexOf(filters[name]);
      passing = passing.filter((index) => keys[index] === wanted);
    }
    if (words.length) {
      passing = await clips.search(passing, words, (share) => {
        if (isCurrent() && share) count.value = `searching: ${Math.floor(100 * share)}\u00a0%`;
        return isCurrent();
      });
    }
    if (!isCurrent()) return;
    shown = passing;
    pageIndex = 0;
    await drawPage(isCurrent);
  });
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Numbers that sort as the values of a column do; NaN where a value is missing. */
async function sortKeys(key) {
  const keys = await clips.keys(key);
  if (key === "answer") {
    const scores = await clips.keys("score");
    return Float64Array.from(keys, (answer, index) => concern(TABLES.answer[answer], scores[index]));
  }
  if (!(key in TABLES)) return keys;
  const ofTable = ranks(TABLES[key]);
  return Float64Array.from(keys, (position) => ofTable[position] ?? NaN);
}

/** Errors before right answers: of the errors the most confident first, of the others the last. */
function concern(answer, score) {
  if (answer === undefined) return NaN;
  return answer === "wrong" ? 1e9 + (score || 0) : -(score || 0);
}

/** Missing values come last in both orders, equal ones in the order of results.jsonl. */
async function sorted({ key, sign }) {
  const keys = await sortKeys(key);
  const indices = clips.indices();
  const present = indices.filter((index) => !Number.isNaN(keys[index]));
  present.sort((a, b) => sign * (keys[a] - keys[b]) || a - b);
  const all = new Uint32Array(clips.count);
  all.set(present);
  all.set(indices.filter((index) => Number.isNaN(keys[index])), present.length);
  return all;
}

/** Sort by a column, and by the other order where it is sorted by it already. */
function chooseOrder(button) {
  const head = button.closest("th");
  const first = ["name", "label", "truth"].includes(button.dataset.sort);
  const usual = first ? "ascending" : "descending";
  const other = first ? "descending" : "ascending";
  const direction = head.getAttribute("aria-sort") === usual ? other : usual;
  for (const th of head.parentElement.children) {
    if (th.hasAttribute("aria-sort")) th.setAttribute("aria-sort", th === head ? direction : "none");
  }
  sorting = { key: button.dataset.sort, sign: direction === "ascending" ? 1 : -1 };
}

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => {
    chooseOrder(button);
    order = sorted(sorting);
    filter();
  });
}
/** Set filters, also in the form, and show which cell of the matrix they are. */
function setFilters(changes) {
  Object.assign(filters, changes);
  for (const [name, value] of Object.entries(filters)) {
    const input = document.getElementById(name);
    if (input && input.value !== value) input.value = value;
  }
  for (const button of document.querySelectorAll("[data-predicted]")) {
    const { truth, predicted } = button.dataset;
    button.setAttribute("aria-pressed", truth === filters.truth && predicted === filters.class);
  }
  filter();
}

for (const name of Object.keys(filters)) {
  const input = document.getElementById(name);
  input?.addEventListener("input", () => setFilters({ [name]: input.value }));
}
for (const button of document.querySelectorAll("[data-predicted]")) {
  button.style.setProperty("--share", button.dataset.share);
  button.addEventListener("click", () => {
    const isSet = button.getAttribute("aria-pressed") === "true";
    const { truth, predicted } = button.dataset;
    setFilters({ truth: isSet ? "" : truth, class: isSet ? "" : predicted, answer: "" });
    if (!isSet) document.getElementById("filters").scrollIntoView({ block: "nearest" });
  });
}
document.getElementById("clear")?.addEventListener("click", () => {
  setFilters({ find: "", status: "", class: "", truth: "", answer: "" });
});
document.getElementById("page").addEventListener("change", (event) => {
  const { value, max } = event.target;
  goToPage(Math.min(Math.max(Math.round(Number(value)) || 1, 1), Number(max)) - 1);
});
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
if ("answer" in columns) chooseOrder(document.querySelector("[data-sort=answer]"));
filter();
new Words(document.getElementById("glossary"));
