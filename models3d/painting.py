"""Sprites painted onto frames, on a canvas whose opposite rims touch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models3d import textures
from models3d.actions import WORLD, Motion


@dataclass(frozen=True)
class Sprite:
    """A sprite's pictures, (side, side, 4) premultiplied RGBA, and its life."""

    pictures: tuple[textures.Image, ...]
    motion: Motion


def sample(
    picture: textures.Image, scale: float, offset: np.ndarray, shape: tuple[int, int]
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


def paint(canvas: textures.Image, sprites: Sequence[Sprite], t: int) -> textures.Image:
    """Paint frame ``t`` onto ``canvas``, back to front; what shows of each sprite, (S, H, W).

    A sprite that is out at ``t`` is not painted and hides nobody, but its share is there.
    """
    shares = np.zeros((len(sprites), *canvas.shape[:2]), np.float32)
    for place, sprite in enumerate(sprites):
        shown = sprite.motion.picture[t]
        for window, rgba in _copies(sprite, t, len(canvas)):
            alpha = rgba[..., 3:]
            if shown >= 0:
                canvas[window] = canvas[window] * (1 - alpha) + rgba[..., :3]
                shares[(slice(place), *window)] *= 1 - alpha[..., 0]
            shares[(place, *window)] = np.maximum(shares[(place, *window)], alpha[..., 0])
    return shares


def _copies(
    sprite: Sprite, t: int, size: int
) -> Iterator[tuple[tuple[slice, slice], textures.Image]]:
    """A sprite at frame ``t``, and again wherever it leaves the canvas and comes in opposite."""
    motion, per_unit = sprite.motion, size / WORLD
    picture = sprite.pictures[max(int(motion.picture[t]), 0)]
    reach = float(motion.radius[t]) * per_unit * textures.SPRITE_EXTENT
    x, y = (float(place) * per_unit for place in motion.centre[t])
    for copy_y in _around(y, reach, size):
        for copy_x in _around(x, reach, size):
            yield _place(picture, (copy_x, copy_y), reach, float(motion.angle[t]), size)


def _around(centre: float, reach: float, size: int) -> list[float]:
    """Where a sprite's copies are centred on one axis: those that reach the canvas."""
    copies = (centre, centre - size, centre + size)
    return [copy for copy in copies if -reach - 1 < copy < size + reach + 1]


def _place(
    picture: textures.Image, centre: tuple[float, float], reach: float, angle: float, size: int
) -> tuple[tuple[slice, slice], textures.Image]:
    """The canvas window around ``centre``, in pixels, and the turned RGBA picture there."""
    x, y = centre
    rows, columns = _span(y, reach, size), _span(x, reach, size)
    side = len(picture)
    zoom = side / (2 * reach)  # texels per pixel
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    # Pixel i is centred on i + 0.5; dx, dy lead from the sprite's centre to the first pixel.
    dx, dy, middle = columns.start + 0.5 - x, rows.start + 0.5 - y, side / 2 - 0.5
    matrix = [[cos, sin, cos * dx + sin * dy + middle], [-sin, cos, cos * dy - sin * dx + middle]]
    rgba = cv2.warpAffine(
        picture,
        np.array(matrix),
        (columns.stop - columns.start, rows.stop - rows.start),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0, 0),
    )
    return (rows, columns), np.asarray(rgba, np.float32)


def _span(centre: float, reach: float, size: int) -> slice:
    """The pixels of one axis within ``reach`` of ``centre``, cut off at the canvas."""
    low, high = math.floor(centre - reach - 1), math.ceil(centre + reach + 1)
    return slice(min(max(low, 0), size - 1), max(min(high, size), 1))
