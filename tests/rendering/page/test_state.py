"""The state of the page: scripts read and change it, links and controls hold it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.browser import (
    STATE,
    change,
    difference,
    frame_of,
    goto,
    screenshot_canvas,
    wait_until,
)
from tests.support.media import moving_square, write_clip
from tests.support.pages import CLOSE, Rendered, render_page
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.frame_importance import most_important
from video_cam.rendering.overlay import Palette


def test_scripts_read_and_change_the_state(page: Any, rendered: Rendered) -> None:
    goto(page, 5)
    state = page.evaluate(STATE)
    first = rendered.explanation.maps[0]
    assert state | {
        "frame_index": 5,
        "pts_seconds": float(rendered.explanation.timeline.pts_seconds(5)),
        "class_id": first.class_id,
        "method": "gradcam",
        "layer": first.layer,
        "opacity": 0.7,
        "colormap": "inferno",
    } == pytest.approx(state)
    page.evaluate("Object.assign(videoCam.state, {frame_index: 0})")  # a copy: nothing changes
    assert frame_of(page) == 5
    for changes, words in [
        ({"frame_index": 40}, "a frame from 0 to 39"),
        ({"frame_index": 1.5}, "a frame from 0 to 39"),
        ({"opacity": 2}, "a number from 0 to 1"),
        ({"colormap": "jetty"}, "inferno"),
        ({"class_id": 99}, "expected"),
        ({"loop": [4, 2]}, "two frames"),
        ({"colour": "red"}, "cannot be set"),
    ]:
        message = page.evaluate("c => videoCam.set(c).catch(error => error.message)", changes)
        assert words in message
    assert page.evaluate(STATE) == state


def test_a_link_reproduces_the_view(page: Any, open_page: Any, rendered: Rendered) -> None:
    other = rendered.explanation.maps[-1]
    change(page, frame_index=21, class_id=other.class_id, method=other.method, opacity=0.5)
    change(page, colormap="viridis", view="methods", loop=[3, 30])
    wait_until(page, "location.hash.includes('loop=3-30')")
    link, state = page.url, page.evaluate(STATE)
    assert f"#frame=21&class={other.class_id}&method={other.method}" in link
    followed = open_page(link)
    assert followed.evaluate(STATE) == state
    followed.evaluate("location.hash = '#frame=7&class=99&opacity=x&nonsense=1'")
    followed.wait_for_function(f"{STATE}.frame_index === 7")
    initial = followed.evaluate(STATE)
    assert initial["opacity"] == 0.7 and initial["view"] == "overlay" and initial["loop"] is None


def test_a_choice_that_has_no_map_adapts_the_other_choices(page: Any, rendered: Rendered) -> None:
    page.evaluate("DATA.maps.splice(1, 1)")  # the first class has gradcam only
    change(page, method="layercam")
    state = page.evaluate(STATE)
    assert state["method"] == "layercam"
    assert state["class_id"] != rendered.explanation.maps[0].class_id


def test_every_control_has_a_name_and_can_be_reached(page: Any) -> None:
    nameless = page.evaluate(
        """() => {
          const text = (e) => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent;
          const controls = "button, select, input:not([hidden]), [role=slider]";
          return [...document.querySelectorAll(controls)]
            .filter((e) => !text(e).trim())
            .map((e) => e.outerHTML);
        }"""
    )
    assert nameless == []
    assert page.evaluate("document.querySelector('#scrub').ariaValueText").startswith("frame 0, 0:")
    page.keyboard.press("Tab")
    reached = set()
    for _ in range(60):
        reached.add(page.evaluate("document.activeElement.id"))
        page.keyboard.press("Tab")
    assert reached >= {"scrub", "play", "loop", "save", "class_id", "opacity", "colormap", "dim"}


def test_curves_are_map_mass_and_class_scores(page: Any, rendered: Rendered) -> None:
    maps = BlendedMaps(rendered.explanation)
    for index, blended in enumerate(maps):
        mass = page.evaluate(f"app.masses[{index}]")
        assert mass == pytest.approx(blended.mass, abs=1e-4 * blended.mass.max())
    class_ids = page.evaluate("DATA.classes.map((row) => row.class_id)")
    for class_id, curve in zip(class_ids, maps.score_curves(class_ids), strict=True):
        shown = page.evaluate(f"app.scores.get({class_id})")
        assert shown == pytest.approx(curve, abs=1e-4)
    # The scrub bar draws them: the pixels change where the curves do.
    read = "app.scrub.canvas.toDataURL()"
    before = page.evaluate(read)
    page.evaluate(
        "app.scrub.draw({...app.scrub.shown, score: app.scores.values().next().value.map(() => 0)})"
    )
    assert page.evaluate(read) != before


def test_the_table_shows_scores_at_this_moment(page: Any, rendered: Rendered) -> None:
    blended = BlendedMaps(rendered.explanation)[0]
    for frame in (3, 30):
        goto(page, frame)
        row = page.locator("#scores tr[data-chosen]")
        score = blended.score(frame)
        assert row.locator("td").last.inner_text() == f"{100 * score:.1f}\N{NO-BREAK SPACE}%"
        assert row.locator("meter").evaluate("m => m.value") == pytest.approx(score, abs=1e-4)


def test_controls_show_the_state(page: Any) -> None:
    change(page, opacity=0.25, colormap="viridis", dim=False, method="layercam")
    assert page.input_value("#opacity") == "0.25"
    assert page.input_value("#colormap") == "viridis"
    assert page.input_value("#method") == "layercam"
    assert not page.is_checked("#dim")
    legend = page.locator(".legend").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 256, 1).data]"
    )
    shown = np.reshape(legend, (256, 4))[:, :3]
    np.testing.assert_array_equal(shown, Palette("viridis", 1).colours)


def test_a_page_opens_at_the_keyframe_with_most_heat(open_page: Any, rendered: Rendered) -> None:
    page = open_page((rendered.folder / "index.html").as_uri())
    maps = BlendedMaps(rendered.explanation)
    assert frame_of(page) == most_important(maps, rendered.explanation.keyframes())
    page.click("#first")
    wait_until(page, f"{STATE}.frame_index === 0")


def test_a_page_of_several_details_lets_choose_one(open_page, bundled, tmp_path) -> None:
    details, names = ["none", "layers", "input"], ["gradcam", "layercam"]
    clip = write_clip(tmp_path / "c.mp4", moving_square(16, 64, 64))
    options = {"detail": details, "methods": names, "align": "half-pixel"}
    made = render_page(clip, bundled, tmp_path / "out", **options)
    page = open_page((made.folder / "index.html").as_uri() + "#frame=8&detail=layers")
    assert page.locator("#detail option").count() == 3
    state = page.evaluate(STATE)
    assert (state["detail"], state["method"]) == ("layers", "gradcam")
    page.locator("#detail").select_option("input")
    change(page, method="layercam")  # the detail stays
    assert page.evaluate(STATE)["detail"] == "input"
    index = [one.kind for one in made.explanation.maps].index(("layer4", "layercam", "input"))
    (expected,) = made.overlay([8], index)
    assert difference(screenshot_canvas(page), expected) < CLOSE
    change(page, view="details")
    captions = page.locator("#stage figcaption").all_inner_texts()
    assert [caption.split("detail: ")[1] for caption in captions] == details
    page.locator("#mark-frame").click()  # a mark leads back to the map that it was made on
    page.keyboard.press("Enter")
    change(page, frame_index=2, detail="none")
    assert page.locator(".mark-map").inner_text().endswith("layercam · layer4 · detail: input")
    page.locator("#marks .when").click()
    wait_until(page, f"{STATE}.frame_index === 8 && {STATE}.detail === 'input'")


def test_a_page_of_one_detail_has_no_choice_of_it(page: Any) -> None:
    assert not page.locator("#detail").count()
    assert "Compare details" not in page.locator("#view option").all_inner_texts()


def test_many_marks_are_imported_at_once_and_too_many_are_refused(page: Any) -> None:
    result = page.evaluate("""() => {
      const { store } = app.marks;
      let written = 0;
      const write = store._write.bind(store);
      store._write = () => (written++, write());
      const mark = (i) => ({ frame_index: i % 9, end_frame_index: 9, note: `a${i}` });
      const marks = Array.from({ length: 100 }, (_, i) => mark(i));
      const text = (marks) => JSON.stringify({ format: MARKS_FORMAT, marks });
      const said = store.merge(text([...marks, marks[0]]));
      const more = Array.from({ length: MAX_MARKS }, (_, i) => ({ ...marks[0], note: `b${i}` }));
      let refused = "";
      try {
        store.merge(text(more));
      } catch (error) {
        refused = error.message;
      }
      return [said, written, store.marks.length, refused];
    }""")
    assert result[0].startswith("100 marks imported")
    assert result[1:3] == [1, 100]
    assert result[3] == "a page holds up to 5000 marks, and these would be 5100"


def test_a_note_that_is_being_typed_outlives_marks_of_another_tab(page: Any) -> None:
    other_tab = """(deletes) => {
      const { key } = app.marks.store;
      const { marks, ...rest } = JSON.parse(localStorage.getItem(key));
      const added = { ...marks[0], frame_index: 9, end_frame_index: 9, note: "other" };
      const text = JSON.stringify({ ...rest, marks: [...(deletes ? [] : marks), added] });
      localStorage.setItem(key, text);
      window.dispatchEvent(new StorageEvent("storage", { key }));
    }"""
    notes = "app.marks.marks.map(({ note }) => note)"
    for deletes, expected in ((False, ["typed", "other"]), (True, ["typed too", "other"])):
        page.evaluate("app.marks.marks.slice().forEach((one) => app.marks.store.remove(one))")
        page.evaluate("app.marks._mark(3, 3)")
        page.keyboard.type(expected[0])
        page.evaluate(other_tab, deletes)
        assert page.evaluate("document.activeElement.value") == expected[0]
        page.keyboard.press("Enter")
        assert page.evaluate(notes) == expected
        assert page.locator("#marks .note-text").all_inner_texts() == expected
        stored = "JSON.parse(localStorage.getItem(app.marks.store.key)).marks.length"
        assert page.evaluate(stored) == 2


def test_an_export_leaves_the_view_as_it_was(page: Any) -> None:
    change(page, frame_index=20, range=[15, 25])
    before = page.evaluate(STATE)
    page.evaluate("app.exports._save('gif')")
    assert page.evaluate(STATE) == before
