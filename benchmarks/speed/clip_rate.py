"""Clips a minute, and the share of time in which the network runs; for ``cluster`` and ``local``.

The network is a stand-in for one on a GPU: a small convolution that waits, so that a clip takes it
so many milliseconds and no core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from video_cam.batch.inputs import find_clips
from video_cam.batch.jobs import DONE, ClipRecord, Job, plan_jobs
from video_cam.batch.run_config import ModelConfig, RayConfig, RunConfig
from video_cam.batch.store import open_store
from video_cam.config import ExplainConfig, InputConfig
from video_cam.utils.reporter import Reporter, SilentReporter

SECONDS, SIZE = 10, 256
WINDOWS = 19  # of 16 frames, of a clip
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


def measure(
    title: str,
    run: Run,
    folder: Path,
    name: str,
    network_ms: float,
    *,
    num_networks: int = 1,
    processors: int | None = None,
) -> None:
    """Run all clips, and print a line.

    Measured is from the network's first run to the last clip's record: what it takes to load the
    network is not in it, what it takes to start processors is.

    Args:
        folder: with the folder "clips"; results and logs are added.
        name: of the results' folder.
        network_ms: milliseconds that the network takes for a clip.
        num_networks: how many processes have the network; the share is that of each.
        processors: as ``--cpu-actors``; None for the default.
    """
    log = folder / f"{name}.log"
    network = folder / f"network{name}.py"
    network.write_text(NETWORK.format(seconds=network_ms / 1e3 / WINDOWS, log=str(log)))
    config = RunConfig(
        model=ModelConfig(
            name=f"{network}:make",
            weights="none",
            input=InputConfig(num_frames=16, size=(64, 64), frame_rate=Fraction(16)),
        ),
        explain=ExplainConfig(align="receptive-field", check=False),
        output_dir=str(folder / name),
        ray=RayConfig(cpu_actors=(processors, processors) if processors else None),
    )
    store = open_store(config.output_dir)
    store.prepare()
    jobs = plan_jobs(find_clips([str(folder / "clips")]), store)
    config = replace(config, num_clips=len(jobs))
    for record in run(jobs, config, SilentReporter()):
        if record.status != DONE:
            raise RuntimeError(str(record.error))
        ended = time.time()
    times = [tuple(map(float, line.split())) for line in log.read_text().splitlines()]
    seconds = ended - min(times)[0]
    busy = sum(after - before for before, after in times) / num_networks
    print(
        f"  {title:28s} {60 * len(jobs) / seconds:6.1f} clips a minute, the network "
        f"runs {busy / seconds:4.0%} of the time",
        flush=True,
    )
