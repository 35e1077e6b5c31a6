"""Magnified pictures, the value under the pointer, the box: where they are and what they say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import video_cam
from tests.support.browser import STATE, change, frame_of, goto, read_canvas, wait_until
from tests.support.explanations import make_explanation, map_series
from tests.support.media import write_clip
from video_cam.layers.alignment import CellCentres
from video_cam.models.preprocessing import Geometry
from video_cam.video.clip import Clip

# A white block of 4 x 4 pixels on black, and a map with heat in the cell in its middle; the network
# saw the columns from 16 to 63.
WIDTH, HEIGHT, BLOCK = 80, 48, (40, 12)
MIDDLE = (BLOCK[0] + 2, BLOCK[1] + 2)
CELLS = np.arange(12) * 4 + 1.5
STRENGTHS = (0.25, 1.0)  # of the block's cell in the two windows' cells of time


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the clip with the block."""
    folder = tmp_path_factory.mktemp("marked")
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = BLOCK
    frame[y : y + 4, x : x + 4] = 255
    clip = write_clip(folder / "block.mp4", [frame] * 6, options={"crf": "1"})
    opened = Clip.open(clip)
    values = np.zeros((2, 2, 12, 12), np.float32)
    values[:, :, 3, 6] = STRENGTHS
    values[:, :, 9, 6] = -0.5
    series = map_series([[0, 0], [0, 0]], [0.5, 2.5])
    centres = CellCentres(series.centres.t, CELLS, CELLS)
    explanation = make_explanation(
        clip=opened.info,
        timeline=opened.timeline,
        geometry=Geometry(HEIGHT, WIDTH, HEIGHT, WIDTH, 0, 16, 48, 48),
        maps=(replace(series, values=values, centres=centres),),
    )
    video_cam.render(clip, explanation, folder / "out")
    return folder / "out"


def centre_of(picture: np.ndarray) -> np.ndarray:
    """The centre (x, y) of what is bright, in pixels of the canvas."""
    bright = picture.astype(float).sum(2)
    bright = np.where(
        bright > 0.5 * bright.max(), bright, 0
    )  # without the grey of what was not seen
    y, x = np.mgrid[: bright.shape[0], : bright.shape[1]] + 0.5
    return np.array([(bright * x).sum(), (bright * y).sum()]) / bright.sum()


def pixel_on_screen(page: Any, x: float, y: float, panel: int = 0) -> tuple[float, float]:
    """Where a point of the source is on the screen."""
    box = page.locator("#stage canvas").nth(panel).bounding_box()
    left, top, across, down = page.evaluate("visiblePart(app.state.zoom, DATA.clip)")
    return (
        box["x"] + (x - left) / across * box["width"],
        box["y"] + (y - top) / down * box["height"],
    )


def test_a_marked_pixel_its_heat_and_its_value_stay_together(
    open_page: Any, serve: Any, marked: Path
) -> None:
    page = open_page(f"{serve(marked)}/index.html#frame=4&view=strip&dim=false&normalize=frame")
    for zoom in (None, [2, 40, 20], [4, 42, 14], [5, 43.5, 15.3], [9, 41, 14.2]):
        change(page, zoom=zoom)
        left, top, across, _ = page.evaluate("visiblePart(app.state.zoom, DATA.clip)")
        source, heat = (read_canvas(page, panel) for panel in (0, 1))
        size = source.shape[1] / across  # of a source pixel, on the canvas
        expected = (np.array(MIDDLE) - (left, top)) * size
        assert centre_of(source) == pytest.approx(expected, abs=0.2 * size), zoom
        assert centre_of(heat) == pytest.approx(expected, abs=0.2 * size), zoom
        page.mouse.move(*pixel_on_screen(page, MIDDLE[0] + 0.5, MIDDLE[1] + 0.5, panel=2))
        shown = page.inner_text("#pointed")
        assert shown.startswith(f"pixel {MIDDLE[0]}, {MIDDLE[1]} · map value +"), shown
    # Magnified four times, a source pixel is a square of one colour.
    change(page, zoom=[4, 42, 14])
    canvas = read_canvas(page)
    size = canvas.shape[1] // (WIDTH // 4)
    squares = canvas.reshape(HEIGHT // 4, size, WIDTH // 4, size, 3).astype(int)
    assert size >= 8 and np.ptp(squares, axis=(1, 3)).max() <= 2
    assert squares.max() > 250 and squares.min() < 5


def test_the_pointer_reads_a_value_and_a_box_its_share_and_curve(
    open_page: Any, marked: Path
) -> None:
    page = open_page((marked / "index.html").as_uri() + "#frame=4")
    # A pixel beside the centres of cells, between which the map is linear.
    full = page.evaluate("DATA.maps[0].peak")
    frame = page.evaluate("[...app.frameOf(0).values]")
    x, y = 43, 13
    weights = (np.interp(x - 16, CELLS, np.eye(12)[6]), np.interp(y, CELLS, np.eye(12)[3]))
    value = frame[3 * 12 + 6] * weights[0] * weights[1]
    page.mouse.move(*pixel_on_screen(page, x + 0.5, y + 0.5))
    shown = page.inner_text("#pointed")
    assert f"pixel {x}, {y} · map value +{value:.3g}" in shown
    assert f"{100 * value / full:.1f}\N{NO-BREAK SPACE}% of full heat · frame 4 · 0:00." in shown
    page.mouse.move(*pixel_on_screen(page, MIDDLE[0], 38))
    assert re.search(r"map value \u22120\.\d+ · 0\.0\s% of full heat", page.inner_text("#pointed"))
    page.mouse.move(*pixel_on_screen(page, 70, 14))
    assert "not seen by the network" in page.inner_text("#pointed")
    page.mouse.move(5, 5)
    assert "Point at the picture" in page.inner_text("#pointed")

    left_half, block = [0, 0, 42, HEIGHT], [32, 4, 52, 24]
    page.keyboard.down("Shift")
    page.mouse.move(*pixel_on_screen(page, 31.7, 4.4))
    page.mouse.down()
    page.mouse.move(*pixel_on_screen(page, 51.6, 23.5), steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    wait_until(
        page, f"{STATE}.box?.join() === '31,4,52,24' && location.hash.includes('box=31-4-52-24')"
    )
    for box, share in ((block, 1), (left_half, 0.5), ([20, 26, 60, 48], 0)):
        change(page, box=box)
        told = f"{100 * share:.1f}\N{NO-BREAK SPACE}% of this frame's heat"
        assert told in page.inner_text("#box-text"), box
    change(page, box=[64, 0, 80, 48])
    assert "the network did not see it" in page.inner_text("#box-text")

    change(page, box=block)
    wait_until(page, "app.boxCurve.values.every((value) => !Number.isNaN(value))")
    curve = page.evaluate("[...app.boxCurve.values]")
    # The mean of the positive values at the box's pixels; the cell's tent is whole within the box.
    tent = np.maximum(0, 1 - np.abs(np.arange(32, 52) - 41.5) / 4).sum() ** 2 / 20**2
    heights = [page.evaluate(f"app.maps.peek(0, {i}).values[3 * 12 + 6]") for i in range(6)]
    assert max(heights) > 2 * min(heights) > 0
    assert curve == pytest.approx(np.array(heights) * tent, rel=1e-3)
    before = page.evaluate("app.scrub.canvas.toDataURL()")
    page.click("#box-clear")
    wait_until(page, f"{STATE}.box === null")
    assert page.inner_text("#box-text") == "" and not page.is_visible("#box-clear")
    assert page.evaluate("app.scrub.canvas.toDataURL()") != before


def test_the_box_is_drawn_with_the_keyboard_alone(page: Any) -> None:
    width, height = 96, 64
    page.keyboard.press("b")
    wait_until(page, f"{STATE}.box?.join() === '{width // 4},16,72,48'")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    wait_until(page, f"{STATE}.box?.join() === '26,18,74,50'")
    page.keyboard.press("Shift+ArrowLeft")
    wait_until(page, f"{STATE}.box?.join() === '26,18,72,50'")
    for _ in range(13):
        page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.box?.join() === '50,18,{width},50'")
    assert frame_of(page) == 0 and page.get_attribute("#box", "aria-pressed") == "true"
    assert "of full heat" in page.text_content("#spoken")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.frame_index === 1")
    page.keyboard.press("b")
    page.keyboard.press("Delete")
    wait_until(page, f"{STATE}.box === null")
    for box in ([0, 0, 0, 5], [0, 0, width + 1, height], [0.5, 0, 4, 4], [1, 2, 3], "x"):
        message = page.evaluate("b => videoCam.set({box: b}).catch((e) => e.message)", box)
        assert "[left, top, right, bottom]" in message


def test_wheel_drag_keys_and_double_click_magnify(page: Any) -> None:
    at = tuple(map(round, pixel_on_screen(page, 70, 20)))  # those of a wheel are whole
    under = f"(({{x, y}}) => [x, y])(app.stage.pointOf({{clientX: {at[0]}, clientY: {at[1]}}}))"
    page.mouse.move(*at)
    before = page.evaluate(under)
    page.mouse.wheel(0, -700)
    wait_until(page, f"{STATE}.zoom?.[0] > 3")
    assert page.evaluate(under) == pytest.approx(before, abs=0.05)
    assert "40" in page.inner_text("#zoom-reset")  # exp(0.002 * 700) = 4.06
    page.mouse.down()
    page.mouse.move(at[0] + 30, at[1] + 20, steps=3)
    page.mouse.up()
    here = f"{{clientX: {at[0] + 30}, clientY: {at[1] + 20}}}"
    moved = page.evaluate(f"(({{x, y}}) => [x, y])(app.stage.pointOf({here}))")
    assert moved == pytest.approx(before, abs=0.1)
    page.keyboard.press("ArrowRight")  # the mouse leaves the keys to the player
    wait_until(page, f"{STATE}.frame_index === 1")
    page.keyboard.press("Home")
    wait_until(page, "/zoom=4\\.05[0-9]*-/.test(location.hash)")
    page.mouse.dblclick(*at)
    wait_until(page, f"{STATE}.zoom === null && !location.hash.includes('zoom')")
    for key in ("+", "+", "-"):
        page.keyboard.press(key)
    wait_until(page, f"{STATE}.zoom?.join() === '1.5,48,32'")
    page.focus("#stage")
    page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.zoom?.join() === '1.5,54.4,32'")
    assert frame_of(page) == 0
    page.keyboard.press("0")
    wait_until(page, f"{STATE}.zoom === null")
    page.keyboard.press("ArrowRight")
    wait_until(page, f"{STATE}.frame_index === 1")
    page.mouse.move(*at)
    page.evaluate("scrollTo(0, 0)")
    page.mouse.wheel(0, 200)  # nothing to make smaller: the page scrolls
    wait_until(page, f"scrollY > 0 && {STATE}.zoom === null")
    page.keyboard.press("f")
    wait_until(page, "document.fullscreenElement?.matches('.viewer')")
    page.keyboard.press("f")
    wait_until(page, "document.fullscreenElement === null")


def test_keys_and_buttons_jump_to_peaks(page: Any) -> None:
    peaks = sorted(page.evaluate("DATA.maps[app.chosen].peaks"))
    assert peaks
    for press in (lambda: page.keyboard.press("p"), lambda: page.click("#peak-forward")):
        goto(page, 0)
        for frame in (frame for frame in peaks if frame > 0):
            press()
            wait_until(page, f"{STATE}.frame_index === {frame} && app.player.shown === {frame}")
            assert "peak of the map, strength" in page.inner_text("#moment")
        press()
        # It stays when another frame is shown, and is true then, too.
        assert page.inner_text("#message") == f"no peak of the map after frame {peaks[-1]}"
    goto(page, 39)
    for frame in [frame for frame in peaks if frame < 39][::-1]:
        page.keyboard.press("Shift+P")
        wait_until(page, f"{STATE}.frame_index === {frame}")
    assert not page.inner_text("#message")
