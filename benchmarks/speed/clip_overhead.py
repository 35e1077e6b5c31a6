"""What a clip costs beyond decoding, forwards and encoding: CPU time of very short clips.

    python -m benchmarks.speed.clip_overhead [--clips 200] [--detail none]

Clips of 16 frames of 64x48 are processed one after another in one process, with the bundled
network, as by a run over a folder. CPU time is counted, of all threads, as other work on the
machine does not add to it. Subtracted are the time of the network, decoding each clip twice (to
explain and to draw it) and encoding it once. The last quarter of the clips is compared with the
first one: the cost of a clip must not grow with the number of those that are done. Each stage is
printed without the stages that are called in it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import video_cam
from benchmarks.speed.stage_times import ON_THE_DEVICE, StageTimes, measured
from clips.make_clips import write_video
from models3d.drawn_clips import draw_clip
from video_cam.batch.inputs import find_clips
from video_cam.batch.jobs import DONE, plan_jobs
from video_cam.batch.network import NetworkExplainer
from video_cam.batch.runner import ClipRunner
from video_cam.batch.store import open_store
from video_cam.choice_names import DETAIL_NAMES
from video_cam.cli.arguments import parse, run_config
from video_cam.utils.allocator import keep_freed_memory
from video_cam.video.clip import Clip
from video_cam.video.writer import VideoFormat, VideoWriter

FRAMES, FRAME_RATE, HEIGHT, WIDTH = 16, 16, 48, 64
NUM_DRAWN = 8  # different clips
WARM_UP = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--detail", default="layers", choices=DETAIL_NAMES)
    options = parser.parse_args()
    count = options.clips
    keep_freed_memory()  # as the command does
    torch.set_num_threads(1)  # all of the network's time is then counted in its own thread
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = write_clips(folder / "clips", count + WARM_UP)
        costs, times = process(clips, folder / "out", options.detail)
        network = sum(one.cpu for (_, stage), one in times.stages.items() if stage in ON_THE_DEVICE)
        clip = Clip.open(clips[0])
        once = cpu_seconds(lambda: decode(clip))
        with_encoding = cpu_seconds(lambda: encode(clip, folder / "encoded.mp4"))
    quarter = max(count // 4, 1)
    first, last = statistics.mean(costs[:quarter]), statistics.mean(costs[-quarter:])
    whole = statistics.mean(costs)
    overhead = whole - network / count - once - with_encoding
    print(
        f"{count} clips of {FRAMES} frames of {WIDTH}x{HEIGHT}, CPU milliseconds a clip\n"
        f"  whole {1e3 * whole:.0f}: network {1e3 * network / count:.0f}, decoding twice and "
        f"encoding {1e3 * (once + with_encoding):.0f}, overhead {1e3 * overhead:.0f}\n"
        f"  first quarter {1e3 * first:.0f}, last quarter {1e3 * last:.0f}"
    )
    named = {f"{of_pass}: {stage}": one.own_cpu for (of_pass, stage), one in times.stages.items()}
    named |= {f"{of_pass}: the rest": one.own_cpu for of_pass, one in times.passes.items()}
    named["in other threads, in no stage"] = whole * count - sum(named.values())
    for name, cpu in sorted(named.items(), key=lambda one: -one[1]):
        print(f"  {name:40s} {1e3 * cpu / count:7.1f}")


def write_clips(folder: Path, count: int) -> list[Path]:
    """Short drawn clips."""
    folder.mkdir()
    drawn = [
        np.stack([frame[:HEIGHT, :WIDTH] for frame in draw_clip(seed, num_frames=FRAMES).frames])
        for seed in range(NUM_DRAWN)
    ]
    clips = [folder / f"{number:05d}.mp4" for number in range(count)]
    for number, clip in enumerate(clips):
        write_video(clip, drawn[number % NUM_DRAWN], FRAME_RATE)
    return clips


def process(clips: list[Path], out: Path, detail: str = "layers") -> tuple[list[float], StageTimes]:
    """The CPU seconds of each clip after the first WARM_UP, and the stages of all these.

    Raises:
        RuntimeError: a clip failed.
    """
    words = ["--clip", str(clips[0].parent), "--model", "motion3d", "--output-dir", str(out)]
    words += ["--detail", detail]
    store = open_store(str(out))
    store.prepare()
    jobs = list(plan_jobs(find_clips([str(clips[0].parent)]), store))
    runner = ClipRunner(
        run_config(parse(words)), NetworkExplainer(video_cam.load_model("motion3d"))
    )

    def run(number: int) -> None:
        record = runner.run(jobs[number])
        if record.status != DONE:
            raise RuntimeError(f"{record.clip}: {record}")

    for number in range(WARM_UP):
        run(number)
    costs = []
    with measured("cpu") as times:
        for number in range(WARM_UP, len(jobs)):
            before = time.process_time()
            run(number)
            costs.append(time.process_time() - before)
    return costs, times


def decode(clip: Clip) -> None:
    """Decode and convert every frame, with as many threads as the command."""
    with clip.frames() as frames:
        for frame in frames:
            frame.rgb()


def encode(clip: Clip, target: Path) -> None:
    """Decode and encode every frame, without drawing."""
    info, timeline = clip.info, clip.timeline
    form = VideoFormat(info.width, info.height, timeline.time_base, info.frame_rate)
    with clip.frames() as frames, VideoWriter(target, form, durable=False) as writer:
        for frame in frames:
            writer.write(frame.rgb(), frame.pts, timeline.duration_ticks(frame.index))


def cpu_seconds(function: Callable[[], object]) -> float:
    """The CPU time of one call, in seconds: the median of five, of all threads."""
    costs = []
    for _ in range(5):
        before = time.process_time()
        function()
        costs.append(time.process_time() - before)
    return statistics.median(costs)


if __name__ == "__main__":
    main()
