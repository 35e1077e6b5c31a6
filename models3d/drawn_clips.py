"""Drawn clips with exact ground truth: which event happens, where and when.

Textured sprites glide over a drifting textured background, and each of them acts for some frames.
One of them, the actor, performs the event that names the class. The others, the distractors,
perform decoys that last as long and move as much (see ``actions.py``). A clip can be drawn again
without its event, or with the event as its only movement.

Positions and lengths are in world units: the canvas is 64 x 64 of them at every ``size``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models3d import textures
from models3d.actions import (
    DECOYS,
    GLIDE_SPEED,
    RADIUS,
    WORLD,
    Floats,
    Motion,
    SpriteTraits,
    decoy_motion,
    draw_acting,
    draw_event,
    event_motion,
)
from models3d.sprite_drawing import Sprite, crop_scaled, draw_sprites

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
DRIFT_SPEED = 0.7  # of the background, world units per frame and axis, at most
DISTRACTORS = (3, 4)
CLEARANCE = 0.8  # wanted distance of a distractor from the actor, in sums of the two radii
# Each part of a scene has its own random numbers, so that leaving one out changes no other.
SCENE_STREAM, ACTOR_STREAM, BACKGROUND_STREAM, FIRST_DISTRACTOR_STREAM = 0, 1, 2, 3

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]


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
    scene = _Scene(seed, num_frames, size, difficulty, still=version == "event alone")
    sprites, actor = scene.sprites(rng, EVENTS[class_id], event, acts=not without)
    canvases = scene.background()
    coverage = [draw_sprites(canvas, sprites, t) for t, canvas in enumerate(canvases)]
    frames = np.clip(canvases * 255 + 0.5, 0, 255).astype(np.uint8)
    acting = np.stack([sprite.motion.acting for sprite in sprites])  # (S, T)
    masks = (np.stack(coverage, 1) > 0.5) & acting[..., None, None]  # (S, T, H, W)
    return DrawnClip(
        frames,
        NOTHING if without else class_id,
        masks[actor],
        np.delete(masks, actor, axis=0),
        (max(event[0], 0), min(event[1], num_frames)),
    )


def draw_batch(
    seeds: Iterable[int], **options: Any
) -> tuple[Frames, NDArray[np.int64], NDArray[np.bool_]]:
    """Draw the clips of several seeds.

    Args:
        seeds: one per clip.
        options: of ``draw_clip``.

    Returns:
        frames: uint8 (N, T, H, W, 3).
        class_ids: int64 (N,).
        masks: bool (N, T, H, W).
    """
    clips = [draw_clip(seed, **options) for seed in seeds]
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


def number_of_distractors(
    rng: np.random.Generator,
    traits: SpriteTraits,
    action: str,
    event: tuple[int, int],
    num_frames: int,
) -> int:
    """Draw how many distractors a clip has.

    Other classes than "blink" have one fewer as often as a blink hides its actor, so that the
    number of visible sprites in one frame does not show the class.
    """
    count = int(rng.integers(DISTRACTORS[0], DISTRACTORS[1] + 1))
    return count - (action != "blink" and traits.would_be_hidden(event, num_frames))


@dataclass(frozen=True)
class _Scene:
    """What all parts of one clip have in common. still: nothing but the actor moves."""

    seed: int
    num_frames: int
    size: int
    difficulty: float
    still: bool

    def sprites(
        self, rng: np.random.Generator, action: str, event: tuple[int, int], acts: bool
    ) -> tuple[list[Sprite], int]:
        """All sprites from back to front, and the actor's index among them."""
        actor_rng = np.random.default_rng([self.seed, ACTOR_STREAM])
        traits = SpriteTraits.draw(actor_rng, self.difficulty * GLIDE_SPEED)
        whole = event_motion(traits, action, event, self.num_frames)
        drawn_count = number_of_distractors(rng, traits, action, event, self.num_frames)
        count = round(self.difficulty * drawn_count)
        actor = int(rng.integers(count + 1))
        # Distractors keep clear of the whole event, whether this version shows it or not.
        sprites = [self._distractor(i, whole) for i in range(count)]
        motion = event_motion(traits, action, event, self.num_frames, acts)
        sprites.insert(actor, Sprite(self._pictures(actor_rng, 1), motion))
        return sprites, actor

    def background(self) -> textures.Image:
        """float32 (T, size, size, 3) in [0, 1], with a constant drift unless ``still``."""
        rng = np.random.default_rng([self.seed, BACKGROUND_STREAM])
        picture = textures.background(rng, self.difficulty)
        drift = self.difficulty * rng.uniform(-DRIFT_SPEED, DRIFT_SPEED, 2)
        margin = (textures.BACKGROUND_UNITS - WORLD) / 2
        moments = np.arange(self.num_frames) * (not self.still) - self.num_frames / 2
        scale, shape = WORLD / self.size, (self.size, self.size)
        return np.stack([crop_scaled(picture, scale, margin + drift * t, shape) for t in moments])

    def _distractor(self, index: int, actor: Motion) -> Sprite:
        """A sprite with a decoy, on one of ten random paths that keeps clear of the actor."""
        rng = np.random.default_rng([self.seed, FIRST_DISTRACTOR_STREAM + index])
        decoy = DECOYS[int(rng.integers(len(DECOYS)))]
        acts = rng.random() < self.difficulty
        acting, length = draw_acting(rng, self.num_frames)
        traits = SpriteTraits.draw(rng, self.difficulty * GLIDE_SPEED)
        motion = decoy_motion(traits, decoy if acts else None, acting, length)
        shifts = rng.uniform(0, WORLD, (10, 1, 2))
        paths = np.mod(motion.centre + shifts, WORLD)  # (10, T, 2)
        clearance = _clearance(paths, motion.radius, actor)
        # Take the first path with enough clearance; always taking the largest would push
        # distractors into corners.
        path = paths[int(np.minimum(clearance, CLEARANCE).argmax())]
        motion = replace(motion, centre=path)
        pictures = self._pictures(rng, 2 if decoy == "swap" else 1)
        return Sprite(pictures, _first_frame_only(motion) if self.still else motion)

    def _pictures(self, rng: np.random.Generator, count: int) -> tuple[textures.Image, ...]:
        # A texel is about a pixel, and the soft edge about a pixel wide, at every size.
        edge = WORLD / self.size / (sum(RADIUS) / 2)
        return tuple(
            textures.sprite_picture(rng, side=self.size // 2, edge=edge) for _ in range(count)
        )


def _clearance(paths: Floats, radius: Floats, actor: Motion) -> Floats:
    """Smallest distance of each path (P, T, 2) from the actor, in sums of the two radii."""
    apart = np.abs(paths - actor.centre)
    apart = np.minimum(apart, WORLD - apart)
    return np.asarray((np.linalg.norm(apart, axis=2) / (radius + actor.radius)).min(axis=1))


def _first_frame_only(motion: Motion) -> Motion:
    """The state of the first frame in all frames, not acting."""
    first = {name: np.repeat(v[:1], len(v), 0) for name, v in vars(motion).items()}
    return Motion(**first | {"acting": np.zeros_like(motion.acting)})
