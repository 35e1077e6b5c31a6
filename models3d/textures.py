"""Random textures of the drawn clips: the background, and the pictures of sprites.

All textures are smooth on the scale of a pixel, so that drawings of different sizes agree.
"""

from __future__ import annotations

from collections.abc import Callable

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


def sprite_picture(
    rng: np.random.Generator, side: int, edge: float, pattern: str = "stripes"
) -> Image:
    """A textured blob with a soft edge.

    Args:
        rng: source of the random numbers; every pattern takes the same ones.
        side: of the picture in texels; radius 1 spans ``side / 2 / SPRITE_EXTENT`` of them.
        edge: width of the soft edge in radii.
        pattern: of PATTERNS.

    Returns:
        float32 (side, side, 4), RGBA in [0, 1], colour premultiplied by alpha.
    """
    axis = ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1) * SPRITE_EXTENT
    x, y = (np.asarray(grid, np.float32) for grid in np.meshgrid(axis, axis))
    rgb = np.clip(_two_colours(rng, x, y, pattern) + 0.25 * _smooth_noise(rng, 5, side), 0, 1)
    inside = (_outline_radius(rng, x, y) - np.hypot(x, y)) / edge + 0.5
    alpha = np.clip(inside, 0, 1)[..., None]
    return np.concatenate([rgb * alpha, alpha], axis=2).astype(np.float32)


def _two_colours(rng: np.random.Generator, x: Image, y: Image, pattern: str) -> Image:
    """(H, W, 3) a pattern of a light and a dark colour, which makes a rotation visible."""
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    waves = rng.uniform(2.5, 5.0)
    light = rng.uniform(0.55, 1.0, 3)
    dark = rng.uniform(0.0, 0.45, 3)
    u = np.cos(angle) * x + np.sin(angle) * y
    v = np.cos(angle) * y - np.sin(angle) * x
    share = (0.5 + 0.5 * PATTERNS[pattern](u, v, waves, phase))[..., None]
    return np.asarray(dark + (light - dark) * share, np.float32)


def _stripes(u: Image, v: Image, waves: float, phase: float) -> Image:
    return np.sin(waves * u + phase)


def _checks(u: Image, v: Image, waves: float, phase: float) -> Image:
    k = waves + 2.5
    return np.clip(2 * np.sin(k * u + phase) * np.sin(k * v + phase), -1, 1)


def _rings(u: Image, v: Image, waves: float, phase: float) -> Image:
    return np.sin((waves + 2.5) * np.hypot(u, v) + phase)


def _spokes(u: Image, v: Image, waves: float, phase: float) -> Image:
    return np.clip(2 * np.sin(np.rint(waves + 1) * np.arctan2(v, u) + phase), -1, 1)


def _dots(u: Image, v: Image, waves: float, phase: float) -> Image:
    k = waves + 5
    sign = 1 if phase < np.pi else -1  # light dots or dark ones
    return sign * np.clip(1.5 * (np.cos(k * u) + np.cos(k * v)) - 1, -1, 1)


# Name -> share of the light colour, as a function to [-1, 1] of coordinates in radii, waves in a
# radian of them, and a phase.
PATTERNS: dict[str, Callable[[Image, Image, float, float], Image]] = {
    "stripes": _stripes,
    "checks": _checks,
    "rings": _rings,
    "spokes": _spokes,
    "dots": _dots,
}


def _outline_radius(rng: np.random.Generator, x: Image, y: Image) -> Image:
    """Radius of the blob's outline in the direction of every texel, at most 1."""
    lobes = int(rng.integers(2, 6))
    depth, phase = rng.uniform(0.0, 0.16), rng.uniform(0, 2 * np.pi)
    return np.asarray(1 - depth + depth * np.cos(lobes * np.arctan2(y, x) + phase), np.float32)
