"""The contact sheet and the comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from video_cam import Explanation
from video_cam.explanation.map_series import ClassTarget
from video_cam.rendering.blended_maps import BlendedMap, BlendedMaps
from video_cam.rendering.captions import Caption
from video_cam.rendering.frame_choice import frames_to_look_at
from video_cam.rendering.page.assets import CLIP_THUMBNAIL
from video_cam.rendering.panels import Panels
from video_cam.rendering.sheets import sheet_image, write_comparison, write_contact_sheet


def plain(value: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (5, 3), (30, 7)])
def test_a_contact_sheet_is_read_like_a_text(count: int, columns: int, tmp_path: Path) -> None:
    write_contact_sheet(tmp_path / "sheet.jpg", [plain(7 * i) for i in range(count)])
    sheet = cv2.imread(str(tmp_path / "sheet.jpg"))
    rows = -(-count // columns)
    assert sheet.shape == (rows * 28, columns * 36, 3)
    for i in range(count):
        middle = sheet[28 * (i // columns) + 12, 36 * (i % columns) + 16]
        assert np.abs(middle.astype(int) - 7 * i).max() <= 3
    if rows * columns > count:
        assert sheet[-16, -20].min() > 250  # nothing is there


def test_a_comparison_has_a_row_for_each_kind_and_a_column_for_each_class(
    explanation: Explanation, tmp_path: Path
) -> None:
    first = explanation.maps[0]
    kinds = [("layer4", 3), ("layer4", 1), ("layer3", 3)]  # class 1 has no map of layer3
    maps = [replace(first, layer=layer, target=ClassTarget(class_id)) for layer, class_id in kinds]
    rows = [Panels(plain(10), plain(0), plain(50 * (i + 1))) for i in range(3)]
    write_comparison(tmp_path / "c.png", maps, rows)
    image = cv2.imread(str(tmp_path / "c.png"))
    assert image[::24, ::32, 0].tolist() == [[10, 50, 100], [10, 150, 255]]


def test_the_comparison_shows_the_keyframe_with_most_mass(results: Path, explanation) -> None:
    best = int(BlendedMap(explanation, 0).mass.argmax())
    keyframe = cv2.imread(str(results / "keyframes" / f"{best:06d}.png"))
    comparison = cv2.imread(str(results / "comparison.png"))
    rows = len(explanation.maps)
    assert comparison.shape[1] == 512 and not len(comparison) % rows
    for of_keyframe, compared in zip(
        np.split(keyframe, rows), np.split(comparison, rows), strict=True
    ):
        np.testing.assert_array_equal(compared[:256, :256], keyframe[:256, :256])
        np.testing.assert_array_equal(compared[:256, 256:], of_keyframe[:256, 512:])
        assert compared[256:, 256:].max() > 200


def test_the_contact_sheet_and_the_clips_thumbnail_show_overlays(results, explanation) -> None:
    def overlay(frame: int) -> np.ndarray:
        keyframe = cv2.imread(str(results / "keyframes" / f"{frame:06d}.png"))
        return keyframe[:256, 512:].astype(int)

    sheet = cv2.imread(str(results / "contact_sheet.jpg"))
    assert sheet.shape[1] == 7 * 260  # 30 of 32 keyframes
    height = sheet.shape[0] // 5
    assert 256 + 10 < height < 256 + 60  # the picture, its caption, the gap
    on_sheet = frames_to_look_at(BlendedMaps(explanation), 30, [0])
    for row, column in ((0, 0), (0, 3), (4, 1)):
        shown = sheet[height * row :, 260 * column :][:256, :256]
        assert np.abs(shown - overlay(on_sheet[7 * row + column])).mean() < 4
    best = on_sheet[int(BlendedMap(explanation, 0).mass[on_sheet].argmax())]
    thumbnail = cv2.imread(str(results / CLIP_THUMBNAIL))
    differences = [np.abs(thumbnail[:256] - overlay(frame)).mean() for frame in on_sheet]
    assert on_sheet[int(np.argmin(differences))] == best


def test_images_of_a_sheet_have_square_pixels_and_are_large_enough_to_read() -> None:
    caption = Caption(("dash right", "97%   12.34 s"))
    for size, aspect, shape in [
        ((64, 64), 1.0, (160, 160)),
        ((576, 480), 64 / 45, (270, 320)),
        ((240, 320), 0.5, (320, 213)),
        ((1080, 1920), 1.0, (180, 320)),
    ]:
        image = plain(99, size)
        drawn = sheet_image(Panels(image, image, image, caption), aspect)
        assert drawn.shape[1] == shape[1] and drawn.shape[0] > shape[0]
        assert (drawn[: shape[0]] == 99).all()  # nothing is written on the picture
        letters = np.flatnonzero((drawn.max(axis=2) > 160).any(axis=1))
        assert 10 <= np.ptp(letters) <= 40  # lines of text of 12 pixels and more


def test_captions_of_different_heights_share_a_sheet(tmp_path: Path) -> None:
    write_contact_sheet(tmp_path / "sheet.jpg", [plain(50), plain(100, (30, 32))])
    sheet = cv2.imread(str(tmp_path / "sheet.jpg"))
    assert sheet.shape == (34, 72, 3)
