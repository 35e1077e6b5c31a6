"""Clips whose class is a texture: every frame shows it, and no movement does."""

from __future__ import annotations

import numpy as np
import pytest

from models3d import draw_clip
from models3d.drawn_clips import DrawnClip
from models3d.texture_clips import NO_TEXTURE, TEXTURES, draw_texture_clip

# Seed, class id, pixels of the mask, mean colour.
EXPECTED = (
    (5, 1, 3905, [86.893, 123.912, 123.453]),
    (12, 0, 4699, [124.777, 77.806, 103.475]),
)


@pytest.fixture(scope="module")
def drawn() -> list[DrawnClip]:
    return [draw_texture_clip(seed) for seed in range(20_000, 20_016)]


def test_clips_are_those_that_the_bundled_network_was_trained_on() -> None:
    """Literal values; a change of the random numbers or of the drawing shows here."""
    for seed, class_id, mask_pixels, mean in EXPECTED:
        clip = draw_texture_clip(seed)
        assert clip.class_id == class_id
        assert clip.mask.sum() == pytest.approx(mask_pixels, rel=0.002)
        assert clip.frames.mean((0, 1, 2)) == pytest.approx(mean, abs=0.01)


def test_every_frame_shows_the_carrier_and_it_covers_the_distractors(
    drawn: list[DrawnClip],
) -> None:
    for clip in drawn:
        assert clip.event == (0, 16) and clip.frames.shape == (16, 64, 64, 3)
        assert clip.mask.sum((1, 2)).min() > 60
        assert not (clip.mask & clip.distractor_masks).any()
        assert 1 <= len(clip.distractor_masks) <= 4
    assert {clip.class_id for clip in drawn} == set(range(len(TEXTURES)))


def test_without_the_texture_only_the_carrier_differs(drawn: list[DrawnClip]) -> None:
    for seed, clip in zip(range(20_000, 20_008), drawn, strict=False):
        without = draw_texture_clip(seed, version="without texture")
        assert without.class_id == NO_TEXTURE and not without.mask.any()
        differs = (without.frames != clip.frames).any(3)
        inside = differs & clip.mask
        assert inside.sum() > 0.5 * clip.mask.sum()
        # The rest is the soft edge.
        assert (differs & ~clip.mask).sum() < 0.25 * clip.mask.sum()
        np.testing.assert_array_equal(without.distractor_masks, clip.distractor_masks)


def test_the_class_changes_nothing_but_the_carrier() -> None:
    clips = [draw_texture_clip(7, class_id=class_id) for class_id in range(len(TEXTURES))]
    for clip in clips[1:]:
        assert (clip.frames != clips[0].frames).any()
        np.testing.assert_array_equal(clip.mask, clips[0].mask)
        np.testing.assert_array_equal(clip.distractor_masks, clips[0].distractor_masks)


def test_all_movements_are_those_of_the_clip_of_the_same_seed() -> None:
    """The actor of the event acts as before; its mask is what the carrier leaves of it."""
    for seed in range(6):
        moving, textured = draw_clip(seed), draw_texture_clip(seed)
        start, end = moving.event
        event = moving.mask[start:end]
        shown = [masks[start:end] for masks in textured.distractor_masks]
        hidden = textured.mask[start:end]
        # A blink hides its actor, but the place of it is in the mask.
        assert max((event & (masks | hidden)).sum() for masks in shown) > 0.9 * event.sum()


def test_frozen_clips_repeat_the_frame_in_the_middle() -> None:
    clip, frozen = draw_texture_clip(3), draw_texture_clip(3, version="frozen")
    assert frozen.class_id == clip.class_id
    for t in range(16):
        np.testing.assert_array_equal(frozen.frames[t], clip.frames[8])
        np.testing.assert_array_equal(frozen.mask[t], clip.mask[8])
        np.testing.assert_array_equal(frozen.distractor_masks[:, t], clip.distractor_masks[:, 8])


def test_a_lone_sprite_is_the_carrier() -> None:
    for seed in range(8):
        clip = draw_texture_clip(seed, difficulty=0.0)
        assert len(clip.distractor_masks) == 0 and clip.mask.sum((1, 2)).min() > 60


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version='still' must be one of"):
        draw_texture_clip(0, version="still")
