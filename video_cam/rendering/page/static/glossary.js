"use strict";
// Explains a word where it stands: the pointer, the keyboard's focus or a tap shows what the glossary
// says about it. `data-of` of a term names the places that it is about.

class Words {
  constructor(glossary) {
    this.box = element("div", { id: "explained", className: "explained", hidden: true });
    this.place = null; // what is explained now
    this.box.setAttribute("role", "tooltip");
    this.box.addEventListener("pointerleave", () => this.hide());
    document.body.append(this.box);
    const definitions = new Map(); // place -> what is said about it
    glossary.querySelectorAll("dt[data-of]").forEach((term, number) => {
      const definition = term.nextElementSibling;
      definition.id = `word-${number}`;
      for (const place of document.querySelectorAll(term.dataset.of)) {
        definitions.set(place, [...(definitions.get(place) ?? []), definition]);
      }
    });
    for (const [place, of_place] of definitions) this._explain(place, of_place);
    for (const list of document.querySelectorAll("[data-words]")) {
      rove(list, [...list.querySelectorAll(".word")]);
    }
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.hide());
    const scrolled = ({ target }) => target.contains(this.place) && this.hide();
    document.addEventListener("scroll", scrolled, { capture: true, passive: true });
    document.addEventListener("pointerdown", ({ target }) => {
      if (!this.box.contains(target)) this.hide();
    });
  }

  _explain(place, definitions) {
    const holder = place.control ?? place; // of a label
    const show = () => this.show(place, definitions);
    holder.setAttribute("aria-describedby", definitions.map(({ id }) => id).join(" "));
    if (!holder.matches("button, select, input")) holder.tabIndex = 0;
    holder.addEventListener("focus", () => holder.matches(":focus-visible") && show());
    holder.addEventListener("blur", () => this.hide());
    place.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && show());
    place.addEventListener("pointerleave", ({ pointerType, relatedTarget }) => {
      if (pointerType === "mouse" && !this.box.contains(relatedTarget)) this.hide();
    });
    if (place.matches("button")) return; // a tap presses it
    place.classList.add("word");
    if (place.matches("span")) place.setAttribute("role", "button"); // that shows the explanation
    place.addEventListener("click", ({ pointerType }) => pointerType !== "mouse" && show());
  }

  show(place, definitions) {
    this.place = place;
    this.box.replaceChildren(
      ...definitions.map((definition) => {
        const term = element("strong", {}, definition.previousElementSibling.textContent);
        return element("p", {}, term, `: ${definition.textContent}`);
      }),
    );
    (document.fullscreenElement ?? document.body).append(this.box);
    this.box.hidden = false;
    const { left, top, bottom } = place.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const isRoomBelow = bottom + height <= innerHeight;
    this.box.style.top = `${isRoomBelow ? bottom : Math.max(top - height, 0)}px`;
    this.box.style.left = `${Math.max(Math.min(left, document.body.clientWidth - width), 0)}px`;
  }

  hide() {
    this.box.hidden = true;
  }
}
