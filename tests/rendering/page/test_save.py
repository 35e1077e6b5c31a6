"""The view of a page as a PNG, from disk and served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.browser import (
    change,
    decode_png,
    difference,
    goto,
    screenshot_canvas,
    wait_until,
)
from tests.support.pages import CLOSE, Rendered
from video_cam.rendering.overlay import Palette
from video_cam.rendering.page.assets import PAGE_FOLDER


@pytest.mark.parametrize("from_disk", [True, False])
def test_the_view_is_saved_as_a_picture(
    from_disk: bool, open_page: Any, serve: Any, rendered: Rendered, tmp_path: Path
) -> None:
    home = rendered.folder.as_uri() if from_disk else serve(rendered.folder)
    page = open_page(f"{home}/index.html#frame=21&view=side-by-side")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "view.png")
    assert download.value.suggested_filename.endswith("_000021.png")
    wait_until(page, "document.querySelector('#message').textContent.includes('saved')")
    saved = decode_png((tmp_path / "view.png").read_bytes())
    (plain,), (expected,) = rendered.overlay([21], alpha=0), rendered.overlay([21])
    height, width = expected.shape[:2]
    assert saved.shape[1] == 2 * width and saved.shape[0] > height
    box = page.evaluate("DATA.maps[0].box")
    seen = slice(box[1], box[3]), slice(box[0], box[2])
    assert difference(saved[:height, :width][seen], plain[seen]) < CLOSE
    assert difference(saved[:height, width:], expected) < CLOSE
    goto(page, 22)  # the page still works
    (following,) = rendered.overlay([22])
    change(page, view="overlay")
    assert difference(screenshot_canvas(page), following) < CLOSE


def test_a_saved_picture_has_full_lines_and_the_colours_scale(
    open_page: Any, serve: Any, rendered: Rendered, tmp_path: Path
) -> None:
    """Three panels in two columns would leave a quarter blank."""
    narrow = {"width": 560, "height": 800}
    page = open_page(f"{serve(rendered.folder)}/index.html#frame=21&view=strip", viewport=narrow)
    assert page.evaluate("app.stage.columns") == 2
    shapes = page.evaluate(
        "[[3, 2], [4, 3], [5, 4], [6, 4], [2, 1], [1, 4]].map((a) => pictureColumns(...a))"
    )
    assert shapes == [3, 4, 5, 6, 1, 1]
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "view.png")
    saved = decode_png((tmp_path / "view.png").read_bytes())
    (expected,) = rendered.overlay([21])
    height, width = expected.shape[:2]
    assert saved.shape[1] == 3 * width
    assert difference(saved[:height, 2 * width :], expected) < CLOSE
    size = page.evaluate("MIN_TEXT_SIZE")
    levels = np.linspace(0, 1, 3 * width - size - 4, dtype=np.float32)[None]
    colours = Palette("inferno", 1).colour(levels)[0].astype(int)
    bars = saved[height:, size // 2 + 2 : 3 * width - size // 2 - 2].astype(int)
    rows = abs(bars - colours).mean((1, 2)) < 4
    assert rows.sum() >= size - 3
    # Text above it and below it: the captions, what the picture shows, what full heat is.
    (bar,) = np.flatnonzero(np.diff(rows.astype(int)) == 1)
    text = (saved[height:] > 200).all(2).any(1)
    assert text[:bar].sum() > 2 * size / 3 and text[bar + size + 4 :].any()


def test_link_and_picture_go_to_the_clipboard(open_page: Any, serve: Any, rendered: Rendered):
    page = open_page(
        f"{serve(rendered.folder)}/index.html#frame=7",
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.click("#share")
    wait_until(page, "document.querySelector('#message').textContent.includes('link')")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.click("#copy")
    wait_until(page, "document.querySelector('#message').textContent.includes('picture')")
    kinds = page.evaluate("navigator.clipboard.read().then(items => items[0].types)")
    assert kinds == ["image/png"]


def test_a_page_from_disk_asks_for_the_file_of_a_large_clip(
    open_page: Any, rendered: Rendered, tmp_path: Path
) -> None:
    page = open_page((rendered.folder / "index.html").as_uri() + "#frame=0")
    page.evaluate("DATA.clip.in_script = false")
    with page.expect_download() as download:
        with page.expect_file_chooser() as chooser:
            page.click("#save")
        chooser.value.set_files(next((rendered.folder / PAGE_FOLDER).glob("clip.mp4")))
    download.value.save_as(tmp_path / "view.png")
    saved = decode_png((tmp_path / "view.png").read_bytes())
    (expected,) = rendered.overlay([0])
    assert difference(saved[: len(expected)], expected) < CLOSE
