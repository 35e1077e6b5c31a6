"""Drawn clips with exact ground truth: which event happens, where and when.

Textured sprites glide over a drifting textured background, and each of them acts for some frames.
One of them, the actor, performs the event that names the class. The others, the distractors,
perform decoys that last as long and move as much (see ``actions.py``). A clip can be drawn again
without its event, or with the event as its only movement.

Positions and lengths are in world units: the canvas is 64 x 64 of them at every ``size``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models3d.actions import draw_event
from models3d.scene import SCENE_STREAM, Frames, Mask, Scene

EVENTS: tuple[str, ...] = (
    "dash left",
    "dash right",
    "dash up",
    "dash down",
    "grow",
    "shrink",
    "spin",
    "blink",
)
CLASSES = (*EVENTS, "nothing")
NOTHING = len(EVENTS)  # the class of a clip without an event

VERSIONS = ("whole", "without event", "event alone")


@dataclass(frozen=True)
class DrawnClip:
    """A clip and its ground truth.

    Attributes:
        frames: uint8 (T, H, W, 3), RGB.
        class_id: index into CLASSES.
        mask: bool (T, H, W), the visible pixels of the actor while it acts, including its place in
            the frames where a blink hides it; all False without the event.
        distractor_masks: bool (distractors, T, H, W), the same for each distractor.
        event: [start, end) in frames of this clip.
    """

    frames: Frames
    class_id: int
    mask: Mask
    distractor_masks: Mask
    event: tuple[int, int]


def draw_clip(
    seed: int,
    *,
    num_frames: int = 16,
    size: int = 64,
    class_id: int | None = None,
    difficulty: float = 1.0,
    event: tuple[int, int] | None = None,
    version: str = "whole",
    crowded: bool = False,
) -> DrawnClip:
    """Draw the clip of a seed: the same bytes every time, the same scene at every ``size``.

    Args:
        seed: any non-negative integer.
        num_frames: of the clip.
        size: height and width in pixels.
        class_id: index into EVENTS; None takes it from the seed.
        difficulty: in [0, 1], scales background texture, drift, gliding and the number of
            distractors; 0 shows the actor alone on a plain colour.
        event: [start, end) in frames; it may begin before the clip or end after it. None takes it
            from the seed.
        version: of VERSIONS. "without event": the actor goes on gliding; before the event, and
            outside the actor's two places, no pixel differs. "event alone": nothing but the event
            moves.
        crowded: one distractor imitates the event while it takes place, and lies near it: on
            average over the event its centre is at most ``scene.NEAR`` from the actor's.

    Raises:
        ValueError: an unknown version, or an event outside the clip.
    """
    if version not in VERSIONS:
        raise ValueError(f"version={version!r} must be one of {VERSIONS}")
    rng = np.random.default_rng([seed, SCENE_STREAM])
    drawn_class, drawn_event = int(rng.integers(len(EVENTS))), draw_event(rng, num_frames)
    class_id = drawn_class if class_id is None else class_id
    event = _checked_event(drawn_event if event is None else event, num_frames)

    without = version == "without event"
    scene = Scene(seed, num_frames, size, difficulty, version == "event alone", crowded)
    sprites, actor = scene.sprites(rng, EVENTS[class_id], event, acts=not without)
    frames, coverage = scene.draw(sprites)
    acting = np.stack([sprite.motion.acting for sprite in sprites])  # (S, T)
    masks = (coverage > 0.5) & acting[..., None, None]  # (S, T, H, W)
    return DrawnClip(
        frames,
        NOTHING if without else class_id,
        masks[actor],
        np.delete(masks, actor, axis=0),
        (max(event[0], 0), min(event[1], num_frames)),
    )


def draw_batch(seeds: Iterable[int], **options: Any) -> tuple[Frames, NDArray[np.int64], Mask]:
    """Draw the clips of several seeds.

    Args:
        seeds: one per clip.
        options: of ``draw_clip``.

    Returns:
        frames: uint8 (N, T, H, W, 3).
        class_ids: int64 (N,).
        masks: bool (N, T, H, W).
    """
    return stack_clips([draw_clip(seed, **options) for seed in seeds])


def stack_clips(clips: Sequence[DrawnClip]) -> tuple[Frames, NDArray[np.int64], Mask]:
    """The frames, class ids and masks of several clips, as ``draw_batch`` returns them."""
    return (
        np.stack([clip.frames for clip in clips]),
        np.array([clip.class_id for clip in clips], np.int64),
        np.stack([clip.mask for clip in clips]),
    )


def _checked_event(event: tuple[int, int], num_frames: int) -> tuple[int, int]:
    if not (event[0] < event[1] and event[0] < num_frames and event[1] > 0):
        raise ValueError(
            f"event={event} must be [start, end) and overlap the clip's {num_frames} frames"
        )
    return event
