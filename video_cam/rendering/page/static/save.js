"use strict";
// The view as a PNG with captions, and as a link.

const TEXT_HEIGHT = 0.06; // of a panel's height
const MIN_TEXT_HEIGHT = 12; // pixels

/** One canvas with all panels in the order of the page, drawn anew. */
function composeView(app) {
  const { panels } = app.stage;
  const { width, height } = panels[0].canvas;
  const size = Math.max(MIN_TEXT_HEIGHT, Math.round(height * TEXT_HEIGHT));
  const columns = app.stage.columns;
  const lines = Math.ceil(panels.length / columns);
  const footer = size * 2;
  const whole = element("canvas", {
    width: width * columns,
    height: (height + footer) * lines + footer,
  });
  const context = whole.getContext("2d");
  context.fillStyle = "#111";
  context.fillRect(0, 0, whole.width, whole.height);
  const write = (text, x, y, room) => {
    context.fillStyle = "#fff";
    context.font = `${size}px system-ui, sans-serif`;
    context.fillText(text, x + size / 2, y + size * 1.4, room - size);
  };
  panels.forEach((panel, i) => {
    const x = (i % columns) * width;
    const y = Math.floor(i / columns) * (height + footer);
    const single = element("canvas", { width, height });
    panel.draw(app.stage.drawSource, app.frameOf(panel.index), app.options, single);
    context.drawImage(single, x, y);
    write(panel.caption.textContent, x, y + height, width);
  });
  write(app.describePlace(), 0, whole.height - footer, whole.width);
  return stretched(whole, DATA.clip.pixel_aspect);
}

/** The canvas with square pixels. */
function stretched(canvas, aspect) {
  if (aspect === 1) return canvas;
  const wide = element("canvas", {
    width: Math.round(canvas.width * aspect),
    height: canvas.height,
  });
  wide.getContext("2d").drawImage(canvas, 0, 0, wide.width, wide.height);
  return wide;
}

/** `composeView` with pixels that may be read: from disk, the video comes from a script or file. */
async function readableView(app) {
  const whole = composeView(app);
  try {
    whole.getContext("2d").getImageData(0, 0, 1, 1);
    return whole;
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
    await app.openReadable();
    return composeView(app);
  }
}

async function viewAsPng(app) {
  return toPng(await readableView(app));
}

function toPng(canvas) {
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error("the picture is too large"))),
      "image/png",
    ),
  );
}

/** The clip with pixels that the page may read: from its script, or a file the user chooses. */
async function readableClip(clip) {
  if (clip.in_script) return new Blob([await loadBytes("clip")], { type: clip.type });
  const chooser = document.getElementById("chooser");
  return new Promise((resolve, reject) => {
    chooser.oncancel = () => reject(new Error(`choose ${clip.file} to save pictures from disk`));
    chooser.onchange = () => resolve(chooser.files[0]);
    chooser.click();
  });
}

async function savePicture(app) {
  const blob = await viewAsPng(app);
  const link = element("a", { href: URL.createObjectURL(blob), download: app.pictureName() });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  return `saved ${link.download}`;
}

async function copyPicture(app) {
  const blob = viewAsPng(app); // Safari requires the promise itself
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
  return "the picture is on the clipboard";
}

async function copyLink() {
  await navigator.clipboard.writeText(location.href);
  return "the link is on the clipboard";
}
