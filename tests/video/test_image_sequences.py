"""Several sequences of numbered images in one folder are several clips."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from video_cam import ClipError
from video_cam.video.clip import Clip
from video_cam.video.image_sequences import (
    num_missing,
    sequence_images,
    sequence_name,
    sequences_of,
)


def write_images(folder: Path, *names: str, size: tuple[int, int] = (20, 10)) -> None:
    for value, name in enumerate(names):
        Image.new("RGB", size, (value, 0, 0)).save(folder / name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a_1.png", "a_2.png", "a_10.png"], []),
        (["a_1.png", "a_2.png", "b_1.png", "b_2.png"], ["a_%d.png", "b_%d.png"]),
        (["v1_1.png", "v1_2.png", "v2_1.png"], ["v1_%d.png", "v2_1.png"]),
        (["f1.jpg", "f2.jpg", "f1.png", "f2.png"], ["f%d.jpg", "f%d.png"]),
        # The beginning of the names differs from frame to frame.
        (["0001_0.033.png", "0002_0.067.png"], []),
        (["1.jp2", "2.jp2"], []),
    ],
)
def test_images_belong_together_where_only_the_number_differs(names, expected) -> None:
    found = sequences_of([Path("folder") / name for name in names])
    assert found == [Path("folder") / name for name in expected]


@pytest.mark.parametrize("name", ["a_%d.png", "a_%04d.png"])
def test_a_name_with_a_pattern_is_a_clip(tmp_path, name) -> None:
    write_images(tmp_path, "a_9.png", "a_10.png", "b_1.png", "a_x.png", "a_1.jpg")
    assert [p.name for p in sequence_images(tmp_path / name)] == ["a_9.png", "a_10.png"]
    clip = Clip.open(tmp_path / name)
    assert (clip.info.num_frames, clip.info.is_still, clip.info.is_numbered_images) == (2, 0, 1)
    assert [int(p[0, 0, 0]) for p in clip.frames_at([0, 1]).values()] == [0, 1]


def test_a_file_of_such_a_name_is_meant_itself(tmp_path) -> None:
    write_images(tmp_path, "%d.png", "1.png")
    assert sequence_images(tmp_path / "%d.png") == []
    assert Clip.open(tmp_path / "%d.png").info.is_still


@pytest.mark.parametrize("path", ["gone/%d.png", "a\0/%d.png", f"{'a' * 300}%d.png", "a.png", ""])
def test_other_paths_are_no_sequences(tmp_path, path) -> None:
    assert sequence_images(tmp_path / path) == []


@pytest.mark.parametrize(
    ("name", "common"),
    [("a_%04d.png", "a"), ("%d.png", "folder"), ("x-1_%d.png", "x-1"), ("a.png", None)],
)
def test_a_sequence_has_the_name_that_its_images_share(name, common) -> None:
    assert sequence_name(Path("folder") / name) == common


def test_a_folder_of_several_sequences_is_not_mixed(tmp_path) -> None:
    write_images(tmp_path, "a_1.png", "a_2.png", "b_1.png", "b_2.png")
    with pytest.raises(ClipError, match=r"holds 2 clips .* \(a_%d\.png, b_%d\.png\); give one"):
        Clip.open(tmp_path)


@pytest.mark.parametrize(
    ("numbers", "missing"), [([1, 2, 3], 0), ([0, 5, 10], 0), ([1, 2, 5], 2), ([7], 0), ([2, 2], 0)]
)
def test_missing_numbers_are_counted(numbers, missing) -> None:
    assert num_missing([Path(f"a{number}.png") for number in numbers]) == missing


def test_missing_numbers_and_other_sizes_are_told(tmp_path) -> None:
    write_images(tmp_path, "a_1.png", "a_2.png")
    assert Clip.open(tmp_path).info.problems == ()
    write_images(tmp_path, "a_4.png", size=(40, 40))
    info = Clip.open(tmp_path).info
    assert info.problems == (
        "1 number is missing in the names of the images: shown as if none were",
    )
    assert info.conversions == (
        "the images differ in size: all are scaled to the first one's 20x10",
    )
