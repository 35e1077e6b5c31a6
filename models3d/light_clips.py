"""Drawn clips whose class is whether one sprite turns light or dark for a while.

A clip is the one that ``drawn_clips`` draws from the same seed, with the same decoys, and its actor
glides: instead of moving in another way it changes its brightness in the event's frames. A single
frame of the event shows the class.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models3d import textures
from models3d.actions import draw_event
from models3d.drawn_clips import EVENTS, DrawnClip
from models3d.scene import SCENE_STREAM, TEXTURE_STREAM, Scene
from models3d.sprite_drawing import Sprite

CHANGES = {"lights up": 1.0, "goes dark": 0.0}  # name -> the colour that the sprite turns to
LIGHT_CLASSES = (*CHANGES, "nothing")
NO_CHANGE = len(CHANGES)  # the class of a clip in which no sprite changes its brightness
SHARE = 0.8  # of that colour in the picture

VERSIONS = ("whole", "without change", "change alone")


def draw_light_clip(
    seed: int,
    *,
    num_frames: int = 16,
    size: int = 64,
    class_id: int | None = None,
    difficulty: float = 1.0,
    version: str = "whole",
    crowded: bool = False,
) -> DrawnClip:
    """Draw the clip of a seed: the same bytes every time, the same scene at every ``size``.

    Args:
        seed: any non-negative integer.
        num_frames: of the clip.
        size: height and width in pixels.
        class_id: index into CHANGES; None takes it from the seed.
        difficulty: in [0, 1], as for ``drawn_clips.draw_clip``.
        version: of VERSIONS. "without change": the actor keeps its brightness; outside of it no
            pixel differs. "change alone": nothing moves.
        crowded: one distractor acts near the actor, as for ``drawn_clips.draw_clip``.

    Returns:
        The clip; its ``mask`` is the actor while it is light or dark.

    Raises:
        ValueError: an unknown version.
    """
    if version not in VERSIONS:
        raise ValueError(f"version={version!r} must be one of {VERSIONS}")
    rng = np.random.default_rng([seed, SCENE_STREAM])
    action, event = EVENTS[int(rng.integers(len(EVENTS)))], draw_event(rng, num_frames)
    scene = Scene(seed, num_frames, size, difficulty, version == "change alone", crowded)
    sprites, actor = scene.sprites(rng, action, event, acts=False)

    drawn_class = int(scene.stream(TEXTURE_STREAM).integers(len(CHANGES)))
    class_id = drawn_class if class_id is None else class_id
    changes = np.zeros(num_frames, bool)
    changes[slice(*event)] = version != "without change"
    sprites[actor] = _changed(sprites[actor], changes, [*CHANGES.values()][class_id])
    # The actor is drawn last, so that every frame of the change shows it.
    sprites.append(sprites.pop(actor))
    frames, coverage = scene.draw(sprites)
    masks = coverage > 0.5
    acting = np.stack([sprite.motion.acting for sprite in sprites])
    return DrawnClip(
        frames,
        class_id if changes.any() else NO_CHANGE,
        masks[-1] & changes[:, None, None],
        masks[:-1] & acting[:-1, :, None, None],
        event,
    )


def _changed(sprite: Sprite, changes: np.ndarray, colour: float) -> Sprite:
    """``sprite`` with a second picture, in the frames where it changes."""
    picture = sprite.pictures[0]
    alpha = picture[..., 3:]
    rgb = (1 - SHARE) * picture[..., :3] + SHARE * colour * alpha
    changed: textures.Image = np.concatenate([rgb, alpha], axis=2)
    return Sprite((picture, changed), replace(sprite.motion, picture=changes.astype(np.int64)))
