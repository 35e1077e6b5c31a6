"""Draw sprites onto frames. The canvas wraps around: its opposite edges touch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models3d import textures
from models3d.actions import WORLD, Motion

PixelBox = tuple[slice, slice]  # rows, columns


@dataclass(frozen=True)
class Sprite:
    """What is drawn, and where.

    Attributes:
        pictures: each float32 (side, side, 4), RGBA in [0, 1], colour premultiplied by alpha.
        motion: position, size, angle and picture in every frame.
    """

    pictures: tuple[textures.Image, ...]
    motion: Motion


def crop_scaled(
    picture: textures.Image, scale: float, offset: np.ndarray, shape: tuple[int, int]
) -> textures.Image:
    """A scaled crop of a picture, by cubic interpolation.

    Args:
        picture: float32 (H, W, 3).
        scale: texels per pixel of the crop.
        offset: x, y of the crop's corner in texels; beyond the picture's edge it is mirrored.
        shape: (height, width) of the crop in pixels.

    Returns:
        float32 (height, width, 3).
    """
    # Pixel i is centred on i + 0.5, in the crop and in the picture.
    x, y = offset + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    # Mirrored at its edge, so that a long drift never shows a seam.
    crop = cv2.warpAffine(picture, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(crop, np.float32)


def draw_sprites(canvas: textures.Image, sprites: Sequence[Sprite], t: int) -> textures.Image:
    """Draw all sprites of one frame onto the canvas, in place.

    A hidden sprite (``motion.picture`` of -1) is not drawn and covers nothing, but its coverage is
    returned like that of the others.

    Args:
        canvas: float32 (H, W, 3) in [0, 1]; changed in place.
        sprites: from back to front.
        t: frame index.

    Returns:
        float32 (S, H, W): the share of each pixel that shows each sprite, in [0, 1].
    """
    coverage = np.zeros((len(sprites), *canvas.shape[:2]), np.float32)
    for index, sprite in enumerate(sprites):
        hidden = sprite.motion.picture[t] < 0
        for box, rgba in _wrapped_copies(sprite, t, len(canvas)):
            alpha = rgba[..., 3:]
            if not hidden:
                canvas[box] = canvas[box] * (1 - alpha) + rgba[..., :3]
                coverage[(slice(index), *box)] *= 1 - alpha[..., 0]
            coverage[(index, *box)] = np.maximum(coverage[(index, *box)], alpha[..., 0])
    return coverage


def _wrapped_copies(sprite: Sprite, t: int, size: int) -> Iterator[tuple[PixelBox, textures.Image]]:
    """The sprite in frame ``t``, and its copies at the opposite edges that it crosses."""
    motion, pixels_per_unit = sprite.motion, size / WORLD
    picture = sprite.pictures[max(int(motion.picture[t]), 0)]
    reach = float(motion.radius[t]) * pixels_per_unit * textures.SPRITE_EXTENT
    x, y = (float(position) * pixels_per_unit for position in motion.centre[t])
    for copy_y in _copies_on_axis(y, reach, size):
        for copy_x in _copies_on_axis(x, reach, size):
            yield _rotated(picture, (copy_x, copy_y), reach, float(motion.angle[t]), size)


def _copies_on_axis(centre: float, reach: float, size: int) -> list[float]:
    """Centres, on one axis, of the copies that reach the canvas."""
    copies = (centre, centre - size, centre + size)
    return [copy for copy in copies if -reach - 1 < copy < size + reach + 1]


def _rotated(
    picture: textures.Image, centre: tuple[float, float], reach: float, angle: float, size: int
) -> tuple[PixelBox, textures.Image]:
    """The pixels around ``centre`` (x, y), and the rotated and scaled RGBA picture there."""
    x, y = centre
    rows, columns = _pixel_range(y, reach, size), _pixel_range(x, reach, size)
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


def _pixel_range(centre: float, reach: float, size: int) -> slice:
    """The pixels of one axis within ``reach`` of ``centre``, clipped to the canvas."""
    low, high = math.floor(centre - reach - 1), math.ceil(centre + reach + 1)
    return slice(min(max(low, 0), size - 1), max(min(high, size), 1))
