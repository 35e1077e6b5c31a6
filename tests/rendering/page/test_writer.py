"""The page's files: escaped text, colours, scores, a page in one text, a page of an hour."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import video_cam
from tests.support.browser import STATE, difference, goto, read_canvas
from tests.support.pages import CLOSE, HOSTILE, Rendered
from video_cam import Explanation
from video_cam.config import RenderConfig
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMaps
from video_cam.rendering.explained_targets import colours_of_targets
from video_cam.rendering.notebook import page_html
from video_cam.rendering.overlay import COLORMAPS, Palette
from video_cam.rendering.page.assets import PAGE_FOLDER, read_asset
from video_cam.rendering.page.writer import SCRIPTS, write_page
from video_cam.rendering.renderer import render_with
from video_cam.rendering.summary import summarise
from video_cam.utils.notes import WARNING, Note
from video_cam.video.browser_copy import BrowserCopy
from video_cam.video.clip import Clip
from video_cam.video.timeline import Timeline


def test_names_and_labels_stay_text(page: Any, rendered: Rendered) -> None:
    text = (rendered.folder / "index.html").read_text()
    data = (rendered.folder / PAGE_FOLDER / "data.js").read_text()
    assert HOSTILE not in text and HOSTILE not in data
    assert page.inner_text("h1") == rendered.clip.name
    assert page.locator("img[src=x]").count() == 0 and page.locator("h1 b").count() == 0
    assert HOSTILE in page.locator("#class_id option").first.inner_text()
    assert HOSTILE in page.inner_text("#stage figcaption")


def test_paths_labels_and_notes_are_escaped(explanation, sample_clip, tmp_path) -> None:
    markup = "<script>alert(1)</script>"
    hostile = replace(
        explanation,
        clip=replace(explanation.clip, path=f"/x/{markup}.mp4"),
        labels=(markup,) * len(explanation.labels),
        notes=(Note(markup), Note("a warning", WARNING)),
    )
    video_cam.render(sample_clip, hostile, tmp_path / "out", max_keyframes=1)
    page = (tmp_path / "out" / "index.html").read_text()
    assert markup not in page and "&lt;script&gt;" in page
    assert page.index('class="note warning"') < page.index('class="note information"')
    assert "1 warning · 1 note" in page


def test_all_scripts_are_one_file(rendered: Rendered) -> None:
    page = rendered.folder / "page"
    text = (page / "page.js").read_text(encoding="utf-8")
    scripts = [read_asset(f"{name}.js") for name in SCRIPTS]
    assert text == "".join(scripts)
    assert {path.name for path in page.glob("*.js")} == {"clip.js", "data.js", "page.js"}


def headline(folder: Path) -> str:
    """The line under the title of a page, without markup."""
    text = (folder / "index.html").read_text().split('class="facts">')[1].split("</p>")[0]
    return " ".join(re.sub("<[^>]+>", "", text).split())


def test_the_headline_names_the_prediction_where_another_class_is_explained(
    explanation: Explanation, sample_clip: Path, results: Path, tmp_path: Path
) -> None:
    best, second = explanation.predictions(2)
    assert headline(results).startswith(f"{best.label} {100 * best.score:.1f} % · motion3d")
    series = replace(explanation.maps[0], target=ClassTarget(second.class_id), label=second.label)
    other = replace(explanation, maps=(series,))
    video_cam.render(sample_clip, other, tmp_path / "out", max_keyframes=1)
    assert headline(tmp_path / "out").startswith(
        f"predicted {best.label} {best.score:.0%} · explained {second.label} "
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (640, 400)])  # the last: 200 %
def test_nothing_is_wider_than_the_window(
    size: tuple[int, int], scheme: str, open_page: Any, rendered: Rendered
) -> None:
    width, height = size
    page = open_page(
        (rendered.folder / "index.html").as_uri(),
        viewport={"width": width, "height": height},
        color_scheme=scheme,
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background, text = page.evaluate(
        """() => {
          const style = getComputedStyle(document.body);
          return [style.backgroundColor, style.color].map(
            (c) => c.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3);
        }"""
    )
    darker, brighter = (text, background) if scheme == "light" else (background, text)
    assert brighter > darker + 150


def test_colours_are_those_of_render_and_the_initial_one_is_safe(page: Any) -> None:
    colormaps = page.evaluate("DATA.colormaps")
    assert list(colormaps) == list(COLORMAPS)
    for name, colormap in colormaps.items():
        colours = np.frombuffer(base64.b64decode(colormap["colours"]), np.uint8).reshape(256, 3)
        levels = np.linspace(0, 1, 256, dtype=np.float32)[None]
        np.testing.assert_array_equal(colours, Palette(name, 1).colour(levels)[0])
    assert page.evaluate("DATA.colormaps[videoCam.state.colormap].safe")


def test_a_class_has_the_colour_that_it_has_in_the_timeline(page: Any, rendered: Rendered) -> None:
    colours = colours_of_targets(rendered.explanation, 5)
    assert page.evaluate("DATA.classes.map((row) => row.colour)") == list(colours.values())
    shown = page.evaluate(
        """[...document.querySelectorAll("#scores .swatch")].map(
             (swatch) => getComputedStyle(swatch).backgroundColor.match(/\\d+/g).map(Number))"""
    )
    expected = [tuple(bytes.fromhex(colour[1:])) for colour in colours.values()]
    assert sorted(map(tuple, shown)) == sorted(expected)


def test_scores_that_are_no_probabilities_are_shown_as_numbers(
    explanation: Explanation, sample_clip: Path, open_page: Any, tmp_path: Path
) -> None:
    """As those of a regression: below 0 and above 1, without a per cent sign."""
    scores = explanation.probabilities * 20 - 5
    raw = replace(
        explanation,
        model=replace(explanation.model, score="raw"),
        probabilities=scores,
        maps=explanation.maps[:1],
    )
    video_cam.render(sample_clip, raw, tmp_path / "out", max_keyframes=2)
    page = open_page((tmp_path / "out" / "index.html").as_uri())
    shown = page.inner_text("#scores")
    assert "%" not in shown
    best = scores.mean(0).max()
    assert f"{best:.1f}" in shown and "-" in shown
    assert headline(tmp_path / "out").startswith(f"{raw.maps[0].label} {best:.3g} ·")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["predictions"][0]["shown"] == f"{best:.3g}"


def test_a_page_in_one_text_contains_everything(
    open_page: Any, rendered: Rendered, tmp_path: Path
) -> None:
    text = page_html(Clip.open(rendered.clip), rendered.explanation, RenderConfig())
    (tmp_path / "whole.html").write_text(text)
    page = open_page((tmp_path / "whole.html").as_uri())
    for frame, expected in zip([0, 21], rendered.overlay([0, 21]), strict=True):
        goto(page, frame)
        assert difference(read_canvas(page), expected) < CLOSE


def hour_of(explanation: Explanation) -> Explanation:
    """The maps of an explanation, repeated over an hour at 20 frames per second."""
    rate = 20
    timeline = Timeline(np.arange(3600 * rate), Fraction(1, rate), 1)
    starts = np.arange(0, timeline.num_frames - 16, 200)
    series, windows = explanation.maps[0], len(starts)
    values = np.resize(series.values, (windows, *series.values.shape[1:]))
    return replace(
        explanation,
        timeline=timeline,
        span=(0, timeline.num_frames),
        frame_indices=starts[:, None] + np.arange(16),
        num_padded=np.zeros(windows, int),
        probabilities=np.resize(explanation.probabilities, (windows, len(explanation.labels))),
        maps=(replace(series, values=values),),
    )


def test_of_an_hour_the_page_loads_what_it_shows(
    explanation: Explanation, sample_clip: Path, results: Path, open_page: Any, tmp_path: Path
) -> None:
    """So it opens about as fast as that of a short clip. The video on it is a short one."""
    hour, short = hour_of(explanation), Clip.open(sample_clip)
    page_folder, span = tmp_path / PAGE_FOLDER, (0, short.timeline.num_frames)
    page_folder.mkdir()
    copy = BrowserCopy(short, page_folder, span)
    with copy:
        pass
    keyframes = [{"frame_index": int(i)} for i in hour.frame_indices[:240, 0]]
    summary = summarise(hour, keyframes, [])
    write_page(tmp_path, BlendedMaps(hour), summary, RenderConfig(), copy)
    for keyframe in keyframes:
        thumbnail = page_folder / "keyframes" / f"{keyframe['frame_index']:06d}.jpg"
        thumbnail.parent.mkdir(exist_ok=True)
        thumbnail.symlink_to(copy.path)  # no image, but it can be loaded
    num_files = len(list((page_folder / "maps").iterdir()))
    # The short video has no frame at the moment with most heat.
    page = open_page((tmp_path / "index.html").as_uri() + "#frame=0")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(Path(request.url).parent.name))
    page.reload()
    page.wait_for_selector("body[data-ready]")
    # Of the maps, those of visible frames and the next ones; of 72,000 frames, 6 bytes each.
    assert 0 < asked.count("maps") <= 2 < num_files / 5
    assert (page_folder / "data.js").stat().st_size < 6.5 * hour.timeline.num_frames
    assert page.evaluate("document.querySelectorAll('*').length") < 10 * len(keyframes)
    assert page.evaluate("app.maps.chunks.size") <= 4  # those of visible frames, and the next one
    goto(page, 70_000)
    assert page.evaluate(f"{STATE}.pts_seconds") == 3500
    assert f"window 351 of {hour.num_windows}" in page.inner_text("#moment")


NARROW = re.compile(r"[0-9] (%|s|ms)(?!\w)")


def test_a_number_and_its_unit_stay_on_one_line(
    explanation: Explanation, sample_clip: Path, open_page: Any, tmp_path: Path
) -> None:
    """On the page; the sentence in summary.json has a plain space."""
    note = Note("the last 0.5 s are missing, 20 % of the clip")
    noted = replace(explanation, maps=explanation.maps[:1], notes=(note,))
    check = {"check": {"sentence": "blurring the marked 10 % costs 92 % of the score", "drop": 0.9}}
    clip, folder = Clip.open(sample_clip), tmp_path / "out"
    render_with(clip, noted, folder, RenderConfig(max_keyframes=2), extra_summary=check)
    page = open_page((folder / "index.html").as_uri())
    shown = page.locator("body").text_content() + page.inner_text("#stage")
    assert "costs 92\xa0% of the score" in shown and "0.5\xa0s are" in shown
    assert NARROW.findall(shown) == []
    summary = json.loads((folder / "summary.json").read_text())
    assert "costs 92 % of" in summary["check"]["sentence"]
    assert note.text in [one["text"] for one in summary["notes"]]
