"use strict";
// The command that draws a span of this clip, or writes this page as one file, ready to copy.

const COMMAND_VIEWS = ["overlay", "side-by-side", "strip"]; // of --layout; grids are of the page only

/** "a b" -> "'a b'", as the shell of this system takes it. */
function shellWord(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (navigator.platform.startsWith("Win")) return `"${text.replaceAll('"', "")}"`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** `--name value`, or `--name=value` where the value could be taken for an option. */
function commandOption(name, value) {
  const text = String(value);
  return text.startsWith("-") ? shellWord(`--${name}=${text}`) : `--${name} ${shellWord(text)}`;
}

/** The folder of this page, if the page knows it; else its name, or DIR. */
function resultFolder() {
  const folder = location.pathname.replace(/[^/]*$/, "");
  let path;
  try {
    path = decodeURIComponent(folder);
  } catch {
    return "DIR"; // a name that is no text
  }
  if (plain(path) !== path || path.includes("\n")) return "DIR";
  if (location.protocol === "file:") return path.replace(/^\/(?=[A-Za-z]:)/, "").replace(/(.)\/$/, "$1");
  return path.split("/").at(-2) || "DIR";
}

/** The command's words for what the state shows; `format`: gif, mp4 or html. */
function exportCommand(data, state, [first, last], format) {
  const words = ["video-cam export", shellWord(resultFolder()), `--format ${format}`];
  if (format === "html") return words.join(" ");
  words.push(`--frames ${first} ${last}`);
  const chosen = data.maps.find(
    (map) => !map.is_part && map.class_id === state.class_id && map.layer === state.layer && map.method === state.method,
  );
  const map = chosen ?? data.maps.find(({ class_id }) => class_id === state.class_id);
  for (const [name, key] of [["class-id", "class_id"], ["layer", "layer"], ["method", "method"]]) {
    if (new Set(data.maps.map((one) => one[key])).size > 1) words.push(commandOption(name, map[key]));
  }
  const layout = COMMAND_VIEWS.includes(state.view) ? state.view : "overlay";
  const shown = { layout, colormap: state.colormap, alpha: state.opacity, normalize: state.normalize };
  for (const [name, value] of Object.entries(shown)) {
    if (value !== data.command_defaults[name]) words.push(commandOption(name, value));
  }
  if (state.contours) words.push(`--contours ${data.contours.join(" ")}`);
  return words.join(" ");
}
