"""The frame test on the page: its bars, its strip, the marks on the scrub bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import video_cam
from tests.support.browser import STATE, wait_until
from tests.support.explanations import FRAME_TEST, MOTION_TEST
from tests.support.hostile import TEXTS
from video_cam import Explanation
from video_cam.config import RenderConfig
from video_cam.rendering.notebook import page_html
from video_cam.utils.text import unbroken
from video_cam.video.clip import Clip

FRAMES = list(range(8, 24))
CONTRIBUTIONS = [0.1, -0.5, 0.2, 0.0, 2.5, 0.4, 0.1, 3.0] + [0.3] * 8


def with_frame_test(explanation: Explanation, **changes: Any) -> Explanation:
    seconds = [float(explanation.timeline.pts_seconds(frame)) for frame in FRAMES]
    result = FRAME_TEST | {
        **{"frame_indices": FRAMES, "pts_seconds": seconds, "contributions": CONTRIBUTIONS},
        **{"standard_errors": [0.2] * 16, "sufficient_frames": [12, 15], "windows": None},
        "window": 1,
    }
    return replace(explanation, frame_test=result | changes)


@pytest.fixture
def frame_page(
    open_page: Callable[..., Any], explanation: Explanation, sample_clip: Path, tmp_path: Path
) -> Any:
    """A page with one keyframe, 15, and two frames that are enough, 12 and 15."""
    folder = tmp_path / "out"
    video_cam.render(sample_clip, with_frame_test(explanation), folder, max_keyframes=1)
    return open_page((folder / "index.html").as_uri())


def test_the_frames_that_are_enough_have_a_strip(frame_page: Any) -> None:
    assert frame_page.evaluate(f"{STATE}.frame_index") == 15  # adds most
    assert frame_page.evaluate("DATA.keyframes") == [15]
    assert "1 of the 32 frames that the" in frame_page.locator("#left-out").inner_text()
    buttons = frame_page.locator("#frame-test li button")
    assert [text.split(":")[0] for text in buttons.all_inner_texts()] == ["12", "15"]
    assert "+3.00 ± 0.20" in buttons.nth(1).inner_text()
    for number in (0, 1):  # their pictures are there, also of the one that is no keyframe
        image = buttons.nth(number).locator("img")
        image.scroll_into_view_if_needed()
        wait_until(
            frame_page, f"document.querySelectorAll('#frame-test img')[{number}].naturalWidth"
        )
    buttons.nth(0).click()
    wait_until(frame_page, f"{STATE}.frame_index === 12 && app.player.shown === 12")
    assert buttons.nth(0).get_attribute("aria-current") == "true"
    wait_until(frame_page, "document.getElementById('moment').innerText.includes('a keyframe')")
    assert buttons.nth(1).get_attribute("aria-current") is None
    sentence = frame_page.locator("header .check").first.inner_text()
    assert sentence == unbroken(f"Frame test: {FRAME_TEST['sentence']}")


def test_a_click_on_a_bar_goes_to_its_frame(frame_page: Any) -> None:
    chart = frame_page.locator("#frame-test canvas")
    width = chart.bounding_box()["width"]
    chart.click(position={"x": width * 3.5 / 16, "y": 40})
    wait_until(frame_page, f"{STATE}.frame_index === 11")
    # Bars of frames that are enough have the class's colour, also on the scrub bar.
    pixels = frame_page.evaluate(
        """() => ['#frame-test canvas', '#scrub canvas'].map((name) => {
          const canvas = document.querySelector(name);
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const parts = DATA.classes[0].colour.match(/[0-9a-f]{2}/g);
          const [r, g, b] = parts.map((c) => parseInt(c, 16));
          const columns = new Set();
          for (let i = 0; i < data.length; i += 4)
            if (data[i] === r && data[i + 1] === g && data[i + 2] === b)
              columns.add(Math.floor((((i / 4) % canvas.width) / canvas.width) * 16));
          return [...columns].sort((a, b) => a - b);
        })"""
    )
    assert pixels[0] == [4, 7] and {6, 7} <= set(pixels[1])


def test_a_page_without_the_test_has_no_panel(page: Any) -> None:
    assert page.locator("#frame-test").count() == 0
    assert page.locator(".key .added").count() == 0


def test_names_stay_text_and_a_page_in_one_text_has_the_pictures(
    explanation: Explanation, sample_clip: Path
) -> None:
    hostile = with_frame_test(explanation, label=TEXTS["markup"], sentence=TEXTS["markup"])
    of_function = MOTION_TEST | {"class_id": None, "window": 0}
    hostile = replace(hostile, model=replace(hostile.model, score="raw"), motion_test=of_function)
    text = page_html(Clip.open(sample_clip), hostile, RenderConfig(max_keyframes=2))
    assert TEXTS["markup"] not in text
    # Values of functions and of regression are no logits, and belong to no class.
    assert "; in units of the score, lines" in text and "where its score is highest" in text
    assert 'id="bytes:keyframes/000012.jpg"' in text and 'src="page/page.js"' not in text
