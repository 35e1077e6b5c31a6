"""Durations as ratios: other work on the machine slows numerator and denominator alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A duration divided by that of the unit: median, minimum and maximum of the rounds."""

    median: float
    least: float
    most: float

    @staticmethod
    def of(values: Sequence[float]) -> Ratio:
        """The median, minimum and maximum of values, one for each round."""
        return Ratio(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} - {self.most:.2f})"


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call, in seconds."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def ratios(
    unit: Callable[[], object], runs: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, Ratio]:
    """Time each run against a unit of work.

    Args:
        unit: the work to divide by; timed again before every run.
        runs: name -> what is timed.
        rounds: how often each run is timed, after one call of everything to warm up.

    Returns:
        name -> ratio.
    """
    for run in (unit, *runs.values()):
        run()
    values: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            unit_seconds = seconds(unit)
            values[name].append(seconds(run) / unit_seconds)
    return {name: Ratio.of(part) for name, part in values.items()}
