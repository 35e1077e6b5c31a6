"""Clips on a Ray cluster of this machine: clips a minute, and how long the network runs.

    python -m benchmarks.speed.cluster [--clips 12] [--network-ms 500] [--cores 2]

The network is the stand-in of ``clip_rate``, and Ray is told that there is one GPU. The share is
that of the time in which the network runs, of each actor that has it.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from pathlib import Path

import ray

from benchmarks.speed.clip_rate import SECONDS, SIZE, Run, measure
from benchmarks.speed.clip_stages import write_clips
from video_cam.batch.ray_stages import Pool, run_in_stages, run_whole

ROOT = Path(__file__).parents[2]
GPU = {"num_gpus": 1.0}


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
        address="local",
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
            networks = 2 if title.startswith("2") else 1
            measure(title, run, folder, f"{number}", parsed.network_ms, num_networks=networks)
    ray.shutdown()


def _whole(pool: Pool) -> Run:
    return lambda jobs, config, reporter: run_whole(ray, jobs, config, reporter, pool)


if __name__ == "__main__":
    main()
