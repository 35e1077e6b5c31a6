"use strict";
// The list of marks: a click goes there; notes are written in place.

class MarksPanel {
  constructor(app) {
    this.app = app;
    this.problem = document.getElementById("marks-problem");
    this.store = new MarkStore(app.data, app.timeline, (text) => (this.problem.textContent = text));
    this.list = document.getElementById("marks");
    this.spanButton = document.getElementById("mark-span");
    this.removed = undefined; // the mark that was deleted last
    this.isTyping = false; // the list waits until the note is written
    this.isStale = false; // another tab has changed the marks meanwhile
    const chooser = document.getElementById("marks-file");
    const actions = {
      "mark-frame": () => this.markFrame(),
      "mark-span": () => this.markSpan(),
      "marks-json": () => this._export("json", this.store.json(), "application/json"),
      "marks-csv": () => this._export("csv", this.store.csv(), "text/csv"),
      "marks-import": () => chooser.click(),
    };
    for (const [id, action] of Object.entries(actions)) {
      document.getElementById(id).addEventListener("click", action);
    }
    chooser.onchange = () => app.report(this._import(chooser));
    window.addEventListener("storage", ({ key }) => key === this.store.key && this._reread());
    this._list();
  }

  get marks() {
    return this.store.marks;
  }

  /** Mark the frame that is shown, and let the user write its note. */
  markFrame() {
    const { frame_index } = this.app.state;
    this._mark(frame_index, frame_index);
  }

  /** Mark the looped span. */
  markSpan() {
    const { loop } = this.app.state;
    if (loop) this._mark(...loop);
    else this.app.showMessage("[ and ] choose a span; then it can be marked");
  }

  /** The state has changed. */
  show({ loop }) {
    this.spanButton.disabled = loop === null;
  }

  _mark(frame_index, end_frame_index) {
    const { class_id, layer, method, detail } = this.app.state;
    const target = this.app.data.maps[this.app.chosen].label;
    const mark = { frame_index, end_frame_index, note: "", target, class_id, layer, method, detail };
    try {
      this.store.add([mark]);
    } catch (error) {
      return void this.app.showMessage(error.message);
    }
    this.removed = undefined;
    this._list();
    this._edit(mark);
  }

  _list() {
    const shown = [...this.marks, ...(this.removed ? [this.removed] : [])].toSorted(
      (a, b) => a.frame_index - b.frame_index,
    );
    this.items = new Map(shown.map((mark) => [mark, element("li")]));
    for (const mark of shown) this._fill(mark);
    this.list.replaceChildren(...this.items.values());
    document.getElementById("no-marks").hidden = shown.length > 0;
    for (const id of ["marks-json", "marks-csv"]) document.getElementById(id).disabled = !this.marks.length;
    this.app.redrawScrub();
  }

  _fill(mark) {
    const when = this._when(mark);
    const button = (text, label, onclick) =>
      element("button", { type: "button", onclick, "aria-label": `${label}: ${when}` }, text);
    if (mark === this.removed) {
      const undo = button("Undo", "Bring back the mark", () => this._restore());
      return this.items.get(mark).replaceChildren(element("span", { className: "note-text" }, "deleted"), undo);
    }
    const go = element("button", { type: "button", className: "when", onclick: () => this._goto(mark) }, when);
    const detail = mark.detail && this.app.rules.choices.detail.size > 1 ? `detail: ${mark.detail}` : "";
    const what = [mark.target, mark.method, mark.layer, detail].filter(Boolean).join(" · ");
    this.items.get(mark).replaceChildren(
      element("div", { className: "mark-head" }, go,
        button("Edit", "Edit the note", () => this._edit(mark)),
        button("Delete", "Delete the mark", () => this._remove(mark))),
      element("p", { className: "note-text" }, mark.note),
      element("p", { className: "mark-map" }, what),
    );
  }

  _when({ frame_index, end_frame_index }) {
    const { timeline } = this.app;
    const begin = clock(timeline.seconds(frame_index));
    if (frame_index === end_frame_index) return `${begin} · frame ${frame_index}`;
    const end = clock(timeline.seconds(end_frame_index + 1));
    return `${begin} to ${end} · frames ${frame_index} to ${end_frame_index}`;
  }

  /** Show the mark's frame with the map it was made on; its span becomes the looped one. */
  _goto({ frame_index, end_frame_index, class_id, layer, method, detail }) {
    const loop = frame_index === end_frame_index ? null : [frame_index, end_frame_index];
    const map = this.app.rules.possible({ class_id, layer, method, detail });
    this.app.set({ frame_index, loop, ...map });
  }

  _edit(mark) {
    const field = element("textarea", {
      rows: 2,
      value: mark.note,
      maxLength: MAX_NOTE_LETTERS,
      placeholder: "Note; Enter saves it",
      "aria-label": `Note: ${this._when(mark)}`,
    });
    const close = (keep) => {
      field.onblur = null;
      this.isTyping = false;
      if (this.isStale) this.store.read();
      if (keep && field.value !== mark.note) this.store.change(mark, plain(field.value));
      if (this.isStale) this._reread();
      else this._fill(mark);
    };
    field.onblur = () => close(true);
    field.onkeydown = (event) => {
      if (event.key === "Enter" && !event.shiftKey) close(true);
      else if (event.key === "Escape") close(false);
      else return;
      event.preventDefault();
    };
    this.items.get(mark).querySelector(".note-text").replaceChildren(field);
    this.isTyping = true;
    field.focus();
  }

  _remove(mark) {
    this.store.remove(mark);
    this.removed = mark;
    this._list();
  }

  _restore() {
    this.store.add([this.removed]);
    this.removed = undefined;
    this._list();
  }

  _reread() {
    this.isStale = this.isTyping;
    if (this.isStale) return;
    this.store.read();
    this._list();
  }

  _export(suffix, text, type) {
    const name = `${this.app.stem()}_marks.${suffix}`;
    saveFile(name, [text], type);
    this.app.showMessage(`saved ${name}`);
  }

  async _import(chooser) {
    const [file] = chooser.files;
    if (!file) return "";
    const text = await file.text();
    chooser.value = ""; // the same file can be chosen again
    const message = this.store.merge(text);
    this._list();
    return message;
  }
}
