"""The page's pictures: the same as those that render draws, in every view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import video_cam
from tests.support.browser import STATE, change, difference, goto, screenshot_canvas, wait_until
from tests.support.media import moving_texture, write_clip
from tests.support.pages import CLOSE, Rendered
from video_cam import Classifier, Explanation


def test_the_canvas_shows_what_render_draws(page: Any, rendered: Rendered) -> None:
    frames = [0, 5, 6, 21, 20, 39]
    for frame, expected in zip(frames, rendered.overlay(frames), strict=True):
        goto(page, frame)
        assert difference(screenshot_canvas(page), expected) < CLOSE, frame
        assert str(frame) in page.inner_text("#place")


@pytest.mark.parametrize("normalize", ["window", "frame"])
def test_other_display_options_show_what_render_draws(
    page: Any, rendered: Rendered, normalize: str
) -> None:
    index = 3
    series = rendered.explanation.maps[index]
    options = {"normalize": normalize, "colormap": "cividis"}
    chosen = {name: getattr(series, name) for name in ("class_id", "method", "layer")}
    change(page, opacity=0.4, frame_index=9, **options, **chosen)
    (expected,) = rendered.overlay([9], index, alpha=0.4, **options)
    assert difference(screenshot_canvas(page), expected) < CLOSE


def test_another_class_opacity_or_threshold_changes_the_picture(page: Any) -> None:
    goto(page, 10)
    before = screenshot_canvas(page)
    page.select_option("#class_id", index=1)
    wait_until(page, f"{STATE}.class_id !== DATA.maps[0].class_id")
    goto(page, 10)
    assert difference(screenshot_canvas(page), before) > 1
    change(page, class_id=page.evaluate("DATA.maps[0].class_id"))
    assert difference(screenshot_canvas(page), before) == 0
    change(page, opacity=0)
    bare = screenshot_canvas(page)
    assert difference(bare, before) > 1
    change(page, opacity=0.7, threshold=1, normalize="video", frame_index=10)
    assert difference(screenshot_canvas(page), bare) < 1


@pytest.fixture(scope="module")
def textured(bundled: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """A clip full of details with large heat everywhere, drawn with contour lines."""
    folder = tmp_path_factory.mktemp("textured")
    clip = write_clip(folder / "v.mp4", moving_texture(20, 320, 240), options={"crf": "4"})
    # Of noise on a fine grid everything would be lines, whose edges are smoothed in another way.
    explanation = video_cam.explain(clip, bundled, detail="none")
    rng = np.random.default_rng(3)
    series = explanation.maps[0]
    values = rng.random(series.values.shape, dtype=np.float32)
    explanation = replace(explanation, maps=(replace(series, values=values),))
    video_cam.render(clip, explanation, folder / "out", contours=(0.4, 0.7))
    return Rendered(clip, explanation, folder / "out")


def test_details_and_contours_are_those_that_render_draws(
    open_page: Any, textured: Rendered
) -> None:
    page = open_page((textured.folder / "index.html").as_uri())
    goto(page, 7)
    shown = screenshot_canvas(page)
    (expected,) = textured.overlay([7], contours=(0.4, 0.7))
    (without_lines,) = textured.overlay([7])
    assert difference(shown, expected) < 2 * CLOSE
    is_line = np.abs(expected.astype(int) - without_lines).max(2) > 60
    assert difference(shown[is_line], without_lines[is_line]) > 40
    change(page, contours=False)
    shown = screenshot_canvas(page)
    assert difference(shown, without_lines) < CLOSE
    # Opacity alone would leave three tenths of the contrast.
    (source,) = textured.overlay([7], alpha=0)
    assert shown.std() > 0.6 * source.std()
    # Magnified four times, every pixel is one of 4 x 4, with its heat and details.
    page.evaluate("app.stage.panels[0].finest = 1")
    change(page, zoom=[4, 160, 120])
    part = without_lines[90:150, 120:200].repeat(4, 0).repeat(4, 1)
    assert difference(screenshot_canvas(page), part) < CLOSE


def test_contours_are_a_switch_and_part_of_the_link(page: Any, rendered: Rendered) -> None:
    change(page, frame_index=5, normalize="frame")
    before = screenshot_canvas(page)
    page.locator("#contours").check(force=True)
    wait_until(page, f"{STATE}.contours && location.hash.includes('contours=true')")
    (expected,) = rendered.overlay([5], normalize="frame", contours=(0.5,))
    # On 96 x 64 pixels a line is much of the picture; its edges are smoothed in another way.
    assert difference(screenshot_canvas(page), expected) < 2 * CLOSE
    assert difference(screenshot_canvas(page), before) > 1


def test_the_outline_is_drawn_around_what_the_network_saw(page: Any) -> None:
    change(page, opacity=0, frame_index=3, dim=False)
    before = screenshot_canvas(page).astype(int)
    change(page, outline=True)
    changed = (abs(screenshot_canvas(page) - before) > 20).any(2)
    left, top, right, bottom = page.evaluate("DATA.seen_box.map(Math.round)")
    assert changed[top:bottom, left].mean() > 0.5 and changed[top, left:right].mean() > 0.5
    assert not changed[top + 4 : bottom - 4, left + 4 : right - 4].any()


def test_views_compare_classes_methods_and_layouts(page: Any, rendered: Rendered) -> None:
    frame = 12
    series = rendered.explanation.maps
    for view, count in [("classes", 3), ("methods", 2), ("side-by-side", 2), ("strip", 3)]:
        change(page, view=view, frame_index=frame)
        assert page.locator("#stage canvas").count() == count
    change(page, view="classes")
    same = [i for i, m in enumerate(series) if m.method == "gradcam"]
    for panel, index in enumerate(same):
        (expected,) = rendered.overlay([frame], index)
        assert difference(screenshot_canvas(page, panel), expected) < CLOSE
        assert series[index].label in page.locator("#stage figcaption").nth(panel).inner_text()
    options = page.locator("#view option").all_inner_texts()
    assert "Compare layers" not in options  # there is one


def test_frames_that_no_window_covers_are_not_seen(
    explanation: Explanation, sample_clip: Path, open_page: Any, tmp_path: Path
) -> None:
    series = explanation.maps[0]
    first = replace(
        explanation,
        frame_indices=explanation.frame_indices[:1],
        num_padded=explanation.num_padded[:1],
        probabilities=explanation.probabilities[:1],
        maps=(replace(series, values=series.values[:1]),),
    )
    video_cam.render(sample_clip, first, tmp_path / "out", max_keyframes=2)
    made = Rendered(sample_clip, first, tmp_path / "out")
    page = open_page((tmp_path / "out" / "index.html").as_uri())
    for frame, text in [(8, "window 1 of 1"), (30, "the network did not see this moment")]:
        goto(page, frame)
        assert text in page.inner_text("#moment")
        (expected,) = made.overlay([frame])
        assert difference(screenshot_canvas(page), expected) < CLOSE + 1  # greys differ a little


def test_captions_name_the_class_of_the_nearest_window(
    explanation: Explanation, sample_clip: Path, open_page: Any, tmp_path: Path
) -> None:
    series = explanation.maps[0]
    classes = tuple(i % 2 for i in range(explanation.num_windows))
    named = replace(explanation, maps=(replace(series, class_ids=classes),))
    video_cam.render(sample_clip, named, tmp_path / "out", max_keyframes=2)
    page = open_page((tmp_path / "out" / "index.html").as_uri())
    for window in range(explanation.num_windows):
        goto(page, int(explanation.frame_indices[window].mean()))
        assert explanation.labels[classes[window]] in page.inner_text("#stage figcaption")
