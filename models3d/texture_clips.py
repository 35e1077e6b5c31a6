"""Drawn clips whose class is the texture of one sprite, to be read from any single frame.

A clip is the one that ``drawn_clips`` draws from the same seed, with the same movements, and with
one of its distractors in front of all and in another texture. That sprite is the carrier of the
class; all others, the actor of the clip's event included, are its distractors.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models3d import textures
from models3d.actions import RADIUS, WORLD, draw_event
from models3d.drawn_clips import EVENTS, DrawnClip
from models3d.scene import NEAR, SCENE_STREAM, TEXTURE_STREAM, Scene
from models3d.sprite_drawing import Sprite

TEXTURES = ("checks", "rings", "spokes", "dots")
TEXTURE_CLASSES = (*TEXTURES, "nothing")
NO_TEXTURE = len(TEXTURES)  # the class of a clip in which all sprites are striped
PLAIN = "stripes"

VERSIONS = ("whole", "without texture", "frozen")


def draw_texture_clip(
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
        class_id: index into TEXTURES; None takes it from the seed.
        difficulty: in [0, 1], as for ``drawn_clips.draw_clip``; where the actor is alone, it is
            the carrier.
        version: of VERSIONS. "without texture": the carrier is striped like the others; outside
            of it no pixel differs. "frozen": the frame in the middle, in all frames.
        crowded: one distractor moves as the carrier does, at a distance of ``scene.NEAR`` or less.

    Returns:
        The clip; its ``mask`` is the carrier in every frame, its ``distractor_masks`` all other
        sprites in every frame, and its ``event`` the whole clip.

    Raises:
        ValueError: an unknown version.
    """
    if version not in VERSIONS:
        raise ValueError(f"version={version!r} must be one of {VERSIONS}")
    rng = np.random.default_rng([seed, SCENE_STREAM])
    action, event = EVENTS[int(rng.integers(len(EVENTS)))], draw_event(rng, num_frames)
    scene = Scene(seed, num_frames, size, difficulty)
    sprites, actor = scene.sprites(rng, action, event, acts=True)

    rng = scene.stream(TEXTURE_STREAM)
    drawn_class = int(rng.integers(len(TEXTURES)))
    class_id = drawn_class if class_id is None else class_id
    carrier = sprites.pop((actor + 1 + int(rng.integers(max(len(sprites) - 1, 1)))) % len(sprites))
    without = version == "without texture"
    pattern = PLAIN if without else TEXTURES[class_id]
    side, edge = scene.picture_shape()
    pictures = tuple(textures.sprite_picture(rng, side, edge, pattern) for _ in carrier.pictures)
    shown = np.maximum(carrier.motion.picture, 0)  # a lone actor may blink
    carrier = Sprite(pictures, replace(carrier.motion, picture=shown))
    if crowded and sprites:
        sprites[0] = _beside(rng, sprites[0], carrier)
    # The carrier is drawn last, so that every frame shows it.
    frames, coverage = scene.draw([*sprites, carrier])
    if version == "frozen":
        middle = [num_frames // 2] * num_frames
        frames, coverage = frames[middle], coverage[:, middle]
    masks = coverage > 0.5
    return DrawnClip(
        frames,
        NO_TEXTURE if without else class_id,
        masks[-1] & (not without),
        masks[:-1],
        (0, num_frames),
    )


def _beside(rng: np.random.Generator, sprite: Sprite, carrier: Sprite) -> Sprite:
    """``sprite`` with the movement of ``carrier``, at a distance of NEAR or less."""
    angle = rng.uniform(0, 2 * np.pi)
    offset = min(2 * RADIUS[0], NEAR) * np.array([np.cos(angle), np.sin(angle)])
    centre = np.mod(carrier.motion.centre + offset, WORLD)
    picture = np.minimum(carrier.motion.picture, len(sprite.pictures) - 1)
    return replace(sprite, motion=replace(carrier.motion, centre=centre, picture=picture))
