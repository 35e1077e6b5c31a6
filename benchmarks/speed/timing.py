"""Timing that a busy machine does not spoil: everything in turn, medians of ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A duration in units of the yardstick: the median, least and most of the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} - {self.most:.2f})"


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def ratios(
    yardstick: Callable[[], object], runs: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, Ratio]:
    """Each run in units of the yardstick, which is timed anew before each of them."""
    for run in (yardstick, *runs.values()):
        run()  # warm up
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            unit = seconds(yardstick)
            found[name].append(seconds(run) / unit)
    return {
        name: Ratio(statistics.median(values), min(values), max(values))
        for name, values in found.items()
    }
