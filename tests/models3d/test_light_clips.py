"""Clips whose class is a change of one sprite's brightness, for some of their frames."""

from __future__ import annotations

import numpy as np
import pytest

from models3d import draw_clip
from models3d.light_clips import CHANGES, NO_CHANGE, draw_light_clip

SEEDS = range(20_000, 20_008)


def test_only_the_actor_changes_and_only_in_the_events_frames() -> None:
    for seed in SEEDS:
        clip, without = draw_light_clip(seed), draw_light_clip(seed, version="without change")
        assert without.class_id == NO_CHANGE and not without.mask.any()
        assert clip.class_id in range(len(CHANGES))
        start, end = clip.event
        frames = np.arange(16)
        assert clip.mask.any((1, 2))[start:end].all()
        assert not clip.mask[(frames < start) | (frames >= end)].any()
        differs = (without.frames != clip.frames).any(3)
        assert not differs[(frames < start) | (frames >= end)].any()
        # The rest is the soft edge.
        assert (differs & ~clip.mask).sum() < 0.25 * clip.mask.sum()
        assert (differs & clip.mask).sum() > 0.9 * clip.mask.sum()
        change = clip.frames[clip.mask].mean() - without.frames[clip.mask].mean()
        assert change * (1 if clip.class_id == 0 else -1) > 30  # of 255


def test_the_class_changes_nothing_but_the_actor() -> None:
    light, dark = (draw_light_clip(7, class_id=class_id) for class_id in (0, 1))
    np.testing.assert_array_equal(light.mask, dark.mask)
    np.testing.assert_array_equal(light.distractor_masks, dark.distractor_masks)
    assert light.event == dark.event == draw_clip(7).event


def test_nothing_but_the_change_moves_in_clips_of_the_change_alone() -> None:
    clip = draw_light_clip(3, version="change alone")
    start, end = clip.event
    assert not clip.distractor_masks.any()
    inside = clip.frames[start:end]
    for frames in (inside, np.delete(clip.frames, np.arange(start, end), axis=0)):
        moved = (frames != frames[:1]).any(3)
        assert moved.sum() <= 1.2 * clip.mask.any(0).sum() * len(frames)  # the actor glides
    assert (clip.frames[start] != clip.frames[start - 1]).any() or start == 0


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version='frozen' must be one of"):
        draw_light_clip(0, version="frozen")
