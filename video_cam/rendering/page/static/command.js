"use strict";
// The command that draws a span of this clip, or writes this page as one file, ready to copy.

const COMMAND_VIEWS = ["overlay", "side-by-side", "strip"]; // of --layout; grids are of the page only

/** "a b" -> "'a b'", as the shell of this system takes it. */
function shellWord(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (navigator.platform.startsWith("Win")) return `"${text.replaceAll('"', "")}"`;
  return `'${text.replaceAll("'", "'\\''")}'`;
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
  const words = [`video-cam export ${format}`, shellWord(resultFolder())];
  if (format === "html") return words.join(" ");
  words.push(`--frames ${first} ${last}`);
  const chosen = data.maps.findIndex((map) => MAP_KEYS.every((key) => map[key] === state[key]));
  // Parts of a map are of the page only; they are of the first one.
  if (chosen > 0 && !data.maps[chosen].is_part) words.push(`--map ${chosen}`);
  const layout = COMMAND_VIEWS.includes(state.view) ? state.view : "overlay";
  const shown = { layout, colormap: state.colormap, alpha: state.opacity, normalize: state.normalize };
  for (const [name, value] of Object.entries(shown)) {
    if (value !== data.command_defaults[name]) words.push(`--${name} ${value}`);
  }
  if (state.contours) words.push(`--contours ${data.contours.join(" ")}`);
  return words.join(" ");
}
