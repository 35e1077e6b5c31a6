"""Frames of shorter inputs among those of the longest one."""

from __future__ import annotations

import torch

from video_cam.layers.pathways import frame_positions

FAST = torch.randn(2, 3, 8, 4, 4, generator=torch.Generator().manual_seed(0))


def test_equal_frames_are_found() -> None:
    slow, fast, numbers = frame_positions([FAST[:, :, [0, 3, 7]], FAST, torch.zeros(1, 5)])
    assert slow.tolist() == [0, 3, 7]
    assert fast.tolist() == list(range(8)) and not len(numbers)


def test_frames_that_are_alike_or_changed_lie_evenly() -> None:
    for fast in (torch.zeros_like(FAST), FAST + 1):
        slow, _ = frame_positions([FAST[:, :, ::2] * 0, fast])
        assert slow.tolist() == [0.5, 2.5, 4.5, 6.5]
    other_size, _ = frame_positions([FAST[:, :, ::2, :2], FAST])
    assert other_size.tolist() == [0.5, 2.5, 4.5, 6.5]
