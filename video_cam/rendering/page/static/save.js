"use strict";
// The view as a PNG, and as a link.

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
