"use strict";
// The state of the view, and who is told when it changes.

const CHOICES = ["class_id", "method", "layer", "colormap", "normalize", "view"];
const SHARES = ["opacity", "threshold"];
const SWITCHED = ["dim", "outline"];

class App {
  constructor(data) {
    this.data = data;
    this.timeline = new Timeline(data.timeline);
    this.choices = choicesOf(data);
    this.usual = this._usualState();
    this.state = { ...this.usual };
    this.video = document.getElementById("video");
    this.maps = new MapStore(data.maps, this.timeline);
    this.masses = data.maps.map((map) => [...unpack(map.mass)]);
    this.scores = new Map(data.classes.map((row) => [row.class_id, [...unpack(row.curve)]]));
    this.colours = new Map(
      Object.entries(data.colormaps).map(([name, map]) => [name, fromBase64(map.colours)]),
    );
    this.player = new Player(this.video, this.timeline, data.clip, (frame) => this._arrive(frame));
    this.stage = new Stage(document.getElementById("stage"), data, (...at) => this._source(...at));
    this.link = new ViewLink(this.usual, (changes) => this.set(this._possible(changes)));
    this.controls = new Controls(document.getElementById("controls"), data, (c) => this.set(c));
    this.readout = new Readout(data, this.timeline, this.scores);
    this.strip = new KeyframeStrip(document.getElementById("strip"), data, this.maps, (frame) =>
      this.goto(frame),
    );
    this.scrub = new ScrubBar(
      document.getElementById("scrub"),
      this.timeline,
      (frame) => this.set({ frame_index: frame }),
      (loop) => this.set({ loop }),
    );
    this._listen();
    this.ready = this._open();
  }

  _usualState() {
    const [first] = this.data.maps;
    const { colormap, opacity, normalize, view } = this.data.look;
    return {
      frame_index: this.timeline.first,
      class_id: first.class_id,
      method: first.method,
      layer: first.layer,
      opacity,
      colormap,
      threshold: 0,
      normalize,
      view,
      dim: true,
      outline: false,
      loop: null,
    };
  }

  async _open() {
    await this.player.open(this.data.clip.file);
    if (this.player.failed) this.say(`this browser cannot play ${this.data.clip.file}`);
    this.state = this._settled(this._possible(this.link.read()));
    await this._refresh();
    document.body.dataset.ready = "";
  }

  /** Resolves when the picture is drawn. */
  async goto(frame_index) {
    await this.set({ frame_index });
  }

  /** Change any of the state; resolves when the picture is drawn, refuses what cannot be. */
  async set(changes) {
    await this.ready;
    const problem = Object.entries(changes).map((change) => this._problem(...change)).find(Boolean);
    if (problem) throw new RangeError(problem);
    if (this.player.playing && "frame_index" in changes) await this.player.pause();
    this.state = this._settled(changes);
    await this._refresh();
  }

  /** Why a value is not possible, or nothing. */
  _problem(key, value) {
    const expected = {
      frame_index: `a frame from ${this.timeline.first} to ${this.timeline.last}`,
      loop: "two frames of the clip, the first not after the last, or null",
    };
    if (CHOICES.includes(key)) expected[key] = [...this.choices[key].keys()].join(", ");
    if (SHARES.includes(key)) expected[key] = "a number from 0 to 1";
    if (SWITCHED.includes(key)) expected[key] = "true or false";
    if (!(key in expected)) return `${key} cannot be set; there are ${Object.keys(this.usual).join(", ")}`;
    return this._fits(key, value) ? undefined : `${key} ${value}: expected ${expected[key]}`;
  }

  _fits(key, value) {
    const isFrame = (frame) => Number.isInteger(frame) && this.timeline.clamp(frame) === frame;
    if (key === "frame_index") return isFrame(value);
    if (key === "loop") return value === null || (value.every(isFrame) && value[0] <= value[1]);
    if (CHOICES.includes(key)) return this.choices[key].has(value);
    if (SHARES.includes(key)) return typeof value === "number" && value >= 0 && value <= 1;
    return typeof value === "boolean";
  }

  /** Of what a link asks for, that which can be. */
  _possible(changes) {
    return Object.fromEntries(
      Object.entries(changes).filter((change) => !this._problem(...change)),
    );
  }

  /** The state with changes, on a map that is there: what was not asked for gives way. */
  _settled(changes) {
    const next = { ...this.state, ...changes };
    const misfit = (map) =>
      ["class_id", "layer", "method"].reduce(
        (sum, key) => sum + (map[key] === next[key] ? 0 : key in changes ? 10 : 1),
        0,
      );
    const map = this.data.maps.reduce((best, m) => (misfit(m) < misfit(best) ? m : best));
    return { ...next, class_id: map.class_id, layer: map.layer, method: map.method };
  }

  get chosen() {
    const { class_id, layer, method } = this.state;
    return this.data.maps.findIndex(
      (map) => map.class_id === class_id && map.layer === layer && map.method === method,
    );
  }

  /** What the panels have to know to draw. */
  get look() {
    return { ...this.state, colours: this.colours.get(this.state.colormap), map: this.chosen };
  }

  frameOf(map) {
    return this.maps.peek(map, this.player.shown ?? this.state.frame_index);
  }

  async _refresh() {
    const { frame_index, view, loop } = this.state;
    this.player.loop = loop ?? undefined;
    this.stage.arrange(view, this.chosen);
    this.controls.show(this.state, this.look.colours);
    this.strip.update(this.look);
    const jump = this.player.playing ? undefined : this.player.show(frame_index);
    const maps = this.maps.load(this.stage.maps, frame_index);
    await Promise.all([jump, maps.catch((error) => this.say(error.message))]);
    this.draw();
    this.link.write(this.state);
  }

  /** The video shows another frame. */
  _arrive(frame) {
    if (this.player.playing) this.state.frame_index = frame;
    if (this.stage.panels.some((panel) => !this.maps.peek(panel.index, frame))) {
      this.maps.load(this.stage.maps, frame).then(
        () => this.draw(),
        () => {},
      );
    }
    this.draw();
    if (!this.player.playing) this.link.write(this.state);
  }

  draw() {
    const { state, chosen, data } = this;
    const frame = this.player.shown ?? state.frame_index;
    this.stage.draw((map) => this.frameOf(map), this.look, (panel) => this._describe(panel));
    this.readout.show(frame, state, this.frameOf(chosen), this.player.playing);
    this.strip.mark(frame, !this.player.playing);
    this.scrub.draw({
      frame,
      loop: state.loop,
      mass: this.masses[chosen],
      score: this.scores.get(state.class_id),
      others: [...this.scores].filter(([id]) => id !== state.class_id).map(([, curve]) => curve),
      keyframes: data.keyframes,
    });
    document.getElementById("play").textContent = this.player.playing ? "❚❚" : "▶";
    document.getElementById("play").ariaLabel = this.player.playing ? "Pause" : "Play";
    document.getElementById("loop").setAttribute("aria-pressed", String(state.loop !== null));
  }

  _describe({ kind, map, index }) {
    if (kind === "source") return "source";
    const share = this.frameOf(index)?.probability;
    const score = share === undefined ? "" : ` ${percent(share)}`;
    const untrained = this.data.model.trained ? "" : " · untrained network";
    return `${map.label}${score} · ${map.method} · ${map.layer}${untrained}`;
  }

  describePlace() {
    return `${this.data.title} · ${this.readout.place.textContent} · ${this.data.model.name}`;
  }

  pictureName() {
    const stem = this.data.title.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "_");
    return `${stem}_${String(this.state.frame_index).padStart(6, "0")}.png`;
  }

  /** The frame of the video at this moment, without the encoder's padding. */
  _source(context, width, height) {
    if (this.player.failed || this.video.readyState < 2) return;
    const { clip } = this.data;
    const across = (this.video.videoWidth * clip.width) / clip.coded_width;
    const down = (this.video.videoHeight * clip.height) / clip.coded_height;
    context.drawImage(this.video, 0, 0, across, down, 0, 0, width, height);
  }

  /** Have the clip in a form whose pixels a page from disk may read. */
  async openReadable() {
    const blob = await readableClip(this.data.clip);
    await this.player.open(URL.createObjectURL(blob));
    await this.player.show(this.state.frame_index);
  }

  async togglePlay() {
    await this.ready;
    if (this.player.playing) await this.player.pause();
    else await this.player.play();
    this.draw();
    this.link.write(this.state);
  }

  gotoKeyframe(direction) {
    const { frame_index } = this.state;
    const { keyframes } = this.data;
    const next =
      direction > 0
        ? keyframes.find((frame) => frame > frame_index)
        : keyframes.findLast((frame) => frame < frame_index);
    return next === undefined ? undefined : this.goto(next);
  }

  /** The span that is looped begins ("first") or ends ("last") at this frame. */
  markSpan(end) {
    const { frame_index: here, loop } = this.state;
    const [first, last] = loop ?? [this.timeline.first, this.timeline.last];
    return this.set({
      loop: end === "first" ? [here, Math.max(here, last)] : [Math.min(first, here), here],
    });
  }

  toggleLoop() {
    const whole = [this.timeline.first, this.timeline.last];
    return this.set({ loop: this.state.loop ? null : whole });
  }

  chooseClass(position) {
    const class_id = [...this.choices.class_id.keys()][position];
    return class_id === undefined ? undefined : this.set({ class_id });
  }

  nextView() {
    const views = [...this.choices.view.keys()];
    return this.set({ view: views[(views.indexOf(this.state.view) + 1) % views.length] });
  }

  say(message) {
    document.getElementById("message").textContent = message;
  }

  /** Tell how an action ended. */
  tell(action) {
    return action.then(
      (message) => this.say(message),
      (error) => this.say(`that did not work: ${error.message}`),
    );
  }

  _listen() {
    const { timeline } = this;
    const move = (frames) => this.set({ frame_index: timeline.clamp(this.state.frame_index + frames) });
    const actions = {
      first: () => this.goto(timeline.first),
      back10: () => move(-10),
      back: () => move(-1),
      play: () => this.togglePlay(),
      forward: () => move(1),
      forward10: () => move(10),
      last: () => this.goto(timeline.last),
      from: () => this.markSpan("first"),
      to: () => this.markSpan("last"),
      loop: () => this.toggleLoop(),
      save: () => this.tell(savePicture(this)),
      copy: () => this.tell(copyPicture(this)),
      share: () => this.tell(copyLink()),
    };
    for (const [id, action] of Object.entries(actions)) {
      document.getElementById(id).addEventListener("click", (event) => {
        if (event.detail) event.currentTarget.blur(); // clicked: the space bar plays again
        action();
      });
    }
    document.getElementById("speed").onchange = ({ target }) =>
      (this.video.playbackRate = Number(target.value));
    const sound = document.getElementById("sound");
    if (sound) sound.onchange = () => (this.video.muted = !sound.checked);
    for (const [keys, does] of KEYS) {
      document
        .getElementById("keys")
        .append(element("dt", {}, element("kbd", {}, keys)), element("dd", {}, does));
    }
    listenToKeys(this);
  }
}

const app = new App(DATA);

window.videoCam = {
  ready: app.ready,
  goto: (frame_index) => app.goto(frame_index),
  set: (changes) => app.set(changes),
  get state() {
    const { frame_index } = app.state;
    return { ...app.state, pts_seconds: app.timeline.seconds(frame_index) };
  },
};
