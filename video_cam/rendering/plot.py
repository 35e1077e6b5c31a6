"""What a plot shows: panels one above the other with one axis of time, as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Limits = tuple[float, float]
Tick = tuple[float, str]  # position, text

_NICE_STEPS = (1, 2, 2.5, 5, 10)
_MAX_DECIMALS, _LARGE = 5, 1e6  # beyond them numbers are written with exponents
_ROOM = 0.05  # of the range of values, above and below them


@dataclass(frozen=True)
class Curve:
    """Points (x, y), float64 (N,), joined by lines, each with a dot of ``radius`` pixels."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    width: int = 1
    radius: int = 0


@dataclass(frozen=True)
class Area:
    """What lies between two curves over x, float64 (N,) each."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    opacity: float = 1.0


@dataclass(frozen=True)
class Bars:
    """Bars from 0 to ``height``, float64 (N,) each, with a colour for each."""

    left: np.ndarray
    right: np.ndarray
    height: np.ndarray
    colours: tuple[str, ...]


@dataclass(frozen=True)
class Spans:
    """Horizontal lines at y from left to right, float64 (N,) each."""

    left: np.ndarray
    right: np.ndarray
    y: np.ndarray
    colour: str


@dataclass(frozen=True)
class Level:
    """A thin line at y over the whole panel."""

    y: float
    colour: str


Mark = Curve | Area | Bars | Spans | Level


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        name: of the values, beside the panel.
        marks: drawn in this order.
        limits: the values at its lower and upper edge.
        title: above the panel; may be longer than it.
        legend: colours and names.
        has_values: whether values stand at the edge.
        has_grid: whether vertical lines stand at the ticks of time.
    """

    name: str
    marks: tuple[Mark, ...]
    limits: Limits
    title: str = ""
    legend: tuple[tuple[str, str], ...] = ()
    has_values: bool = True
    has_grid: bool = False


@dataclass(frozen=True)
class Plot:
    """Panels with one axis of time.

    Attributes:
        panels: from top to bottom.
        time_name: the name of that axis.
        span: the times at the left and right edge of the panels.
        ticks: of the axis.
        warnings, notes: text above the panels; often empty.
        width: of the picture, in pixels.
    """

    panels: tuple[Panel, ...]
    time_name: str
    span: Limits
    ticks: tuple[Tick, ...]
    warnings: str
    notes: str
    width: int


def ticks_between(low: float, high: float, most: int) -> tuple[Tick, ...]:
    """At most ``most`` ticks at multiples of 1, 2, 2.5 or 5 times a power of ten.

    Args:
        low, high: what the axis covers; high is above low.
    """
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in _NICE_STEPS if nice * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [number * step for number in range(first, last + 1)]
    return tuple(zip(values, _texts(values, step), strict=True))


def _texts(values: Sequence[float], step: float) -> list[str]:
    """The values, all with the same number of decimals."""
    decimals = max(-math.floor(math.log10(step) + 1e-9), 0)
    if abs(round(step * 10**decimals) - step * 10**decimals) > 1e-6:  # a step of 2.5
        decimals += 1
    if decimals > _MAX_DECIMALS or max(map(abs, values), default=0) >= _LARGE:
        return [f"{value:.3g}" for value in values]
    return [f"{value:.{decimals}f}" for value in values]


def with_room(low: float, high: float) -> Limits:
    """Limits for values from low to high, with room; a value that never changes is in the middle.

    Where no value is negative, or none is positive, the limit on that side stays 0.
    """
    room = _ROOM * (high - low) or _ROOM * abs(high) or 1.0
    return (0.0 if low == 0 < high else low - room, 0.0 if high == 0 > low else high + room)
