"use strict";
// A row of the table of clips.

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

function cell(key, heading, texts) {
  const { children = [], ...properties } = CELLS[key](texts);
  const made = element("td", properties, ...children);
  made.dataset.name = heading;
  return made;
}

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

/**
 * The row of a clip.
 * @param columns key -> heading, the name's first.
 * @param picture the path of a clip's picture in the folder of its results.
 */
function drawRow({ texts: file, position }, columns, picture) {
  const texts = file.at(position);
  const base = file.results(position);
  const small = element("td", { className: "picture" });
  const head = element("th", { scope: "row" });
  if (base === null) {
    head.append(texts.name);
  } else {
    const page = `${base}/index.html`;
    const image = element("img", { src: `${base}/${picture}`, loading: "lazy", alt: "" });
    const link = element("a", { href: page, tabIndex: -1 }, image);
    link.setAttribute("aria-hidden", "true");
    image.addEventListener("error", () => link.remove());
    small.append(link);
    head.append(element("a", { href: page }, texts.name));
  }
  head.append(element("span", { className: "path", textContent: texts.path }));
  const others = Object.entries(columns).slice(1);
  return element("tr", {}, small, head, ...others.map(([key, text]) => cell(key, text, texts)));
}
