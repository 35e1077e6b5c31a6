"""Clips on a Ray cluster of this machine: clips a minute, and how long the network runs.

    python -m benchmarks.speed.cluster [--clips 12] [--network-ms 500] [--cores 2]

The network is a stand-in for one on a GPU: a small convolution that waits, so that a clip takes it
so many milliseconds and no core. Ray is told that there is one GPU. Measured is from the first
clip's record to the last one's, so the time to start is not in it. The share is that of the time
in which the network runs, of each actor that has it.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import ray

from benchmarks.speed.clip_stages import write_clips
from video_cam.batch.inputs import find_clips
from video_cam.batch.jobs import DONE, ClipRecord, Job, plan_jobs
from video_cam.batch.ray_stages import Pool, run_in_stages, run_whole
from video_cam.batch.run_config import ModelConfig, RunConfig
from video_cam.batch.store import open_store
from video_cam.config import ExplainConfig, InputConfig
from video_cam.utils.reporter import Reporter, SilentReporter

ROOT = Path(__file__).parents[2]
SECONDS, SIZE = 10, 256
WINDOWS = 19  # of 16 frames, of a clip
GPU = {"num_gpus": 1.0}
Run = Callable[[Sequence[Job], RunConfig, Reporter], Iterator[ClipRecord]]
NETWORK = """
import time

from torch import nn


class StandIn(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Conv3d(3, 8, 3, stride=4, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        if x.device.type != "meta":
            began = time.time()
            time.sleep(len(x) * {seconds})
            with open({log!r}, "a") as file:
                file.write(f"{{began}} {{time.time()}}\\n")
        return self.head(self.features(x).relu().mean((2, 3, 4)))


def make():
    return StandIn()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--network-ms", type=float, default=500)
    parser.add_argument("--cores", type=int, default=2)
    parsed = parser.parse_args()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ray.init(
        num_cpus=parsed.cores,
        num_gpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": environment},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    print(
        f"{parsed.clips} clips of {SECONDS} s, {SIZE}x{SIZE}; the network takes "
        f"{parsed.network_ms:g} ms for one; {parsed.cores} cores, load {os.getloadavg()[0]:.0f}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clips(folder / "clips", parsed.clips, SECONDS, SIZE)
        one_core = {"num_cpus": 1.0}
        others = Pool(1, max(parsed.cores - 1, 1), one_core)
        runs: dict[str, Run] = {
            "1 actor of 1 core": _whole(Pool(1, 1, one_core)),
            "2 actors of 1 core": _whole(Pool(2, 2, one_core)),
            "1 GPU, its actor does all": _whole(Pool(1, 1, GPU)),
            "1 GPU, fed by the cores": lambda jobs, config, reporter: run_in_stages(
                ray, jobs, config, reporter, Pool(1, 1, GPU), others
            ),
        }
        for number, (title, run) in enumerate(runs.items()):
            _measure(title, run, folder, f"{number}", parsed.network_ms / 1e3 / WINDOWS)
    ray.shutdown()


def _whole(pool: Pool) -> Run:
    return lambda jobs, config, reporter: run_whole(ray, jobs, config, reporter, pool)


def _measure(title: str, run: Run, folder: Path, name: str, seconds: float) -> None:
    """Run all clips, and print a line."""
    log = folder / f"{name}.log"
    network = folder / f"network{name}.py"
    network.write_text(NETWORK.format(seconds=seconds, log=str(log)))
    config = RunConfig(
        model=ModelConfig(
            name=f"{network}:make",
            weights="none",
            input=InputConfig(num_frames=16, size=(64, 64), frame_rate=Fraction(16)),
        ),
        explain=ExplainConfig(align="receptive-field", check=False),
        output_dir=str(folder / name),
    )
    store = open_store(config.output_dir)
    store.prepare()
    jobs = plan_jobs(find_clips([str(folder / "clips")]), store)
    config = replace(config, num_clips=len(jobs))
    times = []
    for record in run(jobs, config, SilentReporter()):
        if record.status != DONE:
            raise RuntimeError(str(record.error))
        times.append(time.time())
    first, last = times[0], times[-1]
    busy = 0.0
    for line in log.read_text().splitlines():
        began, ended = map(float, line.split())
        busy += max(0.0, min(ended, last) - max(began, first))
    actors = 2 if title.startswith("2") else 1
    print(
        f"  {title:28s} {60 * (len(times) - 1) / (last - first):6.1f} clips a minute, the network "
        f"runs {busy / (last - first) / actors:4.0%} of the time",
        flush=True,
    )


if __name__ == "__main__":
    main()
