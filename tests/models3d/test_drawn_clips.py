"""Drawn clips: their ground truth is exact, and their versions differ in nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models3d import CLASSES, EVENTS, NOTHING, DrawnClip, draw_batch, draw_clip
from models3d.actions import GLIDE_SPEED, WORLD, SpriteTraits, event_motion
from models3d.sprite_drawing import Sprite, draw_sprites

# Seed, class id, event, pixels of the mask, mean colour.
EXPECTED = (
    (5, 5, (0, 10), 2702, [88.455, 125.345, 123.677]),
    (12, 4, (9, 16), 1925, [123.291, 78.16, 104.601]),
)


def centroids(clip: DrawnClip) -> np.ndarray:
    """(event frames, 2) mean x, y of the mask in pixels, on a canvas that wraps around."""
    pixels = [np.argwhere(mask)[:, ::-1] for mask in clip.mask[slice(*clip.event)]]
    circular = [np.exp(2j * np.pi * xy / clip.mask.shape[1]).mean(axis=0) for xy in pixels]
    return np.angle(circular) / (2 * np.pi) * clip.mask.shape[1]


def lone_actor(action: str, seed: int = 3) -> DrawnClip:
    return draw_clip(seed, class_id=EVENTS.index(action), difficulty=0.0)


# What is drawn


def test_clips_are_those_that_the_bundled_network_was_trained_on() -> None:
    """Literal values of two clips; a change of the random numbers or of the drawing shows here."""
    for seed, class_id, event, mask_pixels, mean in EXPECTED:
        clip = draw_clip(seed)
        assert (clip.class_id, clip.event) == (class_id, event)
        assert clip.mask.sum() == pytest.approx(mask_pixels, rel=0.002)
        assert clip.frames.mean((0, 1, 2)) == pytest.approx(mean, abs=0.01)


def test_same_seed_same_bytes() -> None:
    once, again, other = draw_clip(5), draw_clip(5), draw_clip(6)
    assert once.frames.tobytes() == again.frames.tobytes()
    assert once.mask.tobytes() == again.mask.tobytes()
    assert once.frames.tobytes() != other.frames.tobytes()


def test_batch_is_its_clips() -> None:
    frames, class_ids, masks = draw_batch([8, 9], difficulty=0.5)
    second = draw_clip(9, difficulty=0.5)
    assert frames.shape == (2, 16, 64, 64, 3) and frames.dtype == np.uint8
    assert class_ids[1] == second.class_id
    np.testing.assert_array_equal(frames[1], second.frames)
    np.testing.assert_array_equal(masks[1], second.mask)


def test_events_are_balanced() -> None:
    class_ids = [
        draw_clip(seed, num_frames=2, size=16, difficulty=0.0).class_id for seed in range(400)
    ]
    counts = np.bincount(class_ids, minlength=len(CLASSES))
    assert counts[:NOTHING].min() > 30 and counts.max() < 70 and counts[NOTHING] == 0


@pytest.mark.parametrize("num_frames", [16, 48])
@pytest.mark.parametrize("class_id", range(len(EVENTS)), ids=EVENTS)
def test_mask_is_empty_outside_the_event(class_id: int, num_frames: int) -> None:
    for seed in range(4):
        clip = draw_clip(seed, class_id=class_id, num_frames=num_frames)
        start, end = clip.event
        assert 6 <= end - start <= 10 and start >= 0 and end <= num_frames
        shown = clip.mask.sum(axis=(1, 2))
        assert (shown[start:end] > 50).all()
        assert shown[:start].sum() == 0 and shown[end:].sum() == 0


@pytest.mark.parametrize("class_id", range(len(EVENTS)), ids=EVENTS)
def test_mask_lies_on_the_actor(class_id: int) -> None:
    clip = draw_clip(4, class_id=class_id, difficulty=0.0, event=(3, 11))
    background = np.median(clip.frames[0].reshape(-1, 3), axis=0)
    for t in range(3, 11):
        visible = (np.abs(clip.frames[t] - background) > 0).any(axis=2)
        if EVENTS[class_id] == "blink" and not visible.any():
            np.testing.assert_array_equal(clip.mask[t], clip.mask[3])
            continue
        assert visible[clip.mask[t]].mean() > 0.97
        # The outer half of the soft edge is visible, but does not belong to the mask.
        assert clip.mask[t].sum() > 0.8 * visible.sum()


def test_mask_excludes_what_covers_the_actor() -> None:
    lone = [draw_clip(s, class_id=6, difficulty=0.0).mask.sum() for s in range(30)]
    crowded = [draw_clip(s, class_id=6).mask.sum() for s in range(30)]
    assert 0.8 * sum(lone) < sum(crowded) < sum(lone)


@pytest.mark.parametrize(
    ("action", "direction"),
    [
        ("dash left", (-1, 0)),
        ("dash right", (1, 0)),
        ("dash up", (0, -1)),
        ("dash down", (0, 1)),
        ("grow", (0, 0)),
        ("shrink", (0, 0)),
        ("spin", (0, 0)),
        ("blink", (0, 0)),
    ],
)
def test_only_a_dash_travels(action: str, direction: tuple[int, int]) -> None:
    for seed in range(5):
        steps = np.diff(centroids(lone_actor(action, seed)), axis=0)
        steps = (steps + WORLD / 2) % WORLD - WORLD / 2  # across the edge where that is shorter
        travelled = steps.sum(axis=0)
        assert (np.sign(travelled) * (np.abs(travelled) > 10)).tolist() == list(direction)
        assert np.abs(travelled[np.array(direction) == 0]).max() < 1.5


def test_growing_and_shrinking_mirror_each_other() -> None:
    grow, shrink = lone_actor("grow"), lone_actor("shrink")
    growth, shrinkage = (
        clip.mask[clip.event[1] - 1].sum() / clip.mask[clip.event[0]].sum()
        for clip in (grow, shrink)
    )
    assert 1.4 < growth < 2.8
    assert 1.4 < 1 / shrinkage < 2.8


def test_a_blink_hides_the_actor_in_some_frames() -> None:
    clip = lone_actor("blink")
    hidden = clip.frames.reshape(16, -1, 3).std(axis=1).max(axis=1) == 0
    start, end = clip.event
    assert hidden[start] and not hidden[:start].any() and not hidden[end:].any()
    assert (~hidden[start:end]).any()


def test_a_spin_rotates_the_picture_in_place() -> None:
    clip = lone_actor("spin")
    start, end = clip.event
    change = np.abs(np.diff(clip.frames.astype(int), axis=0)).mean(axis=(1, 2, 3))  # t -> t + 1
    assert (change[max(start - 1, 0) : end - 1] > 0.3).all()
    assert change[end - 1 :].sum() == 0 and change[: max(start - 1, 0)].sum() == 0


@pytest.mark.parametrize("seed", range(4))
def test_sizes_draw_the_same_scene(seed: int) -> None:
    small, large = draw_clip(seed), draw_clip(seed, size=256)
    shrunk = np.stack(
        [cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA) for frame in large.frames]
    )
    assert (small.class_id, small.event) == (large.class_id, large.event)
    assert np.abs(small.frames.astype(int) - shrunk).mean() < 1.0
    assert abs(large.mask.sum() / 16 / small.mask.sum() - 1) < 0.02


def test_an_event_may_be_cut_off_but_not_lie_outside_the_clip() -> None:
    whole = draw_clip(0, class_id=4, event=(0, 8), difficulty=0.0)
    late = draw_clip(0, class_id=4, event=(-3, 5), difficulty=0.0)
    assert late.event == (0, 5)
    # The same motion, three frames later.
    np.testing.assert_array_equal(late.frames[:13], whole.frames[3:])
    np.testing.assert_array_equal(late.mask[:5], whole.mask[3:8])
    for event in ((16, 20), (-6, 0), (5, 5)):
        with pytest.raises(ValueError, match=r"event=\(.*16 frames"):
            draw_clip(0, event=event)


# Versions of a clip


def footprint(seed: int, action: str, event: tuple[int, int], acts: bool) -> np.ndarray:
    """(T, 64, 64) bool: the square around the actor of a 64-pixel clip."""
    traits = SpriteTraits.draw(np.random.default_rng([seed, 1]), GLIDE_SPEED)
    square = np.ones((32, 32, 4), np.float32)
    sprite = Sprite((square,), event_motion(traits, action, event, 16, acts))
    canvas = np.zeros((64, 64, 3), np.float32)
    return np.stack([draw_sprites(canvas, [sprite], t)[0] > 0 for t in range(16)])


@pytest.mark.parametrize("class_id", range(len(EVENTS)), ids=EVENTS)
def test_without_the_event_nothing_else_changes(class_id: int) -> None:
    for seed in range(3):
        clip = draw_clip(seed, class_id=class_id)
        without = draw_clip(seed, class_id=class_id, version="without event")
        assert without.class_id == NOTHING and not without.mask.any()
        np.testing.assert_array_equal(
            without.distractor_masks.any((1, 2, 3)), clip.distractor_masks.any((1, 2, 3))
        )
        changed = (clip.frames != without.frames).any(3)
        may_change = footprint(seed, EVENTS[class_id], clip.event, acts=True)
        may_change |= footprint(seed, EVENTS[class_id], clip.event, acts=False)
        assert not changed[~may_change].any()
        assert not changed[: clip.event[0]].any() and changed[slice(*clip.event)].any()


def test_event_alone_is_the_only_movement() -> None:
    for seed in range(6):
        clip, alone = draw_clip(seed), draw_clip(seed, version="event alone")
        assert (alone.class_id, alone.event) == (clip.class_id, clip.event)
        assert not alone.distractor_masks.any()
        # The actor may be covered elsewhere; where it is visible in both, its pixels are the same.
        both = clip.mask & alone.mask
        assert both.sum() > 0.6 * clip.mask.sum()
        difference = np.abs(clip.frames[both].astype(int) - alone.frames[both])
        assert np.median(difference) == 0
        # Away from the actor every frame is like the first.
        actor = footprint(seed, EVENTS[clip.class_id], clip.event, acts=True)
        changed = (alone.frames != alone.frames[:1]).any(3)
        assert not changed[~(actor | actor[:1])].any() and changed.any()


def test_wrong_versions_are_refused() -> None:
    with pytest.raises(ValueError, match="'half' must be one of"):
        draw_clip(0, version="half")
