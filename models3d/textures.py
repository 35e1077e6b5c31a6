"""Random textures of the drawn clips: the background, and the pictures of sprites.

All textures are smooth on the scale of a pixel, so that drawings of different sizes agree.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

SPRITE_EXTENT = 1.15  # a sprite's picture covers [-extent, extent] of its radius, edge included
BACKGROUND_UNITS = 128  # side of the background picture in world units, one texel each


def _smooth_noise(rng: np.random.Generator, cells: int, side: int) -> Image:
    """float32 (side, side, 3), about [-1, 1]; changes over a distance of ``side / cells``."""
    coarse = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def background(rng: np.random.Generator, contrast: float) -> Image:
    """A random colour plus three octaves of noise.

    Args:
        rng: source of the random numbers.
        contrast: factor of the noise; 0 gives a plain colour.

    Returns:
        float32 (BACKGROUND_UNITS, BACKGROUND_UNITS, 3), RGB in [0, 1].
    """
    colour = rng.uniform(0.25, 0.75, 3).astype(np.float32)
    octaves = [
        weight * _smooth_noise(rng, cells, BACKGROUND_UNITS)
        for cells, weight in ((7, 0.22), (15, 0.14), (30, 0.08))
    ]
    return np.clip(colour + contrast * sum(octaves), 0, 1).astype(np.float32)


def sprite_picture(rng: np.random.Generator, side: int, edge: float) -> Image:
    """A textured blob with a soft edge.

    Args:
        rng: source of the random numbers.
        side: of the picture in texels; radius 1 spans ``side / 2 / SPRITE_EXTENT`` of them.
        edge: width of the soft edge in radii.

    Returns:
        float32 (side, side, 4), RGBA in [0, 1], colour premultiplied by alpha.
    """
    axis = ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1) * SPRITE_EXTENT
    x, y = (np.asarray(grid, np.float32) for grid in np.meshgrid(axis, axis))
    rgb = np.clip(_stripes(rng, x, y) + 0.25 * _smooth_noise(rng, 5, side), 0, 1)
    inside = (_outline_radius(rng, x, y) - np.hypot(x, y)) / edge + 0.5
    alpha = np.clip(inside, 0, 1)[..., None]
    return np.concatenate([rgb * alpha, alpha], axis=2).astype(np.float32)


def _stripes(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """(H, W, 3) waves between a light and a dark colour, which make a rotation visible."""
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    waves = rng.uniform(2.5, 5.0)
    light = rng.uniform(0.55, 1.0, 3)
    dark = rng.uniform(0.0, 0.45, 3)
    wave = np.sin(waves * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    share = (0.5 + 0.5 * wave)[..., None]
    return np.asarray(dark + (light - dark) * share, np.float32)


def _outline_radius(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Radius of the blob's outline in the direction of every texel, at most 1."""
    lobes = int(rng.integers(2, 6))
    depth, phase = rng.uniform(0.0, 0.16), rng.uniform(0, 2 * np.pi)
    return np.asarray(1 - depth + depth * np.cos(lobes * np.arctan2(y, x) + phase), np.float32)
