"""Alterations against frames written out by hand."""

from __future__ import annotations

import pytest
import torch

from video_cam import UsageError
from video_cam.perturbation.alterations import (
    Frames,
    KeepFrames,
    Replace,
    at_speed,
    backwards,
    blurred_still,
    frozen,
    held,
    shuffled,
    unaltered,
)
from video_cam.perturbation.baselines import baseline_of

NUMBERED = torch.arange(4.0).reshape(1, 4, 1, 1).expand(2, 4, 3, 3)  # frame t is t everywhere


def frames_of(x: torch.Tensor) -> list[float]:
    assert x.shape == NUMBERED.shape and (x == x[:1, :, :1, :1]).all()
    return x[0, :, 0, 0].tolist()


@pytest.mark.parametrize(
    ("alteration", "expected"),
    [
        (unaltered(4), [0, 1, 2, 3]),
        (frozen(4, 2), [2, 2, 2, 2]),
        (backwards(4), [3, 2, 1, 0]),
        (Frames((1, 1, 2, 2)), [1, 1, 2, 2]),
    ],
)
def test_frames_in_another_order(alteration: Frames, expected: list[int]) -> None:
    assert frames_of(alteration(NUMBERED)) == expected


def test_shuffling_is_seeded_and_keeps_every_frame() -> None:
    orders = [shuffled(16, seed).order for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(16)) != list(orders[0])


def test_frames_that_are_not_kept_are_replaced() -> None:
    x = torch.rand(3, 4, 8, 8)
    kept = KeepFrames(frozenset({1, 3}), "mean")(x)
    mean = x.mean((1, 2, 3))[:, None, None]
    assert torch.equal(kept[:, [1, 3]], x[:, [1, 3]])
    torch.testing.assert_close(kept[:, [0, 2]], mean[:, None].expand(3, 2, 8, 8))
    assert torch.equal(KeepFrames(frozenset(range(4)), "blur")(x), x)


def test_a_region_is_replaced() -> None:
    x, replacement = torch.zeros(2, 4, 3, 3), torch.ones(2, 4, 3, 3)
    mask = torch.zeros(1, 4, 3, 3, dtype=torch.bool)
    mask[0, 1, 2, 0] = True
    altered = Replace(mask, replacement)(x)
    assert altered.sum() == 2 and (altered[:, 1, 2, 0] == 1).all() and (x == 0).all()


def test_equal_alterations_of_frames_are_equal_values() -> None:
    assert frozen(4, 1) == Frames((1, 1, 1, 1)) and hash(frozen(4, 1)) == hash(Frames((1,) * 4))
    assert KeepFrames(frozenset({1}), "mean") == KeepFrames(frozenset([1, 1]), "mean")


@pytest.mark.parametrize(("frames", "expected"), [(8, [2, 3, 0, 1, 2, 3, 4, 5]), (2, [1, 0])])
def test_a_moment_before_is_a_quarter_of_the_clip(frames: int, expected: list[int]) -> None:
    x = torch.arange(float(frames)).reshape(1, frames, 1, 1).expand(1, frames, 2, 2)
    assert baseline_of(x, "before")[0, :, 0, 0].tolist() == expected


def test_one_frame_has_no_other_moment() -> None:
    x = torch.rand(1, 1, 2, 2)
    assert torch.equal(baseline_of(x, "before"), x)
    with pytest.raises(UsageError, match="baseline"):
        baseline_of(x, "noise")


@pytest.mark.parametrize(
    ("num_frames", "speed", "expected"),
    [
        (8, 0.5, [2, 2, 3, 3, 4, 4, 5, 5]),
        (8, 2.0, [0, 0, 0, 2, 4, 6, 7, 7]),
        (5, 0.5, [1, 2, 2, 3, 3]),
        (4, 1.0, [0, 1, 2, 3]),
        (1, 2.0, [0]),
    ],
)
def test_another_speed_takes_the_windows_own_frames(
    num_frames: int, speed: float, expected: list[int]
) -> None:
    assert at_speed(num_frames, speed).order == tuple(expected)


def test_a_blurred_still_picture_shows_no_motion_and_no_detail() -> None:
    x = torch.rand(3, 4, 16, 16)
    still = blurred_still()(x)
    assert (still == still[:, :1]).all()
    torch.testing.assert_close(still[:, 0], baseline_of(x, "blur").mean(1))
    assert still.std() < 0.2 * x.std()
    assert blurred_still() == blurred_still() and hash(blurred_still()) == hash(blurred_still())


def test_the_blank_clip_shows_neither_motion_nor_content() -> None:
    x = torch.rand(3, 5, 16, 16)
    blank = held(5, ())(x)
    torch.testing.assert_close(blank, blurred_still()(x))
    assert (blank == blank[:, :1]).all() and blank.std() < 0.2 * x.std()
