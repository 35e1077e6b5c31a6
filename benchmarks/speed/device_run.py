"""One run of the benchmark on a device: its parts, the time they may take, and what they found."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.speed.ratios import seconds
from video_cam.errors import first_line


@dataclass
class Run:
    """One run of this script: its device, sizes, the time it may take, and what it found."""

    device: str
    folder: Path
    length: float
    size: tuple[int, int]
    deadline: float
    json_file: Path | None = None
    found: dict[str, Any] = field(default_factory=dict)
    num_failed: int = 0

    def part(self, name: str, seconds_needed: float, function: Callable[[], Any]) -> None:
        """Run a part of the benchmark, print its time, and keep what it returns or raises."""
        if time.perf_counter() + seconds_needed > self.deadline:
            print(f"{name}: left out, no time is left", flush=True)
            return
        began = time.perf_counter()
        try:
            self.found[name] = function()
        # A library's or a device's error costs one part, not what the others measure.
        except Exception as error:
            traceback.print_exc()
            self.found[name] = {"error": f"{type(error).__name__}: {first_line(error)}"}
            self.num_failed += 1
        print(f"  ({name} took {time.perf_counter() - began:.0f} s)", flush=True)
        if self.json_file is not None:
            self.json_file.write_text(json.dumps(self.found, indent=1))

    def synced(self, function: Callable[[], object]) -> Callable[[], None]:
        """The function, followed by a wait for the device."""

        def run() -> None:
            function()
            if self.device == "cuda":
                torch.cuda.synchronize()

        return run

    def peak_mb(self) -> float:
        """The most memory of the device since it was last asked, in megabytes; 0 without a GPU."""
        if self.device != "cuda":
            return 0.0
        peak = torch.cuda.max_memory_allocated() / 1e6
        torch.cuda.reset_peak_memory_stats()
        return peak

    def kernel_share(self, function: Callable[[], object]) -> float:
        """The share of a call in which the device computes; the rest it waits for the CPU."""
        if self.device != "cuda":
            return 1.0
        took = seconds(self.synced(function))
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            self.synced(function)()
        return sum(one.self_device_time_total for one in profiled.key_averages()) / 1e6 / took
