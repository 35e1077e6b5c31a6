"""Arrays in .npy and .npz files are clips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.media import is_same_timeline, read_all
from video_cam import ClipError
from video_cam.config import LimitsConfig
from video_cam.utils.available_memory import resident_bytes
from video_cam.video.clip import Clip
from video_cam.video.picture_source import NO_RATE


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def gray(dtype=np.uint8) -> np.ndarray:
    """(6, 8, 10): frame i has the value 10 i everywhere."""
    return np.broadcast_to(np.arange(0, 60, 10).reshape(6, 1, 1), (6, 8, 10)).astype(dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_the_frames_of_an_array_are_a_clip(tmp_path, channels, order) -> None:
    array = gray() if channels is None else np.repeat(gray()[..., None], channels, axis=3)
    path = saved(tmp_path / "a.npy", np.asarray(array, order=order))
    clip = Clip.open(path)
    info = clip.info
    assert (info.width, info.height, info.num_frames, info.is_still) == (10, 8, 6, False)
    assert info.conversions == (NO_RATE,)
    assert [p.tolist() for p in clip.frames_at([2, 5]).values()] == [
        [[[value] * 3] * 10] * 8 for value in (20, 50)
    ]
    assert is_same_timeline(read_all(path).timeline, clip.timeline)


def test_the_alpha_of_an_array_is_over_black(tmp_path) -> None:
    array = np.full((2, 8, 10, 4), 200, np.uint8)
    array[1, ..., 3] = 0
    shown = Clip.open(saved(tmp_path / "a.npy", array)).frames_at([0, 1])
    assert [int(picture[0, 0, 0]) for picture in shown.values()] == [157, 0]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (gray(np.uint16) * 80, [0, 100, 250]),  # 12 bits
        (gray(">u2") * 80, [0, 100, 250]),
        (gray(np.float32) / 50, [0, 102, 255]),
        (gray(np.float16), [0, 20, 50]),
        (gray(np.float64) / 25 - 1, [0, 102, 255]),
        (gray(np.int16) * 20 - 500, [0, 102, 255]),
        (gray(bool), [0, 255, 255]),
    ],
)
def test_numbers_are_shown_from_black_to_white(tmp_path, array, expected) -> None:
    shown = Clip.open(saved(tmp_path / "a.npy", array)).frames_at([0, 2, 5])
    assert [int(picture[0, 0, 0]) for picture in shown.values()] == expected


@pytest.mark.parametrize(
    ("dtype", "colour", "half", "opaque"),
    [
        (np.uint8, 200, 128, 255),
        (np.uint16, 3212, 2048, 4095),
        (np.uint16, 3212, 32768, 65535),
        (np.float32, 200 / 255, 0.5, 1),
        (np.float64, 200, 127.5, 255),
        (np.int32, 200, 128, 255),
    ],
)
def test_alpha_of_any_numbers_is_over_black(tmp_path, dtype, colour, half, opaque) -> None:
    array = np.full((3, 8, 10, 4), colour, dtype)
    array[:, ..., 3] = np.array([0, half, opaque]).reshape(3, 1, 1)
    shown = Clip.open(saved(tmp_path / "a.npy", array)).frames_at(range(3))
    assert [int(p[0, 0, 0]) for p in shown.values()] == pytest.approx([0, 100, 200], abs=1)


def test_values_that_are_no_numbers_are_black(tmp_path) -> None:
    array = gray(np.float32) / 50
    array[5, 0, 0] = np.nan
    picture = Clip.open(saved(tmp_path / "a.npy", array)).frames_at([5])[5]
    assert (picture[0, 0, 0], picture[0, 1, 0]) == (0, 255)


@pytest.mark.parametrize("name", ["fps", "frame_rate"])
def test_an_archive_may_name_its_frame_rate(tmp_path, name) -> None:
    np.savez_compressed(tmp_path / "a.npz", video=gray(), labels=np.arange(6), **{name: 12.5})
    info = Clip.open(tmp_path / "a.npz").info
    assert (info.num_frames, info.frame_rate, info.conversions) == (6, Fraction(25, 2), ())


@pytest.mark.parametrize("rate", [[12.5], [[12.5]], [12.5] * 6, "12.5"])
def test_a_frame_rate_in_an_array_is_taken(tmp_path, rate) -> None:
    np.savez(tmp_path / "a.npz", video=gray(), fps=np.array(rate))
    assert Clip.open(tmp_path / "a.npz").info.frame_rate == Fraction(25, 2)


@pytest.mark.parametrize("rate", [0, -1.0, float("nan"), np.arange(3), np.zeros(0), "fast"])
def test_a_frame_rate_that_is_none_is_told(tmp_path, rate) -> None:
    np.savez(tmp_path / "a.npz", video=gray(), fps=rate)
    with pytest.raises(ClipError, match=r"frame rate is .*, expected one number above 0"):
        Clip.open(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ((6, 3, 8, 10), "channels second: move them"),
        ((8, 10, 3), r"shape \(8, 10, 3\); expected \(frames, height, width\)"),
        ((8, 10), r"shape \(8, 10\)"),
        ((2, 6, 8, 10, 3), r"shape \(2, 6, 8, 10, 3\)"),
        ((0, 8, 10), r"shape \(0, 8, 10\)"),
        ((6, 8, 10, 5), r"shape \(6, 8, 10, 5\)"),
    ],
)
def test_an_array_of_another_shape_is_told(tmp_path, shape, problem) -> None:
    with pytest.raises(ClipError, match=problem):
        Clip.open(saved(tmp_path / "a.npy", np.zeros(shape, np.uint8)))


def test_objects_are_not_unpacked(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ClipError, match="not plain arrays"):
        Clip.open(tmp_path / "a.npy")


def test_text_and_complex_numbers_are_told(tmp_path) -> None:
    for dtype in ("U3", complex):
        with pytest.raises(ClipError, match="not of numbers"):
            Clip.open(saved(tmp_path / "a.npy", np.zeros((2, 8, 10), dtype)))


def test_two_arrays_that_may_be_the_clip_are_told(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", left=gray(), right=gray())
    with pytest.raises(ClipError, match=r"holds 2 arrays that may be the clip \('left', 'r"):
        Clip.open(tmp_path / "a.npz")


def test_an_array_that_was_cut_off_is_told(tmp_path) -> None:
    path = saved(tmp_path / "a.npy", gray())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ClipError, match="not plain arrays"):
        Clip.open(path)


def test_arrays_have_limits(tmp_path) -> None:
    path = saved(tmp_path / "a.npy", gray())
    with pytest.raises(ClipError, match="more than 5 frames"):
        Clip.open(path, LimitsConfig(max_frames=5))
    with pytest.raises(ClipError, match="10x8 have more than 79 pixels"):
        Clip.open(path, LimitsConfig(max_pixels=79))


def test_an_archive_that_unpacks_to_more_than_the_memory_is_refused(tmp_path) -> None:
    np.savez_compressed(tmp_path / "a.npz", video=np.zeros((200, 512, 512), np.uint8))
    limits = LimitsConfig(max_memory=resident_bytes() + 2**24)
    with pytest.raises(ClipError, match="the archive unpacks to"):
        Clip.open(tmp_path / "a.npz", limits)
