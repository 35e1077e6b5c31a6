"use strict";
// The view as one picture: all panels, their captions, the colours' scale, what it shows.

const TEXT_SHARE = 0.06; // of a panel's height
const MIN_TEXT_SIZE = 12; // pixels
const MAX_BAR_WIDTH = 30; // text sizes
const LINE = 1.4; // text sizes

/** As many panels side by side as the page shows, or more, so that the lines are full. */
function pictureColumns(count, columns) {
  let full = Math.min(columns, count);
  while (count % full) full += 1;
  return full;
}

/** The words of a text in lines of at most `room` pixels; a longer word has a line of its own. */
function wrapped(context, text, room) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && context.measureText(longer).width <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** One canvas with all panels in the order of the page, drawn anew, with square pixels. */
function composeView(app) {
  const { panels } = app.stage;
  const { canvas } = panels[0];
  const [width, height] = [Math.round(canvas.width * DATA.clip.pixel_aspect), canvas.height];
  const size = Math.max(MIN_TEXT_SIZE, Math.round(height * TEXT_SHARE));
  const columns = pictureColumns(panels.length, app.stage.columns);
  const context = element("canvas").getContext("2d");
  context.font = `${size}px system-ui, sans-serif`;
  const captions = panels.map((panel) => wrapped(context, panel.caption.textContent, width - size));
  const below = linesHeight(Math.max(...captions.map((lines) => lines.length)), size);
  const notes = pictureNotes(app).flatMap((note) => wrapped(context, note, width * columns - size));
  const footer = linesHeight(notes.length, size) + barHeight(app, size);
  const rows = panels.length / columns;
  Object.assign(context.canvas, { width: width * columns, height: (height + below) * rows + footer });
  context.font = `${size}px system-ui, sans-serif`; // a canvas of another size forgets it
  context.fillStyle = "#111";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  panels.forEach((panel, i) => {
    const [x, y] = [(i % columns) * width, Math.floor(i / columns) * (height + below)];
    const single = element("canvas", { width: canvas.width, height });
    panel.draw(app.stage.drawSource, app.frameOf(panel.index), app.options, single);
    context.drawImage(single, x, y, width, height);
    writeLines(context, captions[i], x, y + height, width, size);
  });
  const top = (height + below) * rows;
  writeLines(context, notes, 0, top, context.canvas.width, size);
  if (barHeight(app, size)) drawColourBar(context, app, top + linesHeight(notes.length, size), size);
  return context.canvas;
}

/** What a picture says below its panels. */
function pictureNotes(app) {
  const { zoom } = app.state;
  const [left, top, across, down] = visiblePart(zoom, DATA.clip).map(Math.round);
  return [
    app.describePlace(),
    ...(zoom ? [`magnified: ${across}×${down} pixels at ${left}, ${top}`] : []),
    ...(app.state.box ? [app.box.text.textContent] : []),
  ];
}

function linesHeight(count, size) {
  return Math.round((count * LINE + 0.5) * size);
}

function writeLines(context, lines, x, y, room, size) {
  context.fillStyle = "#fff";
  context.textBaseline = "top";
  lines.forEach((line, i) =>
    context.fillText(line, x + size / 2, y + size * (0.25 + i * LINE), Math.max(room - size, 1)),
  );
}

/** The height of the colours' scale; 0 where no panel shows heat. */
function barHeight(app, size) {
  return app.stage.panels.some(({ kind }) => kind !== "source") ? Math.round(size * 2.7) : 0;
}

/** The colours from no heat to full heat, and what full heat is. */
function drawColourBar(context, app, top, size) {
  const { colours, threshold, normalize } = app.options;
  const width = Math.min(context.canvas.width - size, MAX_BAR_WIDTH * size);
  const line = element("canvas", { width: 256, height: 1 });
  const image = new ImageData(256, 1);
  new Uint32Array(image.data.buffer).set(palette(colours, () => 1, threshold));
  line.getContext("2d").putImageData(image, 0, 0);
  context.strokeStyle = context.fillStyle = "#fff";
  context.drawImage(line, size / 2, top, width, size);
  context.strokeRect(size / 2, top, width, size);
  context.textBaseline = "top";
  context.fillText("0", size / 2, top + size * 1.2);
  context.textAlign = "right";
  const full = `full heat: ${NORMALIZATIONS[normalize]}`;
  context.fillText(full, size / 2 + width, top + size * 1.2, width - 2 * size);
  context.textAlign = "left";
}
