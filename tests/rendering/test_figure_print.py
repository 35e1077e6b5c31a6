"""Figures as they are printed: scale, colours, fonts, shapes, texts that do not overlap."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

import video_cam
from tests.support.explanations import make_explanation
from tests.support.media import write_clip
from video_cam import Explanation, UsageError
from video_cam.explanation.map_series import ClassTarget
from video_cam.models.preprocessing import Geometry
from video_cam.rendering.blended_maps import BlendedMap
from video_cam.rendering.figure import times_of
from video_cam.rendering.figure_layout import MAX_IMAGE_HEIGHT, MAX_WIDTH, Columns
from video_cam.rendering.heat import HeatMapper
from video_cam.rendering.keyframes import save_keyframe
from video_cam.rendering.overlay import Palette, overlay
from video_cam.rendering.panels import Panels
from video_cam.rendering.sheets import sheet_image
from video_cam.rendering.strip import Rows, Strip, bar_colours, strip_of
from video_cam.video.clip import Clip

PALETTE = Palette("inferno", 0.7)
LONG_NAMES = "a class with a very long name indeed\ngradcam\nbackbone.blocks.11.norm1"


def strip(shape: tuple[int, int], columns: int = 6, aspect: float = 1.0, time: str = "9:59.94 min"):
    picture = np.full((*shape, 3), 90, np.uint8)
    images = [[picture] * columns] * 3
    rows = Rows(["frame", LONG_NAMES, "spin"], images, [time] * columns, aspect, "scale " * 30, "w")
    return strip_of(rows, PALETTE)


def boxes(drawn: Strip) -> list:
    """Where texts lie, in dots."""
    drawn.draw_without_rendering()
    texts = [text for text in drawn.findobj(Text) if text.get_text() and text.get_visible()]
    return [text.get_window_extent() for text in texts]


@pytest.mark.parametrize(
    ("shape", "columns", "aspect"),
    [((150, 200), 6, 1.0), ((48, 64), 14, 1.0), ((1920, 1080), 3, 1.0), ((120, 160), 1, 2.0)],
)
def test_texts_of_a_figure_overlap_neither_each_other_nor_the_images(
    shape: tuple[int, int], columns: int, aspect: float
) -> None:
    drawn = strip(shape, columns, aspect)
    found = boxes(drawn)
    assert not [1 for one, other in combinations(found, 2) if one.overlaps(other)]
    images = [axes.get_window_extent() for axes in drawn.axes if axes.images]
    assert not [1 for text in found for image in images if text.overlaps(image)]
    width, height = drawn.get_size_inches() * drawn.dpi
    for text in found:
        assert text.x0 >= 0 and text.y0 >= 0 and text.x1 <= width and text.y1 <= height


def test_a_figure_fits_the_width_of_a_page_unless_times_need_more() -> None:
    of_few = Columns(6, 16 / 9, 0.5, 0.4)
    assert of_few.width == pytest.approx(MAX_WIDTH)
    assert Columns(1, 16 / 9, 0.5, 0.4).image_width == pytest.approx(MAX_IMAGE_HEIGHT * 16 / 9)
    assert Columns(20, 16 / 9, 0.5, 0.4).width > MAX_WIDTH
    for height, row in zip((1.5, 0.1), of_few.rows([1.5, 0.1], 0.3, 0.2).images, strict=True):
        assert row[0][2] / row[0][3] == pytest.approx(16 / 9), height


@pytest.mark.parametrize("pixel_aspect", [2.0, 0.5, 64 / 45])
def test_images_have_the_shape_in_which_the_clip_is_shown(pixel_aspect: float) -> None:
    drawn = strip((120, 160), 2, pixel_aspect)
    axes = next(axes for axes in drawn.axes if axes.images).get_window_extent()
    assert axes.width / axes.height == pytest.approx(160 * pixel_aspect / 120, rel=1e-6)


def test_a_circle_stays_a_circle(tmp_path: Path) -> None:
    """On a clip with pixels twice as wide as high; in the figure, keyframes, contact sheet."""
    frame = np.zeros((96, 64, 3), np.uint8)
    cv2.ellipse(frame, (32, 48), (16, 32), 0, 0, 360, (255, 0, 0), -1)
    path = write_clip(tmp_path / "c.mp4", [frame] * 6, sample_aspect_ratio=Fraction(2))
    plain = make_explanation(
        clip=Clip.open(path).info,
        timeline=Clip.open(path).timeline,
        geometry=Geometry(96, 64, 96, 64, 0, 0, 96, 64),
    )
    aspect = float(plain.clip.sample_aspect_ratio)
    panels = Panels(frame, frame, frame)
    (tmp_path / "keyframes").mkdir()
    save_keyframe(tmp_path, 0, [panels], aspect)
    keyframe = np.asarray(Image.open(tmp_path / "keyframes/000000.png"))
    drawn = video_cam.figure(path, plain, frames=1).pixels()
    source = drawn[: drawn.shape[0] // 2]  # the lower half has the map
    for picture in (keyframe[:, : keyframe.shape[1] // 3], sheet_image(panels, aspect), source):
        is_red = (picture[..., 0] > 180) & (picture[..., 1] < 80) & (picture[..., 2] < 80)
        rows, columns = is_red.any(1).sum(), is_red.any(0).sum()
        assert rows > 40 and rows == pytest.approx(columns, rel=0.05), picture.shape


def test_the_colour_bar_is_of_what_is_drawn() -> None:
    for alpha in (0.0, 0.4, 1.0):
        palette = Palette("viridis", alpha)
        colours = bar_colours(palette)
        grey = np.full((8, 8, 3), 128, np.uint8)
        for level in (0, 60, 255):
            heat = np.full((8, 8), level / 255, np.float32)
            box = (0, 0, 8, 8)
            np.testing.assert_array_equal(colours[level], overlay(grey, heat, box, palette)[4, 4])
    bar = strip((48, 64)).axes[-1]
    (mesh,) = bar.collections[-1:]
    shown = mesh.cmap(np.arange(256))[:, :3]
    np.testing.assert_allclose(shown, bar_colours(PALETTE) / 255)


def test_contour_levels_are_on_the_bar() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    rows = Rows(["spin"], [[picture]], ["0.00 s"], 1.0, "scale")
    bar = strip_of(rows, Palette("inferno", 0.7, [0.3, 0.6])).axes[-1]
    assert {line.get_ydata()[0] for line in bar.lines} == {0.3, 0.6}


def test_rows_share_a_scale_or_say_that_they_do_not(explanation, sample_clip) -> None:
    small = replace(
        explanation.maps[0],
        target=ClassTarget(4),
        label=explanation.labels[4],
        values=explanation.maps[0].values / 4,
    )
    two = replace(explanation, maps=(explanation.maps[0], small))
    peak = BlendedMap(two, 0).peak

    def drawn(**wanted) -> tuple[np.ndarray, str]:
        figure = video_cam.figure(sample_clip, two, frames=[20], source=False, alpha=1, **wanted)
        images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
        texts = " ".join(text.get_text() for text in figure.findobj(Text))
        return np.asarray(images[1]), texts.replace("\n", " ")

    own, shared = drawn(), drawn(shared_scale=True)
    assert "each row's largest value in the video" in own[1]
    assert "the largest value in the video of all rows" in shared[1]
    blank = np.zeros_like(own[0])
    for (image, _), video_peak in ((own, None), (shared, peak)):
        mapper = HeatMapper(BlendedMap(two, 1), two.geometry, "video", video_peak)
        expected = overlay(blank, mapper.heat(20), mapper.box, Palette("inferno", 1))
        source = video_cam.figure(sample_clip, two, frames=[20], alpha=0).axes[0].images[0]
        expected = overlay(
            np.asarray(source.get_array()), mapper.heat(20), mapper.box, Palette("inferno", 1)
        )
        np.testing.assert_array_equal(image, expected)
    assert (own[0] != shared[0]).any()
    assert "with the same layer" in " ".join(
        text.get_text().replace("\n", " ")
        for text in video_cam.figure(sample_clip, explanation, frames=1, shared_scale=True).findobj(
            Text
        )
    )
    with pytest.raises(UsageError, match="leave one of them out"):
        drawn(shared_scale=True, normalize="frame")


def test_fonts_are_embedded_and_text_stays_text(tmp_path: Path) -> None:
    drawn = strip((48, 64), 2)
    drawn.save(tmp_path / "f.pdf")
    drawn.save(tmp_path / "f.svg")
    pdf = (tmp_path / "f.pdf").read_bytes()
    kinds = set(re.findall(rb"/Type /Font\b.*?/Subtype /(\w+)", pdf, re.DOTALL))
    assert b"Type3" not in pdf and kinds == {b"Type0", b"CIDFontType2"}
    assert b"/FontFile2" in pdf  # TrueType, as Type 42 is in a PDF
    svg = (tmp_path / "f.svg").read_text()
    assert re.search(r"<text[^>]*>9:59.94 min</text>", svg)


def test_times_of_long_clips_are_minutes(explanation: Explanation) -> None:
    assert times_of(explanation, [0, 31]) == ["0.00 s", "1.94 s"]
    ticks = explanation.timeline.pts[1] - explanation.timeline.pts[0]
    slow = replace(explanation.timeline, time_base=Fraction(20, int(ticks)))
    times = times_of(replace(explanation, timeline=slow), [1, 31])
    assert times == ["0:20.00 min", "10:20.00 min"]
