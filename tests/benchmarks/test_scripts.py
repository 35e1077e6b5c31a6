"""The functions behind the benchmark's scripts, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.speed import decoders, device_resize
from benchmarks.speed import ratios as ratios_module
from benchmarks.speed.ratios import Ratio, ratios
from benchmarks.truth.compare_alignments import localization
from benchmarks.truth.window_overlap import (
    LENGTH,
    TemporalErrors,
    fused,
    mass_over_time,
    temporal_errors,
    windows_of,
)


def test_ratios_are_medians_against_a_unit_timed_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    # A warm-up of both, then in each of three rounds the unit and the run.
    durations = iter([1.0, 2.0, 2.0, 2.0, 1.0, 5.0])

    def timed(run: Callable[[], object]) -> float:
        run()
        return next(durations)

    monkeypatch.setattr(ratios_module, "seconds", timed)
    found = ratios(lambda: calls.append("unit"), {"row": lambda: calls.append("row")}, 3)
    assert found == {"row": Ratio(2.0, 1.0, 5.0)}
    assert calls == ["unit", "row"] * 4
    assert str(found["row"]) == "2.00 (1.00 - 5.00)"


def test_localization_with_its_tolerances() -> None:
    volumes, masks = np.zeros((1, 6, 64, 64), np.float32), np.zeros((1, 6, 64, 64), bool)
    masks[0, 2:4, 30, 30] = True
    volumes[0, 2, 37, 30] = 1.0  # 7 pixels off
    volumes[0, 3, 38, 30] = 1.0  # 8 pixels off
    volumes[0, 4, 30, 30] = 2.0  # one frame late
    assert localization(volumes, masks) == (0.5, 1.0, pytest.approx(3.25 - 2.5))


def test_temporal_errors_by_hand() -> None:
    mass = np.array([0, 0.6, 0, 0.5, 1.0, 0.6, 0.4, 0])
    # Frames 3 to 5 around the peak, and frame 1, are above half of it; the event is frames 4 to 6.
    assert temporal_errors(mass, (4, 7)) == TemporalErrors(
        2 / 5, -1.0, True, pytest.approx((mass * np.arange(8)).sum() / 3.1 - 5)
    )


def test_fusing_multiplies_shares_of_the_peak() -> None:
    assert fused([np.array([1.0, 2.0]), np.array([4.0, 2.0])]).tolist() == [0.5, 0.5]


def test_windows_cover_the_clip_and_blend_in_time() -> None:
    windows = windows_of(16)
    assert [window.frame_indices[0] for window in windows] == [0, 16, 32]
    assert windows[-1].frame_indices[-1] == LENGTH - 1
    # One map for every start; only the window that starts at frame 16 is positive.
    maps = np.full((33, 4, 1, 1), -1.0, np.float32)
    maps[16] = 1.0
    mass = mass_over_time(maps, np.array([1.5, 5.5, 9.5, 13.5]), windows)
    assert mass[16:32] == pytest.approx(1.0) and mass[:15].max() == mass[33:].max() == 0


def test_the_resize_of_a_device_is_compared_with_the_cpus() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    assert device_resize.difference([frame], "nearest", False) == "0.00% differ, by 0 at most"
    assert not device_resize.difference([frame], "bilinear", True).startswith("0.00%")


def test_decoders_are_timed_in_units_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter([(2.0, 4.0), (1.0, 8.0), (1.0, 1.0), (3.0, 1.0)])
    monkeypatch.setattr(decoders, "times", lambda run: next(spent))
    line = decoders.ratio(lambda: iter(()), lambda: iter(()), rounds=2)
    assert line == "CPU time 1.75 (0.50 - 3.00), wall time 1.50 (1.00 - 2.00)"
