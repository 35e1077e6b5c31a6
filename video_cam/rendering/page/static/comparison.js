"use strict";
// Runs side by side: a table of clips, and the videos of one of them in step.

const ROWS_PER_PAGE = 200;
const MAX_DRIFT_SECONDS = 0.03; // less than a frame at 30 per second
const AXIS_HEIGHT = 17; // CSS pixels
const VISIBLE = 1 / 255; // a mean difference of maps in 0 ... 1
const DATA = JSON.parse(document.getElementById("data").textContent);
const { names, clips, hasTruth } = DATA;
const byId = (id) => document.getElementById(id);
const filters = { find: "", change: "" };
const state = { clip: null, frame: 0, playing: false };

let shown = clips.map((_, index) => index);
let pageIndex = 0;
let opened = 0; // counts the clips that were opened: what waits for an earlier one gives up

function element(kind, properties = {}, ...children) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

/** 83.25 -> "1:23.25" */
function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
}

// ---- the table

function cell(name, text, className = "") {
  const made = element("td", { textContent: text, className });
  made.dataset.name = name;
  return made;
}

function mostDifferent(difference) {
  if (!difference) return "";
  const { seconds, x, y, curve } = difference;
  return Math.max(...curve) < VISIBLE ? "nowhere" : `at ${clock(seconds)}, x ${x}, y ${y}`;
}

function drawRow(index) {
  const clip = clips[index];
  const open = element("button", { type: "button", textContent: clip.name });
  open.addEventListener("click", () => openClip(index));
  const head = element("th", { scope: "row" }, open);
  head.append(element("span", { className: "path", textContent: clip.path }));
  const predictions = names.map((name, run) => {
    const isWrong = clip.correct[run] === false;
    return cell(name, `${clip.labels[run]} ${clip.shown[run]}`, isWrong ? "wrong" : "");
  });
  const alike = clip.correlations.map((value) => (value === null ? "–" : value.toFixed(2)));
  const most = mostDifferent(clip.difference);
  const row = element(
    "tr",
    {},
    head,
    cell("prediction", clip.change, `change ${clip.change}`),
    ...(hasTruth ? [cell("truth", clip.truth)] : []),
    ...predictions,
    cell("correlation", alike.join(", "), "number"),
    cell("differ most", most, "number"),
  );
  row.dataset.clip = index;
  if (state.clip === index) row.setAttribute("aria-current", "true");
  return row;
}

function drawTable() {
  const first = pageIndex * ROWS_PER_PAGE;
  byId("clips").replaceChildren(...shown.slice(first, first + ROWS_PER_PAGE).map(drawRow));
  const numPages = Math.max(1, Math.ceil(shown.length / ROWS_PER_PAGE));
  byId("pages").hidden = numPages === 1;
  byId("page").textContent = `page ${pageIndex + 1} of ${numPages}`;
  byId("previous").disabled = pageIndex === 0;
  byId("next").disabled = pageIndex === numPages - 1;
}

/** A filter for changed predictions also lists those that were fixed or broken. */
function passes(clip) {
  const { change } = filters;
  if (change === "changed" ? clip.change === "same" : change && clip.change !== change) return false;
  const text = [clip.path, clip.truth, ...clip.labels].join("\n").toLowerCase();
  return filters.find.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function filter() {
  shown = clips.map((_, index) => index).filter((index) => passes(clips[index]));
  pageIndex = 0;
  drawTable();
  byId("count").value = `${shown.length} of ${clips.length} shown`;
}

// ---- the videos

const videos = () => [...document.querySelectorAll("#videos video")];
const numFrames = () => Math.max(0, clips[state.clip].times.length - 1);

function openClip(index) {
  pause();
  state.clip = index;
  opened += 1;
  const clip = clips[index];
  byId("playing").textContent = clip.truth ? `${clip.path} – truth: ${clip.truth}` : clip.path;
  byId("videos").replaceChildren(
    ...clip.videos.map((video, run) => {
      const player = element("video", { muted: true, playsInline: true, preload: "auto" });
      player.setAttribute("aria-label", `${clip.name} in ${names[run]}`);
      player.src = video.address;
      const caption = `${names[run]}: ${clip.labels[run]} ${clip.shown[run]}`;
      return element("figure", {}, player, element("figcaption", { textContent: caption }));
    }),
  );
  byId("player").hidden = false;
  byId("frame").max = Math.max(0, numFrames() - 1);
  byId("most").disabled = !clip.difference;
  drawTable();
  drawCurve();
  return goTo(clip.difference ? frameAt(clip.difference.seconds) : 0);
}

/** The last frame that appears at or before a time of the clip. */
function frameAt(seconds) {
  const { times } = clips[state.clip];
  let frame = 0;
  while (frame + 2 < times.length && times[frame + 1] <= seconds) frame += 1;
  return frame;
}

/** Show one frame in all videos; resolves when all of them show it. */
async function goTo(frame) {
  const { times, videos: sources } = clips[state.clip];
  if (times.length < 2) return;
  const own = opened;
  state.frame = Math.min(Math.max(frame, 0), numFrames() - 1);
  showPlace();
  // In the middle of the frame: at its ends a browser may round to the one beside it.
  const middle = (times[state.frame] + times[state.frame + 1]) / 2;
  await Promise.all(videos().map((video, run) => seek(video, middle - sources[run].start)));
  if (own === opened) byId("videos").dataset.frame = state.frame;
}

async function seek(video, seconds) {
  if (video.error) return;
  if (video.readyState < 1) await once(video, "loadedmetadata");
  if (Math.abs(video.currentTime - seconds) < 1e-4) return;
  const done = once(video, "seeked");
  video.currentTime = seconds;
  await done;
}

/** Resolves at an event, and also where the video cannot be loaded. */
function once(video, name) {
  return new Promise((resolve) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener("error", resolve, { once: true });
  });
}

function showPlace() {
  const seconds = clips[state.clip].times[state.frame];
  byId("frame").value = state.frame;
  byId("frame").setAttribute("aria-valuetext", `frame ${state.frame}, ${clock(seconds)}`);
  byId("place").textContent = `frame ${state.frame + 1} of ${numFrames()} · ${clock(seconds)}`;
}

async function play() {
  if (state.playing) return pause();
  if (state.frame >= numFrames() - 1) await goTo(0);
  state.playing = true;
  byId("play").textContent = "❚❚";
  byId("play").setAttribute("aria-label", "Pause");
  await Promise.all(videos().map((video) => video.play().catch(() => {})));
  requestAnimationFrame(keepInStep);
}

function pause() {
  state.playing = false;
  byId("play").textContent = "▶";
  byId("play").setAttribute("aria-label", "Play");
  for (const video of videos()) video.pause();
}

/** While they play, the first video leads: the others follow it, and the place is its place. */
function keepInStep() {
  if (!state.playing) return;
  const { videos: sources, times } = clips[state.clip];
  const [leader, ...others] = videos();
  const seconds = leader.currentTime + sources[0].start;
  others.forEach((video, index) => {
    const wanted = seconds - sources[index + 1].start;
    if (Math.abs(video.currentTime - wanted) > MAX_DRIFT_SECONDS) video.currentTime = wanted;
  });
  state.frame = frameAt(seconds);
  showPlace();
  if (leader.ended || leader.error || seconds >= times[times.length - 1]) {
    pause();
    goTo(state.frame);
    return;
  }
  requestAnimationFrame(keepInStep);
}

/** The mean difference of the maps over time with its axis, on the width of the slider. */
function drawCurve() {
  const canvas = byId("curve");
  const { difference, times } = clips[state.clip];
  canvas.hidden = !difference;
  if (!difference) return;
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const { curve, start, step } = difference;
  const most = Math.max(...curve) || 1;
  const [begin, end] = [times[0] ?? 0, times[times.length - 1] ?? 1];
  const place = (seconds) => ((seconds - begin) / (end - begin)) * width;
  const top = height - AXIS_HEIGHT;
  const { color: colour } = getComputedStyle(canvas);
  context.fillStyle = colour;
  curve.forEach((value, index) => {
    const left = place(start + index * step);
    const tall = (value / most) * top;
    context.fillRect(left, top - tall, Math.max(1, place(begin + step) - 1), tall);
  });
  drawTimeAxis(context, { begin, end, clipEnd: end, width, top, colour }, place);
}

function close() {
  pause();
  state.clip = null;
  byId("videos").replaceChildren();
  byId("player").hidden = true;
  drawTable();
}

byId("back").addEventListener("click", () => (pause(), goTo(state.frame - 1)));
byId("forward").addEventListener("click", () => (pause(), goTo(state.frame + 1)));
byId("play").addEventListener("click", play);
byId("close").addEventListener("click", close);
byId("frame").addEventListener("input", (event) => (pause(), goTo(Number(event.target.value))));
byId("most").addEventListener("click", () => {
  pause();
  goTo(frameAt(clips[state.clip].difference.seconds));
});
byId("previous").addEventListener("click", () => ((pageIndex -= 1), drawTable()));
byId("next").addEventListener("click", () => ((pageIndex += 1), drawTable()));
window.addEventListener("resize", () => state.clip !== null && drawCurve());
for (const name of Object.keys(filters)) {
  byId(name).addEventListener("input", (event) => {
    filters[name] = event.target.value;
    filter();
  });
}
byId("filters").addEventListener("submit", (event) => event.preventDefault());
window.videoCamCompare = { state, openClip, goTo };
filter();
