"use strict";
// Sort, filter and page through the clips. Only the rows of one page are in the document: a browser
// takes half a minute for 100,000 rows of a table.

const ROWS_PER_PAGE = 200;
const { columns, labels, truths, statuses, folders, notes, rows } = JSON.parse(
  document.getElementById("data").textContent,
);
const numRows = rows.name.length;
const body = document.getElementById("clips");
const collator = new Intl.Collator(undefined, { numeric: true });
const filters = { find: "", status: "", class: "", truth: "", answer: "" };
const hasAnswers = "answer" in columns; // key -> heading

let order = Uint32Array.from({ length: numRows }, (_, index) => index); // as sorted
let shown = order; // those of them that pass the filters
let pageIndex = 0;

/** The texts of a row, as they are drawn and searched. */
function textsOf(index) {
  const folder = folders[rows.folder[index]];
  return {
    name: rows.name[index],
    path: folder + rows.name[index],
    label: labels[rows.label[index]] ?? "",
    truth: truths[rows.truth[index]] ?? "",
    answer: rows.answer[index],
    mass: percent(rows.mass[index]),
    score: rows.shown[index],
    drop: percent(rows.drop[index]),
    sentence: rows.sentence[index],
    motion: percent(rows.motion_share[index]),
    motionSentence: rows.motion_sentence[index],
    duration: clock(rows.duration_seconds[index]),
    status: statuses[rows.status[index]] ?? "",
    error: rows.error[index],
    notes: rows.notes[index].map((position) => notes[position]),
  };
}

function percent(share) {
  return share === null ? "" : `${(100 * share).toFixed(1)} %`;
}

/** 83.25 -> "1:23.25" */
function clock(seconds) {
  if (seconds === null) return "";
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
}

const searched = []; // index -> what the search box looks through, made when it is first used
function searchedText(index) {
  if (searched[index] === undefined) {
    const { sentence, motionSentence, notes: remarks, ...texts } = textsOf(index);
    const lines = [...Object.values(texts), ...remarks.map((note) => note.text)];
    searched[index] = lines.join("\n").toLowerCase();
  }
  return searched[index];
}

function element(kind, properties = {}, ...children) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

function cell(key, texts) {
  const { children = [], ...properties } = CELLS[key](texts);
  const made = element("td", properties, ...children);
  made.dataset.name = columns[key];
  return made;
}

// What each column shows but for the first one, the clip's name.
const CELLS = {
  label: (texts) => ({ textContent: texts.label }),
  truth: (texts) => ({ textContent: texts.truth }),
  answer: (texts) => ({ textContent: texts.answer, className: `answer ${texts.answer}` }),
  score: (texts) => ({ textContent: texts.score, className: "number" }),
  mass: (texts) => ({ textContent: texts.mass, className: "number" }),
  drop: (texts) => ({ textContent: texts.drop, className: "number", title: texts.sentence }),
  motion_share: (texts) => ({
    textContent: texts.motion,
    className: "number",
    title: texts.motionSentence,
  }),
  duration_seconds: (texts) => ({ textContent: texts.duration, className: "number" }),
  status: (texts) => ({ children: statusOf(texts) }),
};

function statusOf(texts) {
  const made = [element("span", { className: `status ${texts.status}` }, texts.status)];
  if (texts.error) made.push(element("span", { className: "error" }, texts.error));
  return made.concat(texts.notes.map(remarkOf));
}

function remarkOf({ text, kind }) {
  const isWarning = kind === "warning";
  const made = element("span", { className: `remark ${kind}` }, text);
  if (isWarning) made.prepend(element("strong", {}, "Warning: "));
  return made;
}

function drawRow(index) {
  const texts = textsOf(index);
  const base = rows.results[index]; // the address of the results' folder
  const picture = element("td", { className: "picture" });
  const head = element("th", { scope: "row" });
  if (base === null) {
    head.append(texts.name);
  } else {
    const page = `${base}/index.html`;
    const image = element("img", { src: `${base}/${body.dataset.picture}`, loading: "lazy", alt: "" });
    const link = element("a", { href: page, tabIndex: -1 }, image);
    link.setAttribute("aria-hidden", "true");
    image.addEventListener("error", () => link.remove());
    picture.append(link);
    head.append(element("a", { href: page }, texts.name));
  }
  head.append(element("span", { className: "path", textContent: texts.path }));
  return element("tr", {}, picture, head, ...Object.keys(columns).slice(1).map((key) => cell(key, texts)));
}

function drawPage() {
  const first = pageIndex * ROWS_PER_PAGE;
  body.replaceChildren(...Array.from(shown.subarray(first, first + ROWS_PER_PAGE), drawRow));
  const last = Math.max(0, Math.ceil(shown.length / ROWS_PER_PAGE) - 1);
  document.getElementById("pages").hidden = last === 0;
  Object.assign(document.getElementById("page"), { value: pageIndex + 1, max: last + 1 });
  document.getElementById("last").textContent = last + 1;
  for (const button of document.querySelectorAll("[data-page]")) {
    const target = { first: 0, previous: pageIndex - 1, next: pageIndex + 1, last };
    const wanted = Math.min(Math.max(target[button.dataset.page], 0), last);
    button.disabled = wanted === pageIndex;
    button.onclick = () => goToPage(wanted);
  }
}

function goToPage(index) {
  pageIndex = index;
  drawPage();
  document.querySelector(".clips").scrollIntoView();
}

/** Keep the rows that pass the filters, and draw the first page of them. */
function filter() {
  const words = filters.find.toLowerCase().split(/\s+/).filter(Boolean);
  const status = statuses.indexOf(filters.status);
  const label = labels.indexOf(filters.class);
  const truth = truths.indexOf(filters.truth);
  shown = order.filter(
    (index) =>
      (!filters.status || rows.status[index] === status) &&
      (!filters.class || rows.label[index] === label) &&
      (!filters.truth || rows.truth[index] === truth) &&
      (!filters.answer || rows.answer[index] === filters.answer) &&
      words.every((word) => searchedText(index).includes(word)),
  );
  pageIndex = 0;
  drawPage();
  document.getElementById("count").value = `${shown.length} of ${numRows} shown`;
}

/** Numbers that sort as the values of a column do; null where a value is missing. */
function sortKeys(key) {
  if (key === "name") return ranks(rows.name);
  if (key === "answer") return rows.answer.map(concern);
  const table = { label: labels, truth: truths, status: statuses }[key];
  if (table === undefined) return rows[key];
  const ofTable = ranks(table);
  return rows[key].map((index) => ofTable[index] ?? null);
}

/** Errors before right answers: of the errors the most confident first, of the others the last. */
function concern(answer, index) {
  if (!answer) return null;
  const score = rows.score[index] ?? 0;
  return answer === "wrong" ? 1e9 + score : -score;
}

/** The positions of texts among all of them, where numbers in a text count as numbers. */
function ranks(texts) {
  const unique = [...new Set(texts)].sort(collator.compare);
  const rankOf = new Map(unique.map((text, rank) => [text, rank]));
  return texts.map((text) => rankOf.get(text));
}

/** Missing values come last in both orders, equal ones in the order of results.jsonl. */
function sorted(key, sign) {
  const keys = sortKeys(key);
  const indices = [...rows.name.keys()];
  const present = indices.filter((index) => keys[index] !== null);
  present.sort((a, b) => sign * (keys[a] - keys[b]) || a - b);
  return Uint32Array.from(present.concat(indices.filter((index) => keys[index] === null)));
}

function sort(button) {
  const head = button.closest("th");
  const first = ["name", "label", "truth"].includes(button.dataset.sort);
  const usual = first ? "ascending" : "descending";
  const other = first ? "descending" : "ascending";
  const direction = head.getAttribute("aria-sort") === usual ? other : usual;
  for (const th of head.parentElement.children) {
    if (th.hasAttribute("aria-sort")) th.setAttribute("aria-sort", th === head ? direction : "none");
  }
  order = sorted(button.dataset.sort, direction === "ascending" ? 1 : -1);
  filter();
}

for (const button of document.querySelectorAll("[data-sort]")) {
  button.addEventListener("click", () => sort(button));
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
if (hasAnswers) sort(document.querySelector("[data-sort=answer]"));
else filter();
new Words(document.getElementById("glossary"));
