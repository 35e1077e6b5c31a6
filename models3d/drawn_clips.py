"""Clips the project draws itself, where the truth is known: what happens, where and when.

Textured sprites glide over a drifting textured background. One of them, the actor, does
something else for part of the clip, and the class is what it does. One frame alone does not
tell: everybody's size, place, turn and texture come from the same ranges.

Places and lengths are in world units: the canvas is 64 x 64 of them at every ``size``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models3d import textures

CLASSES: tuple[str, ...] = (
    "dash left",
    "dash right",
    "dash up",
    "dash down",
    "grow",
    "shrink",
    "spin",
    "blink",
)

WORLD = 64.0
EVENT_FRAMES = (6, 10)  # shortest and longest event
RADIUS = (6.5, 13.0)
SMALL, LARGE = (6.5, 7.5), (12.0, 13.0)  # where growing starts and ends; inside RADIUS
GLIDE_SPEED = 0.5  # world units per frame and axis, at most
DRIFT_SPEED = 0.7
DASH_SPEED = (2.4, 3.4)
SPIN_SPEED = (0.25, 0.45)  # radians per frame: 14 to 26 degrees
DIRECTIONS = {"dash left": (-1, 0), "dash right": (1, 0), "dash up": (0, -1), "dash down": (0, 1)}
CLEARANCE = 0.8  # wanted distance of a distractor from the actor, in sums of the two radii

Floats = NDArray[np.float64]
Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DrawnClip:
    """A clip and its truth.

    ``frames`` uint8 (T, H, W, 3) RGB. ``mask`` bool (T, H, W): the actor's visible pixels while
    it acts, its place included in the frames where it blinks out. ``event`` [start, end) frames.
    """

    frames: Frames
    class_id: int
    mask: Mask
    event: tuple[int, int]


@dataclass(frozen=True)
class _Sprite:
    """One sprite over time; all arrays have one entry per frame."""

    picture: textures.Image  # (side, side, 4) premultiplied RGBA
    centre: Floats  # (T, 2) x, y in world units
    radius: Floats  # (T,) world units
    angle: Floats  # (T,) radians
    visible: Mask  # (T,)


def draw_clip(
    seed: int,
    *,
    num_frames: int = 16,
    size: int = 64,
    class_id: int | None = None,
    difficulty: float = 1.0,
    event: tuple[int, int] | None = None,
) -> DrawnClip:
    """The clip of ``seed``: the same bytes every time, the same scene at every ``size``.

    ``difficulty`` in [0, 1] scales background texture, drift, gliding and the number of
    distractors; 0 leaves the actor alone on a plain colour.
    """
    rng = np.random.default_rng(seed)
    # Drawn even when given, so that the rest of the scene does not depend on the caller.
    drawn_class, drawn_event = int(rng.integers(len(CLASSES))), _draw_event(rng, num_frames)
    class_id = drawn_class if class_id is None else class_id
    event = _checked_event(drawn_event if event is None else event, num_frames)

    scenery = _draw_background(rng, num_frames, size, difficulty)
    actor = _draw_actor(rng, CLASSES[class_id], event, num_frames, size, difficulty)
    count = round(difficulty * int(rng.integers(2, 5)))
    sprites = [_draw_distractor(rng, actor, size, difficulty, num_frames) for _ in range(count)]
    place = int(rng.integers(count + 1))  # the actor's place in the stack, back to front
    sprites.insert(place, actor)

    canvases = np.stack(scenery)  # painted over, frame by frame
    coverage = np.stack([_paint(canvas, sprites, place, t) for t, canvas in enumerate(canvases)])
    frames = np.clip(canvases * 255 + 0.5, 0, 255).astype(np.uint8)
    mask = coverage > 0.5
    mask[: event[0]] = mask[event[1] :] = False
    return DrawnClip(frames, class_id, mask, event)


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


def _draw_event(rng: np.random.Generator, num_frames: int) -> tuple[int, int]:
    length = min(int(rng.integers(EVENT_FRAMES[0], EVENT_FRAMES[1] + 1)), num_frames)
    start = int(rng.integers(num_frames - length + 1))
    return start, start + length


def _checked_event(event: tuple[int, int], num_frames: int) -> tuple[int, int]:
    if not 0 <= event[0] < event[1] <= num_frames:
        raise ValueError(f"event={event} must be [start, end) within the {num_frames} frames")
    return event


def _draw_background(
    rng: np.random.Generator, num_frames: int, size: int, difficulty: float
) -> list[textures.Image]:
    """One float32 (size, size, 3) image per frame: the background, drifting steadily."""
    picture = textures.background(rng, difficulty)
    drift = difficulty * rng.uniform(-DRIFT_SPEED, DRIFT_SPEED, 2)
    margin = (textures.BACKGROUND_UNITS - WORLD) / 2
    scale = WORLD / size
    return [
        _sample(picture, scale, margin + drift * (t - num_frames / 2), (size, size))
        for t in range(num_frames)
    ]


def _sample(
    picture: textures.Image, scale: float, offset: Floats, shape: tuple[int, int]
) -> textures.Image:
    """The ``shape`` = (height, width) window of ``picture`` that starts at ``offset`` texels."""
    # Pixel i is centred on i + 0.5, in the canvas and in the picture alike.
    x, y = offset + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    # Mirrored at its rim, so that a long drift never shows a seam.
    window = cv2.warpAffine(
        picture, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(window, np.float32)


def _draw_actor(
    rng: np.random.Generator,
    action: str,
    event: tuple[int, int],
    num_frames: int,
    size: int,
    difficulty: float,
) -> _Sprite:
    start, end = event
    since_start = np.arange(num_frames) - (start - 1)  # 1 in the event's first frame
    acted = np.clip(since_start, 0, end - start)  # frames of action so far
    acting = (since_start >= 1) & (since_start <= end - start)

    radius = _radii(rng, action, acted / (end - start))
    angle = np.full(num_frames, rng.uniform(0, 2 * np.pi))
    turn = rng.choice([-1, 1]) * rng.uniform(*SPIN_SPEED)
    period = int(rng.integers(1, 3))
    visible = np.ones(num_frames, bool)
    if action == "spin":
        angle = angle + turn * acted
    if action == "blink":
        visible = ~(acting & ((since_start - 1) // period % 2 == 0))
    centre = _actor_path(rng, action, acted, since_start, radius.max(), difficulty)
    return _Sprite(_draw_picture(rng, size), centre, radius, angle, visible)


def _radii(rng: np.random.Generator, action: str, progress: Floats) -> Floats:
    """(T,) radii; ``progress`` runs from 0 to 1 over the event."""
    steady, small, large = (rng.uniform(*limits) for limits in (RADIUS, SMALL, LARGE))
    if action == "grow":
        return np.asarray(small + (large - small) * progress)
    if action == "shrink":
        return np.asarray(large + (small - large) * progress)
    return np.full(len(progress), steady)


def _actor_path(
    rng: np.random.Generator,
    action: str,
    acted: NDArray[np.int64],
    since_start: NDArray[np.int64],
    radius: float,
    difficulty: float,
) -> Floats:
    """(T, 2) centres: gliding, and in a dash's event the dash instead of the gliding."""
    margin = _margin(radius)
    speed = rng.uniform(*DASH_SPEED)
    start = rng.uniform(margin, WORLD - margin, 2)
    glide = difficulty * rng.uniform(-GLIDE_SPEED, GLIDE_SPEED, 2)
    if action not in DIRECTIONS:
        return _reflect(start + glide * since_start[:, None], margin)
    direction = np.array(DIRECTIONS[action], float)
    dash = direction * min(speed * acted.max(), WORLD - 2 * margin)
    # The start is drawn so that the whole dash fits between the margins.
    low, high = margin + np.maximum(-dash, 0), WORLD - margin - np.maximum(dash, 0)
    start = low + (high - low) * (start - margin) / (WORLD - 2 * margin)
    gliding = since_start - acted  # frames of gliding: negative before the event, 0 during it
    dashed = acted / acted.max()
    return _reflect(start + dash * dashed[:, None] + glide * gliding[:, None], margin)


def _margin(radius: float) -> float:
    return radius + 1.0


def _reflect(places: Floats, margin: float) -> Floats:
    """Places bounced between ``margin`` and ``WORLD - margin``."""
    room = WORLD - 2 * margin
    around = np.mod(places - margin, 2 * room)
    return np.asarray(margin + np.minimum(around, 2 * room - around))


def _draw_distractor(
    rng: np.random.Generator, actor: _Sprite, size: int, difficulty: float, num_frames: int
) -> _Sprite:
    """A sprite that only glides, on the path out of a few that keeps best clear of the actor."""
    radius = rng.uniform(*RADIUS)
    margin = _margin(radius)
    starts = rng.uniform(margin, WORLD - margin, (10, 1, 2))
    glides = difficulty * rng.uniform(-GLIDE_SPEED, GLIDE_SPEED, (10, 1, 2))
    paths = _reflect(starts + glides * np.arange(num_frames)[:, None], margin)  # (10, T, 2)
    distance = np.linalg.norm(paths - actor.centre, axis=2) / (radius + actor.radius)
    # The first that is clear enough, not the clearest: nobody should keep to the corners.
    clear = np.minimum(distance.min(axis=1), CLEARANCE)
    still = np.ones(num_frames)
    return _Sprite(
        _draw_picture(rng, size),
        paths[int(clear.argmax())],
        radius * still,
        rng.uniform(0, 2 * np.pi) * still,
        still.astype(bool),
    )


def _draw_picture(rng: np.random.Generator, size: int) -> textures.Image:
    # A texel is about a pixel, and the rim about a pixel wide, at every size.
    return textures.sprite(rng, side=size // 2, edge=WORLD / size / (sum(RADIUS) / 2))


def _paint(canvas: textures.Image, sprites: list[_Sprite], actor: int, t: int) -> textures.Image:
    """Paint frame ``t`` onto ``canvas``; how much of each pixel shows the actor, (H, W)."""
    coverage = np.zeros(canvas.shape[:2], np.float32)
    for place, sprite in enumerate(sprites):
        window, rgba = _place(sprite, t, len(canvas))
        alpha = rgba[..., 3:]
        if sprite.visible[t]:
            canvas[window] = canvas[window] * (1 - alpha) + rgba[..., :3]
        if place > actor:
            coverage[window] *= 1 - alpha[..., 0]
        if place == actor:
            coverage[window] = alpha[..., 0]
    return coverage


def _place(sprite: _Sprite, t: int, size: int) -> tuple[tuple[slice, slice], textures.Image]:
    """The canvas window a sprite lies in at frame ``t``, and its RGBA picture there."""
    per_unit = size / WORLD
    x, y = (float(place) * per_unit for place in sprite.centre[t])
    reach = float(sprite.radius[t]) * per_unit * textures.SPRITE_EXTENT
    rows, columns = _span(y, reach, size), _span(x, reach, size)

    side = len(sprite.picture)
    zoom, angle = side / (2 * reach), float(sprite.angle[t])  # texels per pixel, radians
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    # Pixel i is centred on i + 0.5; dx, dy lead from the sprite's centre to the first pixel.
    dx, dy, middle = columns.start + 0.5 - x, rows.start + 0.5 - y, side / 2 - 0.5
    matrix = [[cos, sin, cos * dx + sin * dy + middle], [-sin, cos, cos * dy - sin * dx + middle]]
    rgba = cv2.warpAffine(
        sprite.picture,
        np.array(matrix),
        (columns.stop - columns.start, rows.stop - rows.start),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0, 0),
    )
    return (rows, columns), np.asarray(rgba, np.float32)


def _span(centre: float, reach: float, size: int) -> slice:
    """The pixels of one axis within ``reach`` of ``centre``, cut off at the canvas."""
    return slice(max(math.floor(centre - reach - 1), 0), min(math.ceil(centre + reach + 1), size))
