"use strict";
// The form beside the picture; each control changes one value of the state.

const VIEWS = {
  overlay: "Overlay",
  "side-by-side": "Source | overlay",
  strip: "Source | heat | overlay",
  classes: "Compare classes",
  methods: "Compare methods",
  layers: "Compare layers",
  details: "Compare details",
};
const DETAILS = {
  none: "none: the layer's own cells",
  layers: "finer layers",
  input: "input attribution",
};
const NORMALIZATIONS = {
  video: "largest value in the video",
  window: "largest in the window",
  frame: "largest in this frame",
};

/** The possible values of each choice in the state: {key: Map(value -> text)}. */
function choicesOf(data) {
  const distinct = (pick) => new Map(data.maps.map((map) => pick(map)));
  const choices = {
    class_id: distinct((map) => [map.class_id, map.label]),
    method: distinct((map) => [map.method, map.method]),
    layer: distinct((map) => [map.layer, map.layer]),
    detail: distinct((map) => [map.detail, DETAILS[map.detail] ?? map.detail]),
    colormap: new Map(Object.keys(data.colormaps).map((name) => [name, name])),
    normalize: new Map(Object.entries(NORMALIZATIONS)),
  };
  const several = {
    classes: choices.class_id,
    methods: choices.method,
    layers: choices.layer,
    details: choices.detail,
  };
  choices.view = new Map(
    Object.entries(VIEWS).filter(([name]) => !several[name] || several[name].size > 1),
  );
  return choices;
}

const FIELDS = [
  ["class_id", "Class", "whole"],
  ["method", "Method", "half"],
  ["layer", "Layer", "half"],
  ["detail", "Detail", "whole"],
  ["view", "View", "whole"],
  ["colormap", "Colours", "whole"],
  ["normalize", "Full heat is the", "whole"],
];
const SLIDERS = [
  ["opacity", "Opacity"],
  ["threshold", "Hide heat below"],
];
const SWITCHES = [
  ["contours", "Contour lines of the heat"],
  ["dim", "Darken what the network did not see"],
  ["outline", "Outline what it saw"],
];

class Controls {
  /** `onChange({key: value})` is called when the user changes a value. */
  constructor(form, data, onChange) {
    this.inputs = new Map();
    this.outputs = new Map();
    this.colormaps = data.colormaps;
    const choices = choicesOf(data);
    for (const [key, label, width] of FIELDS) {
      if (key === "detail" && choices.detail.size === 1) continue; // a description has it
      const keys = [...choices[key].keys()];
      const select = element("select", { id: key });
      select.append(...(key === "colormap" ? this._groups() : options(choices[key])));
      select.onchange = () => onChange({ [key]: keys.find((k) => String(k) === select.value) });
      this._add(form, key, label, width, select);
      if (key === "colormap") form.append(this._legend());
    }
    for (const [key, label] of SLIDERS) {
      const range = element("input", { id: key, type: "range", min: 0, max: 1, step: 0.01 });
      range.oninput = () => onChange({ [key]: Number(range.value) });
      const output = element("output", { htmlFor: key });
      this.outputs.set(key, output);
      this._add(form, key, label, "whole", range, output);
    }
    for (const [key, label] of SWITCHES) {
      const box = element("input", { id: key, type: "checkbox" });
      box.onchange = () => onChange({ [key]: box.checked });
      this.inputs.set(key, box);
      form.append(element("label", { className: "switch" }, box, label));
    }
  }

  _add(form, key, label, width, input, ...more) {
    this.inputs.set(key, input);
    const name = element("label", { htmlFor: key }, label);
    form.append(element("div", { className: `field ${width}` }, name, input, ...more));
  }

  _groups() {
    const names = Object.keys(this.colormaps);
    return [
      ["For every colour vision", names.filter((name) => this.colormaps[name].safe)],
      ["Others", names.filter((name) => !this.colormaps[name].safe)],
    ].map(([label, group]) =>
      element("optgroup", { label }, ...options(new Map(group.map((name) => [name, name])))),
    );
  }

  _legend() {
    this.legend = element("canvas", { width: 256, height: 1, className: "legend", role: "img" });
    this.legend.setAttribute("aria-label", "Colours from no heat on the left to full heat on the right");
    const ends = element("div", { className: "ends" }, element("span", {}, "0"));
    ends.append(element("span", {}, "full heat"));
    return element("div", { className: "scale" }, this.legend, ends);
  }

  show(state, colours) {
    for (const [key, input] of this.inputs) {
      if (input.type === "checkbox") input.checked = state[key];
      else input.value = String(state[key]);
    }
    for (const [key, output] of this.outputs) output.value = `${Math.round(state[key] * 100)}\u00a0%`;
    const image = new ImageData(256, 1);
    const colourWords = palette(colours, () => 1, state.threshold);
    new Uint32Array(image.data.buffer).set(colourWords);
    this.legend.getContext("2d").putImageData(image, 0, 0);
  }
}

function options(choices) {
  return [...choices].map(([value, text]) => element("option", { value: String(value) }, text));
}
