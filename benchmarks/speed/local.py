"""A folder of clips on this machine: clips a minute, and how long the network runs.

    python -m benchmarks.speed.local [--clips 12] [--network-ms 500 2000] [--processors 1 2]

The network is the stand-in of ``clip_rate``: as one on a GPU, it takes no core while it runs. One
process does all clips, and in stages, with so many processors at most, which read and draw for it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.speed.clip_rate import SECONDS, SIZE, measure
from benchmarks.speed.clip_stages import write_clips
from video_cam.batch.jobs import ClipRecord, Job
from video_cam.batch.local import run_local
from video_cam.batch.local_stages import run_in_stages
from video_cam.batch.run_config import RunConfig
from video_cam.batch.supervision import SupervisedWorker
from video_cam.utils.cores import usable_cores
from video_cam.utils.reporter import Reporter


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--network-ms", type=float, nargs="+", default=[500, 2000])
    parser.add_argument("--processors", type=int, nargs="+", default=[max(usable_cores() - 1, 1)])
    parsed = parser.parse_args()
    print(f"{parsed.clips} clips of {SECONDS} s, {SIZE}x{SIZE}; {usable_cores()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clips(folder / "clips", parsed.clips, SECONDS, SIZE)
        for milliseconds in parsed.network_ms:
            load = os.getloadavg()[0]
            print(f"the network takes {milliseconds:g} ms for a clip; load {load:.0f}")
            run = partial(measure, folder=folder, network_ms=milliseconds)
            run("one process for all", run_local, name=f"{milliseconds:g} whole")
            for count in parsed.processors:
                run(
                    f"in stages, {count} processor{'s' * (count != 1)}",
                    _in_stages,
                    name=f"{milliseconds:g} in stages {count}",
                    processors=count,
                )


def _in_stages(jobs: Sequence[Job], config: RunConfig, reporter: Reporter) -> Iterator[ClipRecord]:
    """As ``run_local`` does with a network on a GPU."""
    with closing(SupervisedWorker(config, reporter)) as network:
        loaded = network.start()
        if loaded is None:
            raise RuntimeError("the process says nothing of its network")
        yield from run_in_stages(network, loaded, jobs, config, reporter)


if __name__ == "__main__":
    main()
