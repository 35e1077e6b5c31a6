"""What the drawn clips are painted with: a background, and a sprite's own picture.

Everything is smooth on the scale of a pixel, so that drawings at different sizes agree.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

SPRITE_EXTENT = 1.15  # a sprite's picture covers [-extent, extent] of its radius, edge included
BACKGROUND_UNITS = 128  # side of the background picture in world units, one texel each


def _smooth_noise(rng: np.random.Generator, cells: int, side: int) -> Image:
    """(side, side, 3) float32 noise in about [-1, 1] that varies over ``side / cells`` texels."""
    coarse = rng.uniform(-1, 1, (cells, cells, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def background(rng: np.random.Generator, contrast: float) -> Image:
    """(128, 128, 3) float32 in [0, 1]: a random colour plus three octaves of noise."""
    colour = rng.uniform(0.25, 0.75, 3).astype(np.float32)
    octaves = [
        weight * _smooth_noise(rng, cells, BACKGROUND_UNITS)
        for cells, weight in ((7, 0.22), (15, 0.14), (30, 0.08))
    ]
    return np.clip(colour + contrast * sum(octaves), 0, 1).astype(np.float32)


def sprite(rng: np.random.Generator, side: int, edge: float) -> Image:
    """(side, side, 4) float32 RGBA in [0, 1], colour premultiplied by alpha: a textured blob.

    ``edge`` is the width of the soft rim in radii. Radius 1 spans ``side / 2 / SPRITE_EXTENT``.
    """
    axis = ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1) * SPRITE_EXTENT
    x, y = (np.asarray(grid, np.float32) for grid in np.meshgrid(axis, axis))
    rgb = np.clip(_stripes(rng, x, y) + 0.25 * _smooth_noise(rng, 5, side), 0, 1)
    inside = (_outline(rng, x, y) - np.hypot(x, y)) / edge + 0.5
    alpha = np.clip(inside, 0, 1)[..., None]
    return np.concatenate([rgb * alpha, alpha], axis=2).astype(np.float32)


def _stripes(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """(H, W, 3) waves between two colours that differ clearly: a turn has to be visible."""
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    waves = rng.uniform(2.5, 5.0)
    light = rng.uniform(0.55, 1.0, 3)
    dark = rng.uniform(0.0, 0.45, 3)
    wave = np.sin(waves * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    share = (0.5 + 0.5 * wave)[..., None]
    return np.asarray(dark + (light - dark) * share, np.float32)


def _outline(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Radius of the blob's rim in the direction of every texel, at most 1."""
    lobes = int(rng.integers(2, 6))
    depth, phase = rng.uniform(0.0, 0.16), rng.uniform(0, 2 * np.pi)
    return np.asarray(1 - depth + depth * np.cos(lobes * np.arctan2(y, x) + phase), np.float32)
