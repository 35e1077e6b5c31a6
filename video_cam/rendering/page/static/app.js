"use strict";
// The state of the view, and all parts of the page that change with it.

class App {
  constructor(data) {
    this.data = data;
    this.timeline = new Timeline(data.timeline);
    this.rules = new Rules(data, this.timeline);
    this.state = { ...this.rules.initial };
    this.video = document.getElementById("video");
    this.maps = new MapStore(data.maps);
    this.masses = data.maps.map((map) => [...unpack(map.mass)]);
    this.scores = new Map(data.classes.map((row) => [row.class_id, [...unpack(row.curve)]]));
    this.classColours = new Map(data.classes.map((row) => [row.class_id, row.colour]));
    this.colours = new Map(
      Object.entries(data.colormaps).map(([name, map]) => [name, fromBase64(map.colours)]),
    );
    this.player = new Player(this.video, this.timeline, data.clip, {
      onFrame: (frame) => this._arrive(frame),
      onMove: (frame_index) => (this.state = this.rules.settled(this.state, { frame_index })),
      onMiss: (frame) => this.showMessage(`this browser shows another frame than ${frame}`),
    });
    this.stage = new Stage(document.getElementById("stage"), data, (...on) => this._drawSource(...on));
    this.link = new ViewLink(this.rules, (changes) => this.set(changes));
    this.controls = new Controls(document.getElementById("controls"), data, (c) => this.set(c));
    this.words = new Words(document.getElementById("glossary"));
    this.readout = new Readout(data, this.timeline, this.scores);
    this.strip = new KeyframeStrip(document.getElementById("strip"), data, this.maps, (frame) =>
      this.goto(frame),
    );
    this.scrub = new ScrubBar(document.getElementById("scrub"), this.timeline, {
      onFrame: (frame_index) => this.set({ frame_index }),
      onSpan: (loop) => this.set({ loop }),
      onHover: (frame) => this.pointed.showMoment(frame),
    });
    this.range = new RangeControl(this.scrub, this.timeline, (range) => this.set({ range }));
    this.pointed = new Pointed(this.stage, this.timeline, (map) => this.frameOf(map));
    this.box = new BoxTool(this.stage, data.clip, {
      onBox: (box) => this.set({ box }),
      onMessage: (message) => this.showMessage(message),
    });
    this.boxCurve = new BoxCurve(this.maps, this.timeline, () => this.draw());
    this.truthPlaces = data.truth && new TruthPlaces(data.truth);
    if (data.truth) this.scrub.layers.push((...on) => drawTruth(data.truth, ...on));
    this.scrub.layers.push((...on) => drawBoxCurve(this.boxCurve.values, ...on));
    this.zoom = new PictureZoom(this.stage, data.clip, (zoom) => this.set({ zoom }));
    this.help = new Help();
    prepareFullscreen();
    foldFacts();
    const colour = this.classColours.get(data.maps[0].class_id);
    const panel = document.getElementById("frame-test");
    this.frameTest = panel && new FrameTest(panel, data.frame_test, colour, (f) => this.goto(f));
    this.marks = new MarksPanel(this);
    this.scrub.layers.push((...on) => drawMarks(this.marks.marks, ...on));
    this.exports = new ExportPanel(this);
    listenToButtons(this);
    listenToKeys(this);
    this.ready = this._open();
  }

  async _open() {
    const { clip } = this.data;
    const inlined = document.getElementById("bytes:clip");
    await this.player.open(inlined ? URL.createObjectURL(await readableClip(clip)) : clip.file);
    if (this.player.failed) this.showMessage(`this browser cannot play ${clip.file}`);
    this.state = this.rules.settled(this.state, this.link.read());
    await this._refresh();
    document.body.dataset.ready = "";
  }

  /** Resolves when the picture is drawn. */
  async goto(frame_index) {
    await this.set({ frame_index });
  }

  /** Change values of the state; resolves when the picture is drawn, rejects impossible values. */
  async set(changes) {
    await this.ready;
    for (const change of Object.entries(changes)) {
      const problem = this.rules.problem(...change);
      if (problem) throw new RangeError(problem);
    }
    if (this.player.playing && "frame_index" in changes) await this.player.pause();
    this.state = this.rules.settled(this.state, changes);
    await this._refresh();
  }

  get chosen() {
    return this.data.maps.findIndex((map) => MAP_KEYS.every((key) => map[key] === this.state[key]));
  }

  /** The state with the colours and the chosen map's number, for drawing. */
  get options() {
    const truth = this.truthPlaces?.at(this.player.shown ?? this.state.frame_index) ?? [];
    return { ...this.state, colours: this.colours.get(this.state.colormap), map: this.chosen, truth };
  }

  frameOf(map) {
    return this.maps.peek(map, this.player.shown ?? this.state.frame_index);
  }

  async _refresh() {
    const { frame_index, view, loop, zoom, box } = this.state;
    this.player.loop = loop ?? undefined;
    this.stage.arrange(view, this.chosen);
    this.zoom.show(zoom);
    this.boxCurve.update(this.chosen, box);
    this.controls.show(this.state, this.options.colours);
    this.marks.show(this.state);
    this.exports.show(this.state);
    this.strip.update(this.options);
    const jump = this.player.playing ? undefined : this.player.show(frame_index);
    const maps = this.maps.load(this.stage.maps, frame_index);
    await Promise.all([jump, maps.catch((error) => this.showMessage(error.message))]);
    this.draw();
    this.link.write(this.state);
  }

  /** Another frame of the video can be drawn. */
  _arrive(frame) {
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
    this.stage.draw((map) => this.frameOf(map), this.options, (panel) => this._describe(panel));
    const [map, shown] = [data.maps[chosen], this.frameOf(chosen)];
    const inBox = this.box.show(state.box, state.zoom, map, shown, state.normalize);
    this.readout.show(frame, state, shown, this.player.playing, map, inBox);
    this.pointed.show(frame, state.normalize);
    this.strip.mark(frame, !this.player.playing);
    this.scrub.draw({
      frame,
      loop: state.loop,
      range: state.range,
      mass: { values: this.masses[chosen], colour: this.classColours.get(state.class_id) },
      score: this._curveOf(state.class_id),
      others: [...this.scores.keys()].filter((id) => id !== state.class_id).map((id) => this._curveOf(id)),
      keyframes: data.keyframes,
      peaks: map.peaks,
      added: this.frameTest?.curve ?? [],
    });
    this.range.draw();
    this.frameTest?.draw(frame);
    document.getElementById("play").textContent = this.player.playing ? "❚❚" : "▶";
    document.getElementById("play").ariaLabel = this.player.playing ? "Pause" : "Play";
    document.getElementById("loop").setAttribute("aria-pressed", String(state.loop !== null));
  }

  /** A class's scores over time, and its colour: the one in timeline.png. */
  _curveOf(class_id) {
    return { values: this.scores.get(class_id), colour: this.classColours.get(class_id) };
  }

  _describe({ kind, map, index }) {
    if (kind === "source") return "source";
    const score = this.frameOf(index)?.score;
    const row = this.data.classes.find(({ class_id }) => class_id === map.class_id);
    const text = score === undefined ? "" : ` ${scoreText(score, row.is_probability)}`;
    const untrained = this.data.model.trained ? "" : " · untrained network";
    const label = labelAt(map, this.data.windows, this.state.frame_index);
    const isPlain = map.detail === "none" && this.rules.choices.detail.size === 1;
    const detail = isPlain ? "" : ` · detail: ${map.detail}`;
    return `${label}${text} · ${map.method} · ${map.layer}${detail}${untrained}`;
  }

  describePlace() {
    return `${this.data.title} · ${this.readout.place.textContent} · ${this.data.model.name}`;
  }

  redrawScrub() {
    this.scrub.draw(this.scrub.shown);
  }

  /** The clip's name as the start of a file's name. */
  stem() {
    return this.data.title.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "_");
  }

  pictureName() {
    return `${this.stem()}_${String(this.state.frame_index).padStart(6, "0")}.png`;
  }

  /** Draw the current frame of the video, without the encoder's padding, at [left, top, width, height]. */
  _drawSource(context, ...place) {
    if (this.player.failed || this.video.readyState < 2) return;
    const { clip } = this.data;
    const across = (this.video.videoWidth * clip.width) / clip.coded_width;
    const down = (this.video.videoHeight * clip.height) / clip.coded_height;
    context.drawImage(this.video, 0, 0, across, down, ...place);
  }

  /** Load the clip in a form whose pixels a page from disk may read. */
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

  /** Let the looped span begin ("first") or end ("last") at this frame. */
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
    const class_id = [...this.rules.choices.class_id.keys()][position];
    return class_id === undefined ? undefined : this.set({ class_id });
  }

  nextView() {
    const views = [...this.rules.choices.view.keys()];
    return this.set({ view: views[(views.indexOf(this.state.view) + 1) % views.length] });
  }

  showMessage(message) {
    document.getElementById("message").textContent = message;
  }

  /** Show the message of an action when it has ended. */
  report(action) {
    return action.then(
      (message) => this.showMessage(message),
      (error) => this.showMessage(`failed: ${error.message}`),
    );
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
