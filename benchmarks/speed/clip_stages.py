"""What the three stages of a clip cost on a cluster, and how many cores feed one GPU.

    python -m benchmarks.speed.clip_stages [--clips 4] [--size 256] [--seconds 10]

Drawn clips are read, explained and drawn in this process by the runners of the stages. CPU time is
counted, of all threads, so other work on the machine does not change it. The network runs in its
own time on a GPU, so its CPU time is left out; what the actor with the network does besides is what
keeps the GPU waiting. The last table says how much of the time a GPU is used if it takes so many
milliseconds for a clip: once where its actor does everything, with threads on 4 cores, and once
where others read and draw; and how many cores they take so that it never waits for them.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import video_cam
from benchmarks.speed.folder import FRAME_RATE
from benchmarks.speed.stage_times import ON_THE_DEVICE, measured
from clips.make_clips import write_video
from models3d.drawn_clips import draw_clip
from video_cam.batch.inputs import find_clips
from video_cam.batch.jobs import DONE, plan_jobs
from video_cam.batch.network import NetworkExplainer
from video_cam.batch.stage_runners import (
    DrawRunner,
    ExplainRunner,
    PrepareRunner,
    Runner,
    facts_of,
)
from video_cam.batch.store import open_store
from video_cam.cli.arguments import parse, run_config
from video_cam.utils.progress import silent

GPU_MILLISECONDS = (50, 200, 1000)  # of a clip on a GPU
CORES_OF_AN_ACTOR = 4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seconds", type=int, default=10)
    parsed = parser.parse_args()
    torch.set_num_threads(1)  # all of the network's time is then counted in its own thread
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_clips(folder / "clips", parsed.clips + 1, parsed.seconds, parsed.size)
        costs, sent = _costs(folder)
    print(
        f"{parsed.clips} clips of {parsed.seconds} s, {parsed.size}x{parsed.size}, "
        "CPU milliseconds a clip\n"
        f"  read {costs['read']:.0f}, explain without the network {costs['explain']:.0f}, "
        f"draw {costs['draw']:.0f}\n"
        f"  kilobytes sent: frames {sent['read'] / 1e3:.0f}, explanation "
        f"{sent['explain'] / 1e3:.0f}; pickled and unpickled in {costs['send']:.1f} ms"
    )
    print("GPU ms a clip | GPU used, one actor for all | in stages | cores that feed it")
    for gpu in GPU_MILLISECONDS:
        other = costs["read"] + costs["explain"] + costs["draw"]
        alone = gpu / (gpu + other / CORES_OF_AN_ACTOR)
        staged = gpu / (gpu + costs["explain"])
        cores = (costs["read"] + costs["draw"]) / (gpu + costs["explain"])
        print(f"{gpu:13d} | {alone:26.0%} | {staged:9.0%} | {cores:.1f}")


def write_clips(folder: Path, count: int, seconds: int, size: int) -> None:
    """Drawn clips of ``seconds``, of ``size`` by ``size`` pixels."""
    folder.mkdir()
    for seed in range(count):
        drawn = draw_clip(seed, num_frames=seconds * FRAME_RATE, size=size)
        write_video(folder / f"{seed:03d}.mp4", drawn.frames, FRAME_RATE)


def _costs(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Stage -> CPU milliseconds of a clip, and stage -> bytes that it sends on."""
    words = ["--clip", str(folder / "clips"), "--model", "motion3d", "--no-check"]
    config = run_config(parse([*words, "--output-dir", str(folder / "out")]))
    store = open_store(config.output_dir)
    store.prepare()
    warm_up, *jobs = plan_jobs(find_clips([str(folder / "clips")]), store)
    explainer = NetworkExplainer(video_cam.load_model("motion3d"))
    facts = facts_of(config, explainer)
    runners: dict[str, Runner] = {
        "read": PrepareRunner(facts),
        "explain": ExplainRunner(config, explainer),
        "draw": DrawRunner(facts),
    }
    costs = dict.fromkeys((*runners, "send"), 0.0)
    sent = dict.fromkeys(runners, 0.0)
    for job in (warm_up, *jobs):
        task: Any = job
        for stage, runner in runners.items():
            with measured("cpu") as times, _cpu_milliseconds() as taken:
                task = runner.run(task, silent, wait_seconds=0)
            network = sum(
                one.cpu for (_, name), one in times.stages.items() if name in ON_THE_DEVICE
            )
            with _cpu_milliseconds() as sending:
                data = pickle.dumps(task)
                task = pickle.loads(data)
            if job is not warm_up:
                costs[stage] += (taken[0] - 1e3 * network) / len(jobs)
                costs["send"] += sending[0] / len(jobs)
                sent[stage] += len(data) / len(jobs)
        if task.status != DONE:
            raise RuntimeError(f"{task.clip}: {task.error}")
    return costs, sent


@contextmanager
def _cpu_milliseconds() -> Iterator[list[float]]:
    """A list that gets the CPU time of the block, of all threads, when it ends."""
    found: list[float] = []
    began = time.process_time()
    yield found
    found.append(1e3 * (time.process_time() - began))


if __name__ == "__main__":
    main()
