"""Clips the project draws itself, where the truth is known: what happens, where and when.

Textured sprites glide over a drifting textured background, and every one of them acts for a while.
One of them, the actor, does what names the class; the others, as long and as lively, do what
leads nowhere (see actions.py). The clip can be drawn again without the event, or with
everything but the event held still.

Places and lengths are in world units: the canvas is 64 x 64 of them at every ``size``.
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
    Character,
    Floats,
    Motion,
    decoy_motion,
    draw_acting,
    draw_event,
    event_motion,
)
from models3d.painting import Sprite, paint, sample

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

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DrawnClip:
    """A clip and its truth.

    ``frames`` uint8 (T, H, W, 3) RGB. ``mask`` bool (T, H, W): the actor's visible pixels while
    it acts, its place included in the frames where it blinks out; empty without the event.
    ``others`` bool (distractors, T, H, W): the same for each distractor. ``event`` [start, end)
    frames.
    """

    frames: Frames
    class_id: int
    mask: Mask
    others: Mask
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
    """The clip of ``seed``: the same bytes every time, the same scene at every ``size``.

    ``class_id``: one of EVENTS. ``event``: [start, end) frames; it may begin before the clip or
    end after it. ``difficulty`` in [0, 1] scales background texture, drift, gliding and the
    distractors; 0 leaves the actor alone on a plain colour.

    ``version``, of VERSIONS: "without event" has the same scene in which the actor goes on
    gliding: before the event, and wherever the actor is in neither, no pixel differs. In "event
    alone" the event is as it was and all else stands still.
    """
    if version not in VERSIONS:
        raise ValueError(f"version={version!r} must be one of {VERSIONS}")
    # Each part of the scene has its own random numbers: leaving one away changes no other.
    rng = np.random.default_rng([seed, 0])
    drawn_class, drawn_event = int(rng.integers(len(EVENTS))), draw_event(rng, num_frames)
    class_id = drawn_class if class_id is None else class_id
    event = _checked_event(drawn_event if event is None else event, num_frames)
    alone = version == "event alone"

    actor_rng = np.random.default_rng([seed, 1])
    who = Character.draw(actor_rng, difficulty * GLIDE_SPEED)
    whole = event_motion(who, EVENTS[class_id], event, num_frames)
    count = round(difficulty * number_of_distractors(rng, who, EVENTS[class_id], event, num_frames))
    place = int(rng.integers(count + 1))  # the actor's place in the stack, back to front
    sprites = [
        _draw_distractor(np.random.default_rng([seed, 3 + i]), whole, size, difficulty, alone)
        for i in range(count)
    ]
    without = version == "without event"
    motion = event_motion(who, EVENTS[class_id], event, num_frames, acts=not without)
    sprites.insert(place, Sprite(_draw_pictures(actor_rng, size, 1), motion))

    background = np.random.default_rng([seed, 2])
    canvases = _draw_background(background, num_frames, size, difficulty, alone)
    shares = [paint(canvas, sprites, t) for t, canvas in enumerate(canvases)]
    frames = np.clip(canvases * 255 + 0.5, 0, 255).astype(np.uint8)
    acting = np.stack([sprite.motion.acting for sprite in sprites])  # (S, T)
    masks = (np.stack(shares, 1) > 0.5) & acting[..., None, None]
    return DrawnClip(
        frames,
        NOTHING if without else class_id,
        masks[place],
        np.delete(masks, place, axis=0),
        (max(event[0], 0), min(event[1], num_frames)),
    )


def draw_batch(
    seeds: Iterable[int], **options: Any
) -> tuple[Frames, NDArray[np.int64], NDArray[np.bool_]]:
    """``draw_clip`` of every seed: uint8 (N, T, H, W, 3), class ids (N,), masks (N, T, H, W)."""
    clips = [draw_clip(seed, **options) for seed in seeds]
    return (
        np.stack([clip.frames for clip in clips]),
        np.array([clip.class_id for clip in clips], np.int64),
        np.stack([clip.mask for clip in clips]),
    )


def _checked_event(event: tuple[int, int], num_frames: int) -> tuple[int, int]:
    if not (event[0] < event[1] and event[0] < num_frames and event[1] > 0):
        raise ValueError(f"event={event} must be [start, end) with some of the {num_frames} frames")
    return event


def number_of_distractors(
    rng: np.random.Generator, who: Character, action: str, event: tuple[int, int], num_frames: int
) -> int:
    """How many distractors: as if somebody had blinked out, in the classes where nobody does.

    The number of sprites in one frame then says nothing about the class.
    """
    count = int(rng.integers(DISTRACTORS[0], DISTRACTORS[1] + 1))
    return count - (action != "blink" and who.blinks_out(event, num_frames))


def _draw_background(
    rng: np.random.Generator, num_frames: int, size: int, difficulty: float, still: bool
) -> textures.Image:
    """(T, size, size, 3) float32: the background, drifting steadily or standing still."""
    picture = textures.background(rng, difficulty)
    drift = difficulty * rng.uniform(-DRIFT_SPEED, DRIFT_SPEED, 2)
    margin = (textures.BACKGROUND_UNITS - WORLD) / 2
    moments = np.arange(num_frames) * (not still) - num_frames / 2
    scale = WORLD / size
    return np.stack([sample(picture, scale, margin + drift * t, (size, size)) for t in moments])


def _draw_distractor(
    rng: np.random.Generator, actor: Motion, size: int, difficulty: float, still: bool
) -> Sprite:
    """A sprite with a decoy, on the path out of a few that keeps best clear of the actor."""
    decoy = DECOYS[int(rng.integers(len(DECOYS)))]
    acts = rng.random() < difficulty
    acting, length = draw_acting(rng, len(actor.radius))
    who = Character.draw(rng, difficulty * GLIDE_SPEED)
    life = decoy_motion(who, decoy if acts else None, acting, length)
    shifts = rng.uniform(0, WORLD, (10, 1, 2))
    paths = np.mod(life.centre + shifts, WORLD)  # (10, T, 2)
    distance = _clearance(paths, life.radius, actor)
    # The first that is clear enough, not the clearest: nobody should keep to the corners.
    life = replace(life, centre=paths[int(np.minimum(distance, CLEARANCE).argmax())])
    pictures = _draw_pictures(rng, size, 2 if decoy == "swap" else 1)
    return Sprite(pictures, _held_still(life) if still else life)


def _clearance(paths: Floats, radius: Floats, actor: Motion) -> Floats:
    """Least distance of each path (P, T, 2) from the actor, in sums of the two radii."""
    apart = np.abs(paths - actor.centre)
    apart = np.minimum(apart, WORLD - apart)
    return np.asarray((np.linalg.norm(apart, axis=2) / (radius + actor.radius)).min(axis=1))


def _held_still(life: Motion) -> Motion:
    """As in its first frame, all the time."""
    first = {name: np.repeat(v[:1], len(v), 0) for name, v in vars(life).items()}
    return Motion(**first | {"acting": np.zeros_like(life.acting)})


def _draw_pictures(rng: np.random.Generator, size: int, count: int) -> tuple[textures.Image, ...]:
    # A texel is about a pixel, and the rim about a pixel wide, at every size.
    edge = WORLD / size / (sum(RADIUS) / 2)
    return tuple(textures.sprite(rng, side=size // 2, edge=edge) for _ in range(count))
