"use strict";
// Large data comes as scripts that call videoCamReceive: a page opened from disk may load a script
// beside it, but may not fetch a file.

const { nonce } = document.currentScript; // without it, the page's policy refuses a script
const awaited = new Map(); // name -> function that takes the text in base64

window.videoCamReceive = (name, text) => awaited.get(name)?.(text);

/** The bytes of `<folder>/<name>.js`, or those that the page itself contains under this name. */
function loadBytes(name) {
  const inlined = document.getElementById(`bytes:${name}`);
  if (inlined) return Promise.resolve(fromBase64(inlined.textContent.trim()));
  return new Promise((resolve, reject) => {
    const script = element("script", { nonce });
    awaited.set(name, (text) => resolve(fromBase64(text)));
    script.onload = () => {
      awaited.delete(name);
      script.remove();
    };
    script.onerror = () => reject(new Error(`${DATA.folder}/${name}.js is missing`));
    script.src = `${DATA.folder}/${name}.js`;
    document.head.append(script);
  });
}

/** The address of a picture of the page. */
function pictureAddress(name) {
  const inlined = document.getElementById(`bytes:${name}`);
  return inlined
    ? `data:image/jpeg;base64,${inlined.textContent.trim()}`
    : `${DATA.folder}/${name}`;
}

function fromBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** What zlib compressed. */
async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

/** Float64Array of the numbers in {dtype, scale, data}. */
function unpack(packed) {
  const raw = new ARRAYS[packed.dtype](fromBase64(packed.data).buffer);
  return Float64Array.from(raw, (level) => level * packed.scale);
}

/** An element with properties, attributes and children; text is never parsed as markup. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
