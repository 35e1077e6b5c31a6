"""Maps of many cells in one byte per cell: each window's values in 127 levels of its largest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

MAX_LEVEL = 127


@dataclass(frozen=True, eq=False)
class QuantisedMaps(NDArrayOperatorsMixin):
    """The signed maps of W windows, used as a float32 array (W, T', H', W').

    ``maps[w]`` makes the array of one window; everything else, such as ``maps.sum()`` and
    ``maps + 1``, first makes that of all.

    A value is off by at most 1/254 of the largest absolute value of its window: half of a step
    between two of the 256 colours.

    Attributes:
        levels: int8 (W, T', H', W').
        scales: float32 (W,): value = scale * level.
    """

    levels: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, maps: Iterable[np.ndarray]) -> QuantisedMaps:
        """From float maps (T', H', W') of one window after another."""
        levels, scales = zip(*map(_levels, maps), strict=True)
        return cls(np.stack(levels), np.array(scales, np.float32))

    @classmethod
    def stacked(cls, several: Iterable[QuantisedMaps]) -> QuantisedMaps:
        """The windows of several, one after another."""
        parts = list(several)
        return cls(
            np.concatenate([one.levels for one in parts]),
            np.concatenate([one.scales for one in parts]),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(W, T', H', W')."""
        return self.levels.shape

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Float32; with a window's number (T', H', W')."""
        if isinstance(index, Integral):
            return self.levels[index] * self.scales[index]
        return np.asarray(self)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self.levels * self.scales[:, None, None, None]
        return values if dtype is None else values.astype(dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [np.asarray(x) if isinstance(x, QuantisedMaps) else x for x in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __getattr__(self, name: str) -> Any:
        """An array's method; not called for what the class itself has."""
        if name.startswith("_"):  # what copy and pickle look for before there are any levels
            raise AttributeError(name)
        return getattr(np.asarray(self), name)


def window_peaks(values: np.ndarray | QuantisedMaps) -> np.ndarray:
    """The largest value of each window's map, at least 0: float32 (W,)."""
    if isinstance(values, QuantisedMaps):
        return values.levels.max((1, 2, 3)).clip(min=0) * values.scales
    return values.max((1, 2, 3)).clip(min=0)


def _levels(values: np.ndarray) -> tuple[np.ndarray, np.float32]:
    scale = np.float32(np.abs(values).max() / MAX_LEVEL)
    if not scale > 0:  # nothing, or too little for a float
        return np.zeros(values.shape, np.int8), np.float32(0)
    return np.rint(values / scale).clip(-MAX_LEVEL, MAX_LEVEL).astype(np.int8), scale
