"""Maps and ground truths (T, H, W) with few values that are not 0."""

from __future__ import annotations

import numpy as np


def mask_of(shape: tuple[int, int, int], *boxes: tuple[slice, slice, slice]) -> np.ndarray:
    """A bool mask, True inside the boxes."""
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[box] = True
    return mask


def peaks(shape: tuple[int, int, int], *voxels: tuple[int, int, int]) -> np.ndarray:
    """A map that is 1 at these voxels and 0 elsewhere."""
    values = np.zeros(shape)
    for voxel in voxels:
        values[voxel] = 1.0
    return values


def frames_of_mass(*mass: float) -> np.ndarray:
    """A map (T, 2, 2) whose frames are constant."""
    return np.array(mass)[:, None, None] * np.ones((1, 2, 2))
