"""Crowded clips: a distractor that moves as much as the actor lies within a cell of layer4."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models3d import DrawnClip, draw_clip
from models3d.scene import NEAR
from models3d.texture_clips import draw_texture_clip

SEEDS = range(50_000, 50_024)
CELL = 16  # pixels of a cell of layer4


def centre(mask: np.ndarray) -> np.ndarray:
    """Mean x, y of a mask in pixels, on a canvas that wraps around."""
    points = np.argwhere(mask)[:, ::-1]
    side = mask.shape[-1]
    return np.angle(np.exp(2j * np.pi * points / side).mean(0)) / (2 * np.pi) * side


def distance(one: np.ndarray, other: np.ndarray) -> float:
    apart = np.abs(centre(one) - centre(other)) % 64
    return float(np.linalg.norm(np.minimum(apart, 64 - apart)))


def mean_distances(clip: DrawnClip) -> list[float]:
    """Of each distractor from the actor, over the event's frames that show both."""
    means = []
    for masks in clip.distractor_masks:
        both = [t for t in range(*clip.event) if masks[t].any() and clip.mask[t].any()]
        if both:
            means.append(float(np.mean([distance(masks[t], clip.mask[t]) for t in both])))
    return means


@pytest.mark.parametrize("draw", [draw_clip, draw_texture_clip])
def test_a_distractor_lies_within_a_cell_of_the_actor(draw: Callable[..., DrawnClip]) -> None:
    assert NEAR == CELL
    nearest = [min(mean_distances(draw(seed, crowded=True))) for seed in SEEDS]
    plain = [min(mean_distances(draw(seed)), default=99.0) for seed in SEEDS]
    # A centre is that of the visible pixels, which overlapping sprites shift.
    assert np.mean(np.array(nearest) <= CELL + 2) > 0.95
    assert np.mean(np.array(plain) <= CELL) < 0.5


def test_the_near_distractor_acts_in_the_events_frames_and_changes_as_much() -> None:
    actor, near = [], []
    for seed in SEEDS:
        clip = draw_clip(seed, crowded=True)
        grey = clip.frames.astype(np.float32).mean(3)
        change = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
        masks = clip.distractor_masks[0]
        assert not masks[: clip.event[0]].any() and not masks[clip.event[1] :].any()
        if masks.any():
            actor.append(change[clip.mask].mean())
            near.append(change[masks].mean())
    assert len(near) > 0.9 * len(SEEDS)
    assert np.mean(near) == pytest.approx(np.mean(actor), rel=0.2)


def test_the_event_itself_is_that_of_the_clip_without_a_crowd() -> None:
    for seed in SEEDS[:8]:
        crowded, plain = draw_clip(seed, crowded=True), draw_clip(seed)
        assert (crowded.class_id, crowded.event) == (plain.class_id, plain.event)
        # More of the actor may show: it is drawn in front of the near distractor.
        assert (crowded.mask & plain.mask).sum() > 0.7 * plain.mask.sum()
