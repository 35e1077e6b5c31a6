"""Texts as pictures: the pixels that Pillow draws, and drawn once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from video_cam.rendering import fonts
from video_cam.rendering.captions import Caption, captioned
from video_cam.rendering.fonts import DrawnText, drawn_parts, drawn_text, font
from video_cam.rendering.plot import Panel, Plot
from video_cam.rendering.plot_drawing import draw_plot

WIDTH, HEIGHT, X, Y = 500, 60, 20, 20


def drawn_by_pillow(text: str, size: int, anchor: str, x: float, y: float) -> np.ndarray:
    image = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).text((x, y), text, fill=255, font=font(size), anchor=anchor)
    return np.asarray(image)


def placed(text: DrawnText, x: int, y: int) -> np.ndarray:
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    height, width = text.opacity.shape
    top, left = y + text.top, x + text.left
    picture[top : top + height, left : left + width] = text.opacity
    return picture


@pytest.mark.parametrize("text", ["0.25 s", "jump (AVA fi) §", "Čeština Ελλάς", "سلام"])
@pytest.mark.parametrize("anchor", ["la", "ls", "lm", "rm", "ma"])
@pytest.mark.parametrize("fraction", [(0.0, 0.0), (0.4, 0.75)])
def test_a_text_has_the_pixels_that_pillow_draws(
    text: str, anchor: str, fraction: tuple[float, float]
) -> None:
    x, y = 200 + fraction[0], 30 + fraction[1]
    found = placed(drawn_text(text, 14, anchor, fraction), 200, 30)
    np.testing.assert_array_equal(found, drawn_by_pillow(text, 14, anchor, x, y))


@pytest.mark.parametrize("size", [10, 12, 13, 27])
def test_the_parts_of_a_line_have_the_pixels_of_the_whole_line(size: int) -> None:
    for line in ("moves right   97.1 %   0.06 s", "fi AV   x", "one", "   7", "ж   سلام   1.50 s"):
        picture = np.zeros((HEIGHT, WIDTH), np.uint8)
        for x, text in drawn_parts(line, size):
            np.maximum(picture, placed(text, X + x, Y), out=picture)
        np.testing.assert_array_equal(picture, drawn_by_pillow(line, size, "la", X, Y))


def test_what_stays_in_the_captions_of_a_clip_is_drawn_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = []
    original = ImageDraw.ImageDraw.text

    def recording(self, xy, text, *arguments, **named) -> None:
        drawn.append(text)
        original(self, xy, text, *arguments, **named)

    fonts.drawn_text.cache_clear()
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", recording)
    image = np.zeros((48, 300, 3), np.uint8)
    for number in range(5):
        captioned(image, Caption(("moves right", f"97.1 %   {number}.00 s"), "untrained"))
    expected = ["moves right", "97.1 %", "untrained", *(f"{number}.00 s" for number in range(5))]
    assert sorted(drawn) == sorted(expected)


def test_the_texts_of_a_plot_have_the_pixels_that_pillow_draws() -> None:
    """In their colour, at the top, where nothing else is drawn."""
    panel = Panel("value", (), (0.0, 1.0))
    picture = draw_plot(Plot((panel,), "seconds", (0.0, 1.0), (), "a warning: AVA", "", 601))
    image = Image.new("RGB", (601, 28), "white")
    draw = ImageDraw.Draw(image)
    draw.text((300.5, 8), "a warning: AVA", fill="#b45309", font=font(15), anchor="ma")
    np.testing.assert_array_equal(picture[:28], np.asarray(image))
